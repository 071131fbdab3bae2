"""One look at every image before the first step: which cannot be read, and the pixels of the others kept in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch
from PIL.Image import Image, Resampling
from torch import Tensor

from inceptions.data.decode import AtLeast, ImageError
from inceptions.data.images import Images
from inceptions.data.transforms import evaluation, to_tensor
from inceptions.errors import DataError
from inceptions.weights.preprocess import Preprocess

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

MAX_UNREADABLE = 0.1
CHUNK = 256


class View(Protocol):
    """How images are looked at: decoded and brought to some size, always the same way."""

    @property
    def images(self) -> Images:
        """The images."""
        ...

    def pixels(self, i: int, at_least: AtLeast | None = None) -> Tensor:
        """Image `i`: uint8, `[3, height, width]`, RGB, the channels of a pixel side by side; `at_least` as in `decode`.

        Raises:
            ImageError: it cannot be decoded.
        """
        ...


@dataclass(frozen=True)
class TrainingView:
    """Images whose shorter side is at most `side` pixels (None: as they are), ready to be cut at random."""

    images: Images
    side: int | None

    def pixels(self, i: int, at_least: AtLeast | None = None) -> Tensor:
        """Image `i`, made smaller if need be, never larger."""
        if self.side is None:
            return torch.from_numpy(self.images.pixels(i, at_least)).permute(2, 0, 1)
        return to_tensor(_shrunk(self.images.open(i, self.side), self.side))


@dataclass(frozen=True)
class EvaluationView:
    """Images as the network sees them in evaluation, before `normalise`."""

    images: Images
    preprocess: Preprocess

    @cached_property
    def _show(self) -> Callable[[Image], Tensor]:
        return evaluation(self.preprocess)

    def pixels(self, i: int, at_least: AtLeast | None = None) -> Tensor:  # noqa: ARG002 (the same pixels every time)
        """Image `i`, decoded in full, resized and cut out."""
        return self._show(self.images.open(i))


@dataclass(frozen=True, eq=False, kw_only=True)
class Readable:
    """The images of a view that can be read, counted anew from 0.

    Attributes:
        view: how they are looked at.
        kept: index of each one in the view's images.
        places: where each one's pixels are in `storage` (first byte, height, width); None: it is decoded whenever it is needed.
        storage: uint8, one block of memory for all, so that worker processes share it.
        skipped: name of each unreadable image and why.
    """

    view: View
    kept: Sequence[int]
    places: Sequence[tuple[int, int, int] | None]
    storage: Tensor
    skipped: Sequence[tuple[str, str]]

    @cached_property
    def labels(self) -> list[int]:
        """Index of each image's class."""
        return [self.view.images.labels[i] for i in self.kept]

    @cached_property
    def names(self) -> list[str]:
        """What each image is called in messages."""
        return [self.view.images.names[i] for i in self.kept]

    @property
    def cached(self) -> int:
        """How many images' pixels are in memory."""
        return sum(place is not None for place in self.places)

    def __len__(self) -> int:
        return len(self.kept)

    def pixels(self, i: int, at_least: AtLeast | None = None) -> Tensor:
        """Image `i`: uint8, `[3, height, width]`; to be read only, it may be the memory that keeps it.

        Args:
            i: which one.
            at_least: as in `decode`; heeded where the view shows its images in full size and this one is not in memory.

        Raises:
            ImageError: a file that could be read before cannot any more.
        """
        place = self.places[i]
        if place is None:
            return self.view.pixels(self.kept[i], at_least)
        start, height, width = place
        return self.storage[start : start + 3 * height * width].view(height, width, 3).permute(2, 0, 1)


def prepare(
    images: Images,
    *,
    cache_side: int | None,
    max_unreadable: float = MAX_UNREADABLE,
    budget_bytes: int | None = None,
    progress: Progress | None = None,
) -> Readable:
    """Look at every training image once.

    Args:
        images: to learn from.
        cache_side: images are made smaller until their shorter side has this many pixels, those that are smaller stay as they
            are; None leaves all as they are and keeps none in memory.
        max_unreadable: largest share of images that may be skipped.
        budget_bytes: memory for pixels; a quarter of what is free if not given. Images beyond it are decoded whenever they are
            needed, with the same result.
        progress: told how far it is.

    Raises:
        DataError: more unreadable images than allowed, or a class without a readable one.
    """
    readable = _look(TrainingView(images, cache_side), max_unreadable, 0 if cache_side is None else budget_bytes, progress)
    if lost := set(images.labels) - set(readable.labels):
        label = dict(zip(images.names, images.labels, strict=True))
        spoilt = [fault for fault in readable.skipped if label[fault[0]] in lost]
        raise DataError(f"None of the images of a class can be read: {_listed(spoilt)}. Replace them, or remove the class.")
    return readable


def prepare_evaluation(
    images: Images,
    preprocess: Preprocess,
    *,
    max_unreadable: float = MAX_UNREADABLE,
    budget_bytes: int | None = None,
    progress: Progress | None = None,
) -> Readable:
    """Look at every image once as the network will see it in evaluation; afterwards each pass costs no decoding.

    Args:
        images: to judge by.
        preprocess: of the network.
        max_unreadable: as for `prepare`.
        budget_bytes: as for `prepare`.
        progress: told how far it is.

    Raises:
        DataError: more unreadable images than allowed.
    """
    return _look(EvaluationView(images, preprocess), max_unreadable, budget_bytes, progress)


def unscanned(view: View) -> Readable:
    """All images of a view, none looked at yet and none in memory."""
    n = len(view.images)
    return Readable(view=view, kept=range(n), places=[None] * n, storage=torch.empty(0, dtype=torch.uint8), skipped=())


def _look(view: View, max_unreadable: float, budget_bytes: int | None, progress: Progress | None) -> Readable:
    budget = free_memory() // 4 if budget_bytes is None else budget_bytes
    n = len(view.images)
    storage = bytearray()  # grows in place, where a list of arrays would have to be copied at the end
    kept: list[int] = []
    places: list[tuple[int, int, int] | None] = []
    skipped: list[tuple[str, str]] = []

    def look(i: int) -> Tensor | ImageError | None:
        try:
            pixels = view.pixels(i)
        except ImageError as error:
            return error
        return pixels if budget else None

    with ThreadPoolExecutor(max_workers=decoding_threads()) as pool:
        for start in range(0, n, CHUNK):
            chunk = range(start, min(start + CHUNK, n))
            for i, seen in zip(chunk, pool.map(look, chunk), strict=True):
                if isinstance(seen, ImageError):
                    skipped.append((view.images.names[i], seen.reason))
                else:
                    kept.append(i)
                    places.append(_keep(seen, storage, budget))
                if progress is not None:
                    progress(i + 1, n)
    if not kept or len(skipped) > max_unreadable * n:
        share = f"{len(skipped)} of {n} images ({len(skipped) / n:.1%})" if kept else f"None of the {n} images"
        allowed = f"more than the {max_unreadable:.0%} that may be skipped" if kept else "there is nothing to go on with"
        verb = "cannot" if kept else "can"
        raise DataError(f"{share} {verb} be read, {allowed}: {_listed(skipped)}. Replace or remove them.")
    block = torch.frombuffer(storage, dtype=torch.uint8) if storage else torch.empty(0, dtype=torch.uint8)
    return Readable(view=view, kept=kept, places=places, storage=block, skipped=skipped)


def _keep(pixels: Tensor | None, storage: bytearray, budget: int) -> tuple[int, int, int] | None:
    """Append an image's pixels if they are bytes and still fit; says where they are."""
    if pixels is None or pixels.dtype != torch.uint8 or len(storage) + pixels.numel() > budget:
        return None
    _, height, width = pixels.shape
    start = len(storage)
    storage += pixels.permute(1, 2, 0).contiguous().numpy().data
    return start, height, width


def _shrunk(image: Image, side: int | None) -> Image:
    short = min(image.size)
    if side is None or short <= side:
        return image
    width, height = (max(side, round(length * side / short)) for length in image.size)
    return image.resize((width, height), Resampling.BILINEAR)


def decoding_threads() -> int:
    """Cores that this process may use; decoding leaves Python's lock."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 16)


def free_memory() -> int:
    """Bytes that can be taken without harm, as far as the system says: of the machine, and of this process's container."""
    free = 4 * 2**30  # where the system says nothing
    machine = Path("/proc/meminfo")
    if machine.exists():
        free = next(int(line.split()[1]) * 1024 for line in machine.read_text().splitlines() if line.startswith("MemAvailable"))
    container = Path("/sys/fs/cgroup")
    if (container / "memory.max").exists():
        limit = (container / "memory.max").read_text().strip()
        if limit != "max":
            free = min(free, int(limit) - int((container / "memory.current").read_text()))
    return max(free, 0)


def _listed(faults: Sequence[tuple[str, str]], most: int = 3) -> str:
    shown = "; ".join(f"{name} ({reason})" for name, reason in faults[:most])
    return f"{shown} and {len(faults) - most} more" if len(faults) > most else shown
