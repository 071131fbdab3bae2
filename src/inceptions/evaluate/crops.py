"""The published ways of showing an image several times: which windows of it the network sees.

Only geometry: sizes in, windows out. `views` cuts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Windows = Literal["10", "12", "144"]

# Shorter sides of the resized image, for a network that sees 224 pixels (GoogLeNet paper, section 7).
SCALES = (256, 288, 320, 352)
PUBLISHED_SIZE = 224


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """One thing the network is shown: a square window of the resized image.

    Attributes:
        shorter: the whole image is first resized so that its shorter side has this many pixels.
        top: first row of the window in the resized image.
        left: first column of the window.
        side: of the window, in pixels of the resized image. Where it is not the network's, the window is resized once more.
        mirrored: left and right exchanged.
    """

    shorter: int
    top: int
    left: int
    side: int
    mirrored: bool


def default_scales(size: int) -> tuple[int, ...]:
    """The four shorter sides that go with a network's input size: the paper's at 224, in the same proportion at another size.

    At 299 they are 342, 384, 427 and 470.
    """
    return tuple(round(scale * size / PUBLISHED_SIZE) for scale in SCALES)


def crops(count: Windows, image: tuple[int, int], *, size: int, scales: Sequence[int]) -> list[Crop]:
    """All windows of a protocol, in a fixed order; each is followed by its mirror image.

    "144" is GoogLeNet's (arXiv:1409.4842, section 7): at each of four scales three squares, at the left, in the centre and at
    the right (or top, centre and bottom) of the image; of each square its four corners, its centre, and the whole square
    resized; all of them mirrored too. "12" takes those six windows of the central square at one scale: the later papers name
    the number and not the windows. "10" is that without the whole square (Krizhevsky et al. 2012, section 4.1).

    In the three squares of a scale every pixel of the resized image is seen if its aspect is at most 3 (of longer ones the
    parts between the squares are not), in one square only those of the middle. Corner windows cover their square if it is at
    most twice as wide as the network's input; the whole square is always covered by its own window.

    Args:
        count: which protocol; with other than its published number of scales it has so many times more or fewer.
        image: (height, width) of the image in pixels.
        size: side of what the network sees.
        scales: shorter sides of the resized image, none below `size`.
    """
    places = ("first", "centre", "last") if count == "144" else ("centre",)
    return [
        Crop(shorter=shorter, top=top, left=left, side=side, mirrored=mirrored)
        for shorter in scales
        for row, column in squares(image, shorter, places)
        for top, left, side in windows(row, column, shorter, size, whole=count != "10")
        for mirrored in (False, True)
    ]


def resized(image: tuple[int, int], shorter: int) -> tuple[int, int]:
    """(height, width) after the shorter side became `shorter`; the longer one is rounded down, as torchvision does."""
    height, width = image
    least = min(height, width)
    return (shorter, shorter * width // least) if height <= width else (shorter * height // least, shorter)


def squares(image: tuple[int, int], shorter: int, places: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Row and column where the squares of the shorter side begin, along the longer one. A square image repeats its only one."""
    height, width = resized(image, shorter)
    spare = max(height, width) - shorter
    for place in places:
        offset = {"first": 0, "centre": spare // 2, "last": spare}[place]
        yield (offset, 0) if height > width else (0, offset)


def windows(row: int, column: int, square: int, size: int, *, whole: bool) -> Iterator[tuple[int, int, int]]:
    """Top, left and side of the windows in a square: its corners, its centre, and, if asked for, all of it."""
    spare = square - size
    for down, right in ((0, 0), (0, spare), (spare, 0), (spare, spare), (spare // 2, spare // 2)):
        yield row + down, column + right, size
    if whole:
        yield row, column, square
