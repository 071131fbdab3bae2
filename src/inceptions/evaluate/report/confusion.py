"""What is taken for what: a table where classes are few, the most confused pairs and a compact picture where they are many."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from inceptions.evaluate.evaluation import Evaluation

TABLE = 20
"""Most classes whose every pair is shown as a number."""
PAIRS, PAIRS_BESIDE = 25, 10
"""Most confused pairs that are listed: of many classes, and beside a table that has them all."""
PICTURE = 400
"""Pixels along the compact picture's side, at least."""
# Red, green, blue of right and wrong answers; seen on light paper and on dark.
RIGHT, WRONG = (46, 125, 190), (222, 96, 20)
FAINTEST = 0.35


@dataclass(frozen=True, slots=True)
class Pair:
    """Images of one class that were taken for another.

    Attributes:
        name: their class.
        answer: what they were taken for.
        n: how many.
        share: of all images of their class.
    """

    name: str
    answer: str
    n: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """What is taken for what.

    Attributes:
        classes: those that occur, as an image's or as an answer, in the order of the outputs.
        matrix: images of each class (row) by answer (column).
        pairs: the most confused ones.
        different: how many pairs are confused at all.
        picture: a data address of the matrix as a picture, where it is too large for a table.
    """

    classes: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    pairs: tuple[Pair, ...]
    different: int
    picture: str | None

    @property
    def upright(self) -> bool:
        """Whether the columns have names that only fit when they are turned."""
        return len(self.classes) > 6 and max(map(len, self.classes)) > 3

    @property
    def sums(self) -> tuple[int, ...]:
        """Images of each class."""
        return tuple(map(sum, self.matrix))


def confusion(evaluation: Evaluation) -> Confusion:
    """Count what is taken for what."""
    images = {one.name: one.n for one in evaluation.per_class}
    named = {name for name, answer, _ in evaluation.confusion for name in (name, answer)}
    classes = tuple(dict.fromkeys(one.name for one in evaluation.per_class if one.n or one.name in named))
    wrong = [
        Pair(name, answer, n, n / images[name]) for name, answer, n in evaluation.confusion if name != answer and images[name]
    ]
    wrong.sort(key=lambda pair: (-pair.n, -pair.share, pair.name, pair.answer))
    place = {name: i for i, name in enumerate(classes)}
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for name, answer, n in evaluation.confusion:
        matrix[place[name], place[answer]] += n
    few = len(classes) <= TABLE
    return Confusion(
        classes=classes,
        matrix=tuple(map(tuple, matrix.tolist())) if few else (),
        pairs=tuple(wrong[: PAIRS_BESIDE if few else PAIRS]),
        different=len(wrong),
        picture=None if few else picture(matrix),
    )


def picture(matrix: np.typing.NDArray[np.int64]) -> str:
    """A square for each pair: blue where the answer is right, orange where it is wrong, strong where it is frequent."""
    sums = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.maximum(sums, 1)
    pixels = np.zeros((*matrix.shape, 4), dtype=np.uint8)
    pixels[..., :3] = WRONG
    pixels[np.arange(len(matrix)), np.arange(len(matrix)), :3] = RIGHT
    strength = np.where(matrix > 0, FAINTEST + (1 - FAINTEST) * np.sqrt(share), 0.0)
    pixels[..., 3] = np.rint(255 * strength).astype(np.uint8)
    zoom = -(-PICTURE // len(matrix))
    large = np.kron(pixels, np.ones((zoom, zoom, 1), dtype=np.uint8))
    content = io.BytesIO()
    Image.fromarray(large).save(content, format="PNG", optimize=True)
    return data_address("png", content.getvalue())


def data_address(kind: str, content: bytes) -> str:
    """A picture as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def most_frequent(pairs: Sequence[Pair]) -> Pair | None:
    """The most confused pair, if one is more frequent than a single image."""
    return pairs[0] if pairs and pairs[0].n > 1 else None
