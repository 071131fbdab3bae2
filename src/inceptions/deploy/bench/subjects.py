"""The networks that are measured, and the images that answers are compared on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inceptions.architecture import cost
from inceptions.deploy.bench.unmodified import without_heads
from inceptions.deploy.graph import Array
from inceptions.deploy.preparing import normalised
from inceptions.deploy.sample import sample
from inceptions.network import Network, create_model
from inceptions.weights import Preprocess, load_model

COMPARED = 200
"""Images of a folder that answers are compared on, evenly spread over their names."""

CALIBRATED = 200
"""Others that int8 is calibrated on."""

SEED = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """A network without auxiliary heads, the (height, width) of its images, and some to compare answers on.

    The images are float32 and normalised; None if there are none. Those to calibrate with are others.
    """

    network: Network
    size: tuple[int, int]
    images: Array | None = None
    calibration: Array | None = None


def subjects(
    models: Sequence[str],
    size: tuple[int, int] | None,
    weights: str | Path | None,
    folder: Path | None,
    calibrate: bool = False,
) -> Iterator[Subject]:
    """What is to be measured.

    Args:
        models: networks, each with fresh weights.
        size: (height, width) of the images; as published, or as the weights say, if None.
        weights: instead of models.
        folder: where images are; none if None.
        calibrate: whether some of them are to be calibrated with; nothing is compared on these.

    Raises:
        UsageError: an unknown network, or images too small for it.
        DataError: no image can be read.
        WeightsError: the weights cannot be read.
    """
    made: list[tuple[Network, Preprocess]] = []
    if weights is not None:
        network, card = load_model(weights)
        made.append((network, card.preprocess))
    else:
        for name in models:
            network = create_model(name, seed=SEED, aux=False)
            side = network.architecture.input_size
            made.append((network, Preprocess(size=side, resize_to=min(side))))
    for network, preprocess in made:
        sides = size or preprocess.size
        cost(network.architecture, sides)  # says what is too small
        if sides != preprocess.size:
            factor = max(sides) / min(preprocess.size)
            preprocess = replace(preprocess, size=sides, resize_to=round(preprocess.resize_to * factor))
        if folder is None:
            yield Subject(without_heads(network), sides)
            continue
        images = normalised(sample(folder, preprocess, COMPARED + CALIBRATED if calibrate else COMPARED), preprocess)
        compared, calibration = (images[1::2], images[::2]) if calibrate else (images, None)
        yield Subject(without_heads(network), sides, compared[:COMPARED], calibration)
