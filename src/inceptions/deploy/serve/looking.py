"""Why a network answered as it did, as pictures for the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import PIL.Image
from torch import Tensor

from inceptions.deploy.serve import wire
from inceptions.predict import Prediction, Predictor
from inceptions.predict.explain import Branch, Explanation, branches, explain, overlay
from inceptions.predict.explain.branches import forked
from inceptions.predict.explain.drawing import coloured, scaled
from inceptions.predict.explain.explanation import shown

# Of the overlay's longer side, in pixels.
SIDE = 480

Form = Literal["JPEG", "PNG"]


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What the network's thread found out; drawing it is anybody's.

    Attributes:
        explanation: Grad-CAM's.
        heads: what each head says, in the order of their depth.
        module: whose branches follow; None where there are none.
        branches: of that module.
    """

    explanation: Explanation
    heads: tuple[tuple[str, Prediction], ...]
    module: str | None
    branches: tuple[Branch, ...]


def look(
    predictor: Predictor, image: PIL.Image.Image, *, label: str | None, tap: str | None, module: str | None, top: int
) -> Looked:
    """Explain one image.

    Args:
        predictor: the network.
        image: decoded.
        label: the class to explain; the likeliest if None.
        tap: the feature map for Grad-CAM; the last if None.
        module: the module whose branches are shown; the last that has any if None.
        top: classes of each head.

    Raises:
        UsageError: no such class, feature map or module.
    """
    found = explain(predictor, image, tap=tap, label=label)
    prepared = predictor.prepare(image)
    heads = tuple((name, predictor.answer([prepared], top=top, head=name)[0]) for name in predictor.heads)
    sides: list[Branch] = []
    if module is not None or forked(predictor.model):
        sides = branches(predictor.model, shown(predictor, image), tap=module)
    return Looked(found, heads, sides[0].name.split(".")[0] if sides else None, tuple(sides))


def overlay_file(looked: Looked, form: Form) -> bytes:
    """The overlay alone, as a file's content."""
    return _encoded(overlay(looked.explanation, side=SIDE)[1], form)


def pictures(looked: Looked) -> tuple[wire.Picture, wire.Picture, list[wire.Branch]]:
    """What the network saw, the overlay, and the branches."""
    photograph, marked = overlay(looked.explanation, side=SIDE)
    most = max((float(branch.mean.max()) for branch in looked.branches), default=0.0) or 1.0
    sides = [
        wire.Branch(
            name=branch.name.rpartition(".")[2],
            layers=branch.layers,
            mean=float(branch.mean.mean()),
            picture=_map(branch.mean / most),
            channels=[
                wire.Channel(channel=channel, picture=_map(scaled(values)))
                for channel, values in zip(branch.channels, branch.maps, strict=True)
            ],
        )
        for branch in looked.branches
    ]
    return _picture(photograph, "JPEG"), _picture(marked, "JPEG"), sides


def guesses(prediction: Prediction) -> list[wire.Guess]:
    """A prediction's classes as they go over the wire."""
    return [wire.Guess(label=one.label, index=one.index, probability=min(1.0, one.probability)) for one in prediction.top]


def _map(values: Tensor) -> wire.Picture:
    pixels = coloured(values.numpy()).round().astype(np.uint8)
    return _picture(PIL.Image.fromarray(pixels), "PNG")


def _picture(picture: PIL.Image.Image, form: Form) -> wire.Picture:
    text = base64.b64encode(_encoded(picture, form)).decode()
    return wire.Picture(data=f"data:image/{form.lower()};base64,{text}", width=picture.width, height=picture.height)


def _encoded(picture: PIL.Image.Image, form: Form) -> bytes:
    content = io.BytesIO()
    picture.save(content, format=form, **({"quality": 88} if form == "JPEG" else {}))
    return content.getvalue()
