"""The JSON of the API. Keys are only ever added."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Wire(BaseModel):
    """What all of it has in common: names as they stand in the JSON."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)


class Guess(Wire):
    """One class and its probability."""

    label: str = Field(serialization_alias="class", description="The class, as the weight file calls it.")
    index: int = Field(description="The network's output that it belongs to.", ge=0)
    probability: float = Field(description="Calibrated where the model is and its main head answers.", ge=0, le=1)


class Problem(Wire):
    """Why something was not answered."""

    code: str = Field(description="One stable word, for programs.")
    message: str = Field(description="A sentence, for people.")


class Refused(Problem):
    """Why a request was not answered."""

    id: str = Field(description="Under which the service's log speaks of this request.")


class Refusals(Wire):
    """The answer of every request that failed."""

    error: Refused


class Result(Wire):
    """The answer for one image: `top`, or `error`."""

    index: int = Field(description="Its place in the request, from 0 on.", ge=0)
    name: str | None = Field(default=None, description="The file's name as it was sent, without control characters.")
    width: int | None = Field(default=None, description="Of the upright image, in pixels.")
    height: int | None = None
    top: list[Guess] | None = Field(default=None, description="The likeliest classes, best first.")
    sure: bool | None = Field(
        default=None, description="Whether the likeliest class reaches the model's threshold; null where the model has none."
    )
    error: Problem | None = Field(default=None, description="Why this image alone has no answer.")


class Timings(Wire):
    """Where the time went, in milliseconds; of several images the longest."""

    receive: float = Field(description="Until the request's last byte was there.")
    decode: float = Field(description="From the file to the network's input, with waiting for a free thread.")
    queue: float = Field(description="Waiting for the network.")
    network: float = Field(description="In the network, together with the other images of the same pass.")
    total: float


class Predictions(Wire):
    """The answers for the images of one request."""

    model: str
    version: str = Field(description="Changes with the weights, the classes or the preprocessing.")
    head: str = Field(description="Who answered: main, an auxiliary head, mean or best.")
    batch: int = Field(description="Images in the largest pass that these were a part of, those of other requests too.")
    results: list[Result]
    timings: Timings


class HeadAnswer(Wire):
    """What one head says."""

    head: str
    top: list[Guess]


class Picture(Wire):
    """A picture, ready to be shown."""

    data: str = Field(description="A data: address that holds the picture.")
    width: int
    height: int


class Channel(Wire):
    """One channel of a branch."""

    channel: int = Field(description="Its number within the branch.")
    picture: Picture = Field(description="Where it answers, on its own scale.")


class Branch(Wire):
    """What one branch of a module made of the image."""

    name: str
    layers: str = Field(description="Its layers in words.")
    mean: float = Field(description="Mean absolute activation.")
    picture: Picture = Field(description="Where it answers, on one scale for all branches.")
    channels: list[Channel] = Field(description="The channels that answer most, the strongest first.")


class Explanation(Wire):
    """Why the network answered as it did."""

    model: str
    version: str
    label: str = Field(serialization_alias="class", description="The class that is explained.")
    index: int
    probability: float
    tap: str = Field(description="The feature map that Grad-CAM looked at.")
    box: list[float] = Field(description="What the network saw of the image: left, top, right, bottom in its pixels.")
    nothing: bool = Field(description="Whether nothing in the image speaks for the class; the overlay is then empty.")
    photograph: Picture = Field(description="What the network saw.")
    overlay: Picture = Field(description="The same in grey, and in colours what spoke for the class; of the same size.")
    heads: list[HeadAnswer] = Field(description="What each head says, in the order of their depth.")
    module: str | None = Field(description="The module whose branches follow; null where the network has none.")
    branches: list[Branch]
    timings: Timings


class Batching(Wire):
    """How requests are joined."""

    images: int = Field(description="Most images in one pass.")
    wait: float = Field(description="Most milliseconds that an image waits for company on its way.")
    queue: int = Field(description="Most images that wait.")


class Described(Wire):
    """A model that is served."""

    name: str
    version: str | None = Field(description="null until it has been ready once.")
    ready: bool
    architecture: str
    variant: str
    classes: list[str]
    size: list[int] = Field(description="Height and width of what the network sees.")
    shown: str = Field(description="How an image is shown to it, in words.")
    heads: list[str] = Field(description="In the order of their depth; the last is main.")
    explains: bool = Field(description="Whether it can be asked why; an exported file shows nothing of its inside.")
    modules: list[str] = Field(description="Those with branches.")
    threshold: float | None = Field(description="Below this probability an answer is not sure; null without calibration.")
    temperature: float | None = Field(description="By which logits are divided before the softmax; null without calibration.")
    computed_in: str = Field(description="Precision and engine, in words.")
    licence: str | None
    batching: Batching | None


class Catalogue(Wire):
    """The models that are served."""

    default: str = Field(description="The model that answers where none is named.")
    models: list[Described]


class Table(Wire):
    """A network's cost as a table of text."""

    headings: list[str]
    rows: list[list[str]]
    total: list[str]
    remarks: list[str]


class Architecture(Wire):
    """A model's network: what it is and what it costs."""

    model: str
    architecture: str
    variant: str
    summary: str
    source: str = Field(description="The paper.")
    input: list[int] = Field(description="Channels, height and width.")
    params: int
    params_with_heads: int
    macs: int = Field(description="Multiply-adds for one image.")
    table: Table


class Reloaded(Wire):
    """A model after its weights were loaded again."""

    model: str
    version: str


class State(Wire):
    """Whether the service is well."""

    status: Literal["ok", "not ready"]
