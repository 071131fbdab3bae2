"""The images of an experiment, in memory: a share to train on and one to judge by, drawn anew for every seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional

from inceptions.data import Images, open_data

DIGITS = "digits"
# Sides up to which photographs are kept in memory, and shrunk further from there.
KEPT_SIDE = 64


class Pixels(Protocol):
    """Images by their indices: a tensor, or something that makes them when they are asked for."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, index: Tensor) -> Tensor:
        """`[n, channels, height, width]` float32 for `index` `[n]`."""
        ...


@dataclass(frozen=True, eq=False)
class Share:
    """Labelled images: `x` gives `[n, channels, side, side]`, `y` is `[n]`."""

    x: Pixels
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def mapped(self, change: Callable[[Tensor, Tensor], Tensor]) -> Share:
        """The same with every batch put through `change(images, index)`; done at once where the images are a tensor."""
        made = Mapped(self.x, change)
        return replace(self, x=made[torch.arange(len(self))] if isinstance(self.x, Tensor) else made)


@dataclass(frozen=True, eq=False)
class Mapped:
    """Images that are changed when they are asked for."""

    x: Pixels
    change: Callable[[Tensor, Tensor], Tensor]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor) -> Tensor:
        """The changed images."""
        return self.change(self.x[index], index)


@dataclass(frozen=True, eq=False)
class Sample:
    """What an arm is given.

    Attributes:
        train: to train on.
        held: to judge by.
        classes: how many.
        channels: of the images.
        side: of the images.
    """

    train: Share
    held: Share
    classes: int
    channels: int
    side: int

    def mapped(self, change: Callable[[Tensor, Tensor], Tensor], side: int | None = None) -> Sample:
        """Both shares changed alike."""
        return replace(self, train=self.train.mapped(change), held=self.held.mapped(change), side=side or self.side)


@dataclass(frozen=True, eq=False)
class Decoded:
    """Photographs that are decoded when they are asked for: a data set that does not fit into memory.

    Attributes:
        images: the set.
        chosen: indices into it.
        side: they are cut square in the middle and resized to this.
    """

    images: Images
    chosen: tuple[int, ...]
    side: int

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: Tensor) -> Tensor:
        """Decode some."""
        return torch.stack([square(self.images.open(self.chosen[i], self.side), self.side) for i in index.tolist()])


def square(image: Image.Image, side: int) -> Tensor:
    """The middle square at `side` pixels, `[3, side, side]`, -1 to 1."""
    short = min(image.size)
    left, top = ((length - short) // 2 for length in image.size)
    resized = image.resize((side, side), Image.Resampling.BILINEAR, box=(left, top, left + short, top + short))
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1).float().div(127.5).sub(1)


def draw_sample(data: str, *, side: int, train: int, held: int, seed: int) -> Sample:
    """The images of one seed.

    The digits are divided anew for every seed. A folder keeps its own division; from its training part a share is drawn.

    Args:
        data: "digits", or a folder as `inceptions train` takes it.
        side: of the images, in pixels.
        train: images to train on; 0 for all.
        held: images to judge by; 0 for all.
        seed: of the draw.

    Raises:
        DataError: the folder cannot be used.
    """
    chance = torch.Generator().manual_seed(seed)
    if data == DIGITS:
        x, y = _digits()
        order = torch.randperm(len(y), generator=chance)
        first, rest = order[: train or len(y) * 2 // 3], order[train or len(y) * 2 // 3 :]
        shares = [Share(resized(x[part], side), y[part]) for part in (first, rest[: held or None])]
        return Sample(shares[0], shares[1], classes=10, channels=1, side=side)
    splits = open_data(data)
    chosen = []
    for images, wanted in ((splits.train, train), (splits.validation, held)):
        order = torch.randperm(len(images), generator=chance)[: wanted or None]
        y = torch.tensor(list(images.labels))[order]
        if side <= KEPT_SIDE:
            chosen.append(Share(resized(_kept(data, images is splits.train)[order], side), y))
        else:
            chosen.append(Share(Decoded(images, tuple(order.tolist()), side), y))
    return Sample(chosen[0], chosen[1], classes=len(splits.classes), channels=3, side=side)


def resized(x: Tensor, side: int) -> Tensor:
    """Bilinear, antialiased where it shrinks."""
    return functional.interpolate(x, (side, side), mode="bilinear", align_corners=False, antialias=side < x.shape[-1])


@lru_cache(maxsize=1)
def _digits() -> tuple[Tensor, Tensor]:
    """The 1,797 digits of scikit-learn, `[n, 1, 8, 8]` from -1 (paper) to 1 (ink)."""
    table = load_digits()
    return torch.from_numpy(table.images).float().div(8).sub(1)[:, None], torch.from_numpy(table.target).long()


@lru_cache(maxsize=2)
def _kept(data: str, train: bool) -> Tensor:
    """All images of a folder's part at `KEPT_SIDE`."""
    splits = open_data(data)
    images = splits.train if train else splits.validation
    return torch.stack([square(images.open(i, KEPT_SIDE), KEPT_SIDE) for i in range(len(images))])


def placed(sides: Tensor, tops: Tensor, lefts: Tensor, canvas: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Each image resized to its own side and laid on an empty canvas; to be given to `Sample.mapped`.

    Args:
        sides: `[n]`, in pixels.
        tops: `[n]`, may be negative: what hangs over is cut off.
        lefts: `[n]`, likewise.
        canvas: side of the canvas, whose pixels are -1.
    """

    def place(x: Tensor, index: Tensor) -> Tensor:
        out = x.new_full((len(x), x.shape[1], canvas, canvas), -1.0)
        for row, i in enumerate(index.tolist()):
            side, top, left = int(sides[i]), int(tops[i]), int(lefts[i])
            small = resized(x[row : row + 1], side)[0]
            high, low = max(0, top), min(canvas, top + side)
            first, last = max(0, left), min(canvas, left + side)
            out[row, :, high:low, first:last] = small[:, high - top : low - top, first - left : last - left]
        return out

    return place


def scattered(sample: Sample, smallest: int, canvas: int, seed: int) -> Sample:
    """Each image at a size and a place of its own: a side of `smallest` to `canvas` pixels, anywhere on an empty canvas."""
    chance = torch.Generator().manual_seed(seed)
    count = max(len(sample.train), len(sample.held))
    sides = torch.randint(smallest, canvas + 1, (count,), generator=chance)
    tops, lefts = ((torch.rand(count, generator=chance) * (canvas + 1 - sides)).long() for _ in range(2))
    return sample.mapped(placed(sides, tops, lefts, canvas), side=canvas)


def shifted(x: Tensor, right: int, down: int) -> Tensor:
    """Images moved by whole pixels; what comes in from the border is -1."""
    out = torch.full_like(x, -1.0)
    height, width = x.shape[-2:]
    out[..., max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = x[
        ..., max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
    ]
    return out
