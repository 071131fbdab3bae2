"""Explanations as pictures: beside the part of the photograph that the network saw, or in a grid.

Strength is shown in magma, whose lightness alone says which of two places is the stronger, in grey print and to people who
confuse colours too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import PIL.Image
from matplotlib import colormaps, get_data_path
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFont
from torch import Tensor

from inceptions.data.check.sheet import clipped
from inceptions.data.decode import printable
from inceptions.predict.explain.branches import Branch
from inceptions.predict.explain.explanation import Explanation

COLOURS = "magma"
PAPER, INK, FAINT = "white", "#202020", "#606060"
GAP, TEXT, LINE, HEADING = 10, 14, 20, 18
SIDE, NARROWEST = 360, 48
CELL = 150
# The lightest colour covers this much of the photograph, the darkest hides as much of what counted for nothing.
OPACITY = 0.62

METHODS = {"gradcam": "Grad-CAM", "occlusion": "occlusion", "integrated": "integrated gradients"}


def overlay(explanation: Explanation, *, side: int = SIDE) -> tuple[PIL.Image.Image, PIL.Image.Image]:
    """What the network saw, in its own colours, and in grey under what counted.

    Args:
        explanation: what to show.
        side: the longer side of the pictures in pixels.

    Returns:
        Two pictures of the same size and of the aspect that the photograph has there.
    """
    return laid_over(explanation.image, explanation.box, explanation.heat, side=side)


def laid_over(
    image: PIL.Image.Image, box: tuple[float, float, float, float], heat: Tensor, *, side: int = SIDE
) -> tuple[PIL.Image.Image, PIL.Image.Image]:
    """The part of an image in a box, in its own colours, and in grey under heat from 0 to 1, `[rows, columns]`."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    scale = side / max(width, height)
    size = (max(NARROWEST, round(width * scale)), max(NARROWEST, round(height * scale)))
    photograph = image.resize(size, PIL.Image.Resampling.LANCZOS, box=box)
    glow = PIL.Image.fromarray(heat.numpy()).resize(size, PIL.Image.Resampling.BICUBIC)
    grey = np.asarray(photograph.convert("L"), dtype=np.float32)[..., None]
    mixed = (1 - OPACITY) * grey + OPACITY * coloured(np.asarray(glow))
    return photograph, PIL.Image.fromarray(mixed.round().astype(np.uint8))


def draw_explanation(explanation: Explanation) -> PIL.Image.Image:
    """The photograph, what counted in it, and a caption: class, probability, method, and what the colours mean."""
    photograph, marked = overlay(explanation)
    width = max(2 * photograph.width + 3 * GAP, 480)
    picture = PIL.Image.new("RGB", (width, photograph.height + 2 * GAP + 3 * LINE + GAP), PAPER)
    draw = ImageDraw.Draw(picture)
    picture.paste(photograph, (GAP, GAP))
    picture.paste(marked, (photograph.width + 2 * GAP, GAP))
    top = photograph.height + 2 * GAP
    room = width - 2 * GAP
    answer = f"{100 * explanation.probability:.1f} %"
    draw.text((GAP, top), clipped(explanation.label, font(HEADING), room - 90), INK, font(HEADING))
    draw.text((width - GAP, top), answer, INK, font(HEADING), anchor="ra")
    how = METHODS[explanation.method] + (f" at {explanation.tap}" if explanation.tap else "")
    if explanation.path is not None:
        how += f"  ·  {printable(Path(explanation.path).name)}"
    draw.text((GAP, top + LINE + 6), clipped(how, font(TEXT), room), FAINT, font(TEXT))
    _legend(picture, (GAP, top + 2 * LINE + 8), "counted for nothing", "spoke most for it")
    return picture


def draw_branches(found: Sequence[Branch], photograph: PIL.Image.Image, *, title: str) -> PIL.Image.Image:
    """A row for each branch: how much it answers where, and its strongest channels.

    The first column has one scale for all branches, so that they can be compared; each channel has its own.

    Args:
        found: of one module.
        photograph: what the network saw.
        title: a line at the top.
    """
    columns = 1 + max(len(branch.channels) for branch in found)
    left = CELL + 2 * GAP
    width = left + columns * (CELL + GAP)
    row = LINE + CELL + LINE + GAP
    top = GAP + LINE + 8
    picture = PIL.Image.new("RGB", (width, top + LINE + len(found) * row + LINE + GAP), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((GAP, GAP), clipped(title, font(HEADING), width - 2 * GAP), INK, font(HEADING))
    draw.text((left, top), "all its channels", FAINT, font(TEXT))
    draw.text((left + CELL + GAP, top), "the channels that answer most, each on its own scale", FAINT, font(TEXT))
    top += LINE
    small = photograph.copy()
    small.thumbnail((CELL, CELL))
    picture.paste(small, (GAP, top + LINE))
    most = max(float(branch.mean.max()) for branch in found) or 1.0
    for number, branch in enumerate(found):
        y = top + number * row
        words = f"{branch.name.rpartition('.')[2]}:  {branch.layers}"
        draw.text((left, y), clipped(words, font(TEXT), width - left - GAP), INK, font(TEXT))
        cells = [(branch.mean / most, f"mean {float(branch.mean.mean()):.2g}")]
        cells += [(scaled(one), f"channel {channel}") for one, channel in zip(branch.maps, branch.channels, strict=True)]
        for column, (values, below) in enumerate(cells):
            x = left + column * (CELL + GAP)
            picture.paste(_cell(coloured(values.numpy())), (x, y + LINE))
            draw.text((x, y + LINE + CELL + 1), below, FAINT, font(TEXT))
    _legend(picture, (left, picture.height - LINE - GAP // 2), "silent", "strongest")
    return picture


def draw_filters(filters: Tensor, *, title: str) -> PIL.Image.Image:
    """Filters in a grid, in the order of their channels.

    Args:
        filters: as `first_filters` returns them.
        title: a line at the top.
    """
    count, height, width, _ = filters.shape
    zoom = max(1, CELL // 3 // max(height, width))
    columns = math.ceil(math.sqrt(count) * 1.3)
    across, down = width * zoom + 4, height * zoom + 4
    top = GAP + LINE + 8
    size = (max(columns * across + 2 * GAP, 320), top + math.ceil(count / columns) * down + GAP)
    picture = PIL.Image.new("RGB", size, PAPER)
    ImageDraw.Draw(picture).text((GAP, GAP), clipped(title, font(HEADING), size[0] - 2 * GAP), INK, font(HEADING))
    for i, one in enumerate((255 * filters).round().byte().numpy()):
        cell = PIL.Image.fromarray(one).resize((width * zoom, height * zoom), PIL.Image.Resampling.NEAREST)
        picture.paste(cell, (GAP + i % columns * across, top + i // columns * down))
    return picture


def png(picture: PIL.Image.Image) -> bytes:
    """A picture as a PNG file's content."""
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return content.getvalue()


def coloured(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values from 0 to 1 in colours: `[rows, columns]` to `[rows, columns, 3]`, 0 to 255."""
    found: NDArray[np.float32] = 255 * colormaps[COLOURS](values.clip(0, 1))[..., :3].astype(np.float32)
    return found


def scaled(values: Tensor) -> Tensor:
    """Strength, whatever its sign, from 0 to 1."""
    strength = values.abs()
    return strength / (strength.max() or 1.0)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The letters of all captions."""
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)


def _cell(pixels: NDArray[np.float32]) -> PIL.Image.Image:
    """A map with its own grid to be seen."""
    image = PIL.Image.fromarray(pixels.round().astype(np.uint8))
    coarse = max(image.size) <= CELL
    return image.resize((CELL, CELL), PIL.Image.Resampling.NEAREST if coarse else PIL.Image.Resampling.BOX)


def _legend(picture: PIL.Image.Image, place: tuple[int, int], least: str, most: str) -> None:
    draw, letters, bar = ImageDraw.Draw(picture), font(TEXT), 120
    left, top = place
    draw.text((left, top), least, FAINT, letters)
    left += math.ceil(letters.getlength(least)) + GAP
    ramp = coloured(np.tile(np.linspace(0, 1, bar, dtype=np.float32), (10, 1)))
    picture.paste(PIL.Image.fromarray(ramp.round().astype(np.uint8)), (left, top + 4))
    draw.text((left + bar + GAP, top), most, FAINT, letters)
