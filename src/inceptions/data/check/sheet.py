"""A picture of pictures: what the network will be shown of each class, after augmentation and in validation."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from inceptions.data.decode import ImageError
from inceptions.data.images import Images, Splits
from inceptions.data.order import sample_seed
from inceptions.data.scan import EvaluationView, TrainingView
from inceptions.data.transforms import Training
from inceptions.files import write_bytes
from inceptions.weights.preprocess import Preprocess

T = TypeVar("T")

TRAINED, VALIDATED = 6, 2
"""Pictures in a row: different training images as the first epoch could show them, then validation images."""

MOST_CLASSES = 24
CELL = 128
GAP = 8
TEXT = 15
LABEL = 18
HEADING = 44
PAPER, INK, FAINT, EDGE = "white", "#202020", "#707070", "#d0d0d0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """How a recipe shows images.

    Attributes:
        transform: what training does to an image.
        source_size: the shorter side that training images are reduced to before; None leaves them.
        preprocess: what validation does.
        seed: of the samples.
    """

    transform: Training
    source_size: int | None
    preprocess: Preprocess
    seed: int


def sheet(path: Path, splits: Splits, showing: Showing, *, title: str) -> None:
    """Write a PNG with a row for each class, the first `MOST_CLASSES` of them.

    Args:
        path: the file.
        splits: the images; those that cannot be read are passed over.
        showing: how they are shown.
        title: a line at the top.

    Raises:
        MachineError: it cannot be written.
    """
    classes = splits.classes[:MOST_CLASSES]
    columns = TRAINED + VALIDATED
    width = GAP + columns * (CELL + GAP) + GAP
    picture = Image.new("RGB", (width, HEADING + len(classes) * (CELL + LABEL + GAP)), PAPER)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), TEXT)
    more = f"  ·  {len(classes)} of {len(splits.classes)} classes" if len(classes) < len(splits.classes) else ""
    draw.text((GAP, 4), clipped(title + more, font, width - 2 * GAP), INK, font)
    divide = GAP + TRAINED * (CELL + GAP) + GAP // 2
    draw.text((GAP, 23), "in training, augmented", FAINT, font)
    draw.text((divide + GAP, 23), "in validation", FAINT, font)
    for row, name in enumerate(classes):
        top = HEADING + row * (CELL + LABEL + GAP)
        draw.text((GAP, top), clipped(name, font, divide - 2 * GAP), INK, font)
        shown = [*_trained(splits.train, row, showing), *[None] * TRAINED][:TRAINED]
        shown += _validated(splits.validation, row, showing)
        for column, pixels in enumerate(shown):
            if pixels is not None:
                left = GAP + column * (CELL + GAP) + (GAP if column >= TRAINED else 0)
                picture.paste(_cell(pixels), (left, top + LABEL))
                draw.rectangle((left - 1, top + LABEL - 1, left + CELL, top + LABEL + CELL), outline=EDGE)
    draw.line((divide, HEADING - 20, divide, picture.height - GAP), FAINT)
    content = io.BytesIO()
    picture.save(content, format="PNG")
    write_bytes(path, content.getvalue())


def clipped(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Text in one line of `width` pixels: what cannot be printed stands as an escape, what is too long ends in an ellipsis."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text[:500])
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _trained(images: Images, label: int, showing: Showing) -> list[Tensor]:
    """Images of a class as training shows them; a class of few shows some again, otherwise augmented."""
    view = TrainingView(images, showing.source_size)
    turns = [(passage, i) for passage in range(TRAINED) for i in _members(images, label)]

    def show(turn: tuple[int, int]) -> Tensor:
        passage, i = turn
        return showing.transform(view.pixels(i), sample_seed(showing.seed, passage, i))

    return list(islice(_readable(show, turns), TRAINED))


def _validated(images: Images, label: int, showing: Showing) -> list[Tensor]:
    view = EvaluationView(images, showing.preprocess)
    return list(islice(_readable(view.pixels, _members(images, label)), VALIDATED))


def _readable(show: Callable[[T], Tensor], turns: Iterable[T]) -> Iterator[Tensor]:
    for turn in turns:
        with suppress(ImageError):
            yield show(turn)


def _members(images: Images, label: int) -> list[int]:
    return [i for i, one in enumerate(images.labels) if one == label]


def _cell(pixels: Tensor) -> Image.Image:
    """Pixels at the size of a cell; each as it is, where there are few."""
    image = Image.fromarray(pixels.round().clamp(0, 255).permute(1, 2, 0).numpy().astype(np.uint8))
    if image.width < CELL:
        return image.resize((CELL, CELL), Image.Resampling.NEAREST)
    return image.resize((CELL, CELL), Image.Resampling.LANCZOS)
