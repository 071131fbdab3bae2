"""Labelled images that can be opened one by one, and the two sets that a training run needs."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

from PIL.Image import Image

from inceptions.data.decode import decode, printable
from inceptions.errors import DataError, UsageError


class Images(Protocol):
    """Labelled images: a folder's, or those that come with a library."""

    @property
    def labels(self) -> Sequence[int]:
        """Index of each image's class."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """What each image is called in messages and reports."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What the user should know about the set: sentences to print."""
        ...

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def open(self, i: int, at_least: int | None = None) -> Image:
        """The decoded image `i` in mode RGB; `at_least` as in `decode`.

        Raises:
            ImageError: it cannot be decoded.
        """
        ...


@dataclass(frozen=True)
class Files:
    """Images in files.

    Attributes:
        root: the folder that was given.
        files: each image's path below `root`, with "/" between its parts, as the file system spells it.
        labels: index of each image's class.
        notes: sentences for the user.
    """

    root: Path
    files: tuple[str, ...]
    labels: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The paths below `root`, safe to print."""
        return tuple(printable(file) for file in self.files)

    def __len__(self) -> int:
        return len(self.files)

    def open(self, i: int, at_least: int | None = None) -> Image:
        """The decoded image `i`.

        Raises:
            ImageError: it cannot be decoded, or is not there any more.
        """
        return decode(self.root / self.files[i], at_least=at_least)

    def subset(self, chosen: Sequence[int]) -> Self:
        """Some of the images, in the order given."""
        return type(self)(self.root, tuple(self.files[i] for i in chosen), tuple(self.labels[i] for i in chosen), self.notes)


@dataclass(frozen=True, kw_only=True)
class Splits:
    """What a training run learns from and what it is judged on.

    Attributes:
        name: of the data, for people.
        classes: name of each class; a label is an index into them.
        train: images to learn from.
        validation: images held out.
        where: the folder they are in; None for images that come with a library.
    """

    name: str
    classes: tuple[str, ...]
    train: Images
    validation: Images
    where: Path | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the data: sentences to print, each once."""
        return tuple(dict.fromkeys((*self.train.notes, *self.validation.notes)))


def split(
    names: Sequence[str], labels: Sequence[int], classes: Sequence[str], *, seed: int, share: float
) -> tuple[list[int], list[int]]:
    """Divide images into those to learn from and those held out, class by class.

    Every class keeps its share of held-out images, to the nearest image, and at least one on either side. Which ones are held
    out follows from the seed and the images' own names by a hash: not from their order, nor from any library's random
    numbers, and an image that is added later moves almost no other to the other side.

    Args:
        names: of the images, each different.
        labels: index of each image's class.
        classes: name of each class, for messages.
        seed: another seed, another split.
        share: of each class that is held out, between 0 and 1 (both excluded).

    Returns:
        Indices of the images to learn from and of those held out, both in the order of `names`.

    Raises:
        UsageError: a share out of range.
        DataError: a class with a single image.
    """
    if not 0 < share < 1:
        raise UsageError(f"The share of images held out for validation must lie between 0 and 1, not {share}.")
    members: dict[int, list[int]] = defaultdict(list)
    for i, label in enumerate(labels):
        members[label].append(i)
    held: set[int] = set()
    for label, indices in members.items():
        if len(indices) < 2:
            raise DataError(
                f"The class {classes[label]!r} has a single image ({names[indices[0]]}): a class needs at least two, "
                "one to learn from and one to be judged on."
            )
        count = min(max(round(share * len(indices)), 1), len(indices) - 1)
        held.update(sorted(indices, key=lambda i: _lot(seed, names[i]))[:count])
    everyone = range(len(labels))
    return [i for i in everyone if i not in held], [i for i in everyone if i in held]


def _lot(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()
