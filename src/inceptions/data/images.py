"""Labelled images that can be opened one by one, and the two sets that a training run needs."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from inceptions.data.decode import AtLeast, ImageError, decode, decode_pixels, printable
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

    def pixels(self, i: int, at_least: AtLeast | None = None) -> NDArray[np.uint8]:
        """The pixels of image `i`: uint8, `[height, width, 3]`; `at_least` as in `decode`.

        Raises:
            ImageError: it cannot be decoded.
        """
        ...


class Encoded(Images, Protocol):
    """Labelled images as the bytes they were encoded in: a folder's, a table's, a shard's."""

    @property
    def keys(self) -> Sequence[str]:
        """What each image is called in an ignore list; its name, or what comes nearest to it in bytes."""
        ...

    def size(self, i: int) -> int:
        """Bytes of image `i`.

        Raises:
            OSError: it is not there any more.
        """
        ...

    def read(self, i: int, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of image `i`: `length` of them from `start` on, or as many as there are.

        Raises:
            OSError: it cannot be read.
        """
        ...

    def subset(self, chosen: Sequence[int]) -> Self:
        """Some of the images, in the order given."""
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

    @property
    def keys(self) -> tuple[str, ...]:
        """The paths below `root`, as the file system spells them."""
        return self.files

    def __len__(self) -> int:
        return len(self.files)

    def size(self, i: int) -> int:
        """Bytes of image `i`."""
        return (self.root / self.files[i]).stat().st_size

    def read(self, i: int, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of image `i`."""
        with (self.root / self.files[i]).open("rb") as file:
            file.seek(start)
            return file.read(-1 if length is None else length)

    def open(self, i: int, at_least: int | None = None) -> Image:
        """The decoded image `i`.

        Raises:
            ImageError: it cannot be decoded, or is not there any more.
        """
        return decode(self.root / self.files[i], at_least=at_least)

    def pixels(self, i: int, at_least: AtLeast | None = None) -> NDArray[np.uint8]:
        """The pixels of image `i`.

        Raises:
            ImageError: it cannot be decoded, or is not there any more.
        """
        return decode_pixels(self.root / self.files[i], at_least=at_least)

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
        where: the folder they are in; None for images that lie in no files of their own.
        address: what `open_data` opens them by; the folder, or the name, if None.
        given: whether the validation images were held out by whoever made the data, not here.
        leaked: names of validation images that are training images too, byte by byte, each with the training image's name.
        copied: sentences for the user about images that are there several times.
        remarks: other sentences about both sets together.
        ignore: the list of images that were left out.
    """

    name: str
    classes: tuple[str, ...]
    train: Images
    validation: Images
    where: Path | None = None
    address: str | None = None
    given: bool = False
    leaked: tuple[tuple[str, str], ...] = ()
    copied: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    ignore: Path | None = None

    @property
    def reopened_by(self) -> str:
        """What `open_data` opens these images by, from any folder."""
        return self.address or (str(self.where.resolve()) if self.where else self.name)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the data: sentences to print, each once."""
        return tuple(dict.fromkeys((*self.train.notes, *self.validation.notes, *self.remarks, *self.copied)))


def decoded(images: Encoded, i: int, at_least: int | None = None) -> Image:
    """The image `i` of a set that keeps its images in other files, decoded.

    Raises:
        ImageError: it cannot be decoded, or not be read any more.
    """
    with _named(images, i):
        return decode(images.read(i), at_least=at_least)


def decoded_pixels(images: Encoded, i: int, at_least: AtLeast | None = None) -> NDArray[np.uint8]:
    """The pixels of image `i` of such a set.

    Raises:
        ImageError: as `decoded`.
    """
    with _named(images, i):
        return decode_pixels(images.read(i), at_least=at_least)


@contextmanager
def _named(images: Encoded, i: int) -> Iterator[None]:
    """Errors of image `i` with its name."""
    name = images.names[i]
    try:
        yield
    except ImageError as error:
        raise ImageError(name, error.reason) from error
    except OSError as error:
        raise ImageError(name, f"{error.filename} cannot be read any more ({error.strerror})") from error


def split(
    names: Sequence[str],
    labels: Sequence[int],
    classes: Sequence[str],
    *,
    seed: int,
    share: float,
    together: Sequence[Collection[int]] = (),
) -> tuple[list[int], list[int]]:
    """Divide images into those to learn from and those held out, class by class.

    Every class keeps its share of held-out images, to the nearest image, and at least one on either side. Which ones are held
    out follows from the seed and the images' own names by a hash: not from their order, nor from any library's random
    numbers, and an image that is added later moves almost no other to the other side. Copies of a picture stay on one side,
    whatever their classes; for their sake a share may be missed.

    Args:
        names: of the images, each different.
        labels: index of each image's class.
        classes: name of each class, for messages.
        seed: another seed, another split.
        share: of each class that is held out, between 0 and 1 (both excluded).
        together: groups of copies; no image is in two of them.

    Returns:
        Indices of the images to learn from and of those held out, both in the order of `names`.

    Raises:
        UsageError: a share out of range.
        DataError: a class with a single image, or with nothing but copies of one.
    """
    if not 0 < share < 1:
        raise UsageError(f"The share of images held out for validation must lie between 0 and 1, not {share}.")
    members: dict[int, list[int]] = defaultdict(list)
    for i, label in enumerate(labels):
        members[label].append(i)
    quota: dict[int, int] = {}
    for label, indices in members.items():
        if len(indices) < 2:
            raise DataError(
                f"The class {classes[label]!r} has a single image ({names[indices[0]]}): a class needs at least two, "
                "one to learn from and one to be judged on."
            )
        quota[label] = min(max(round(share * len(indices)), 1), len(indices) - 1)
    copied = {i for group in together for i in group}
    units = [*together, *([i] for i in range(len(labels)) if i not in copied)]
    units.sort(key=lambda unit: min(_lot(seed, names[i]) for i in unit))
    held: set[int] = set()
    count: Counter[int] = Counter()
    for unit in units:
        wanted = Counter(labels[i] for i in unit)
        if all(count[label] + more <= quota[label] for label, more in wanted.items()):
            held.update(unit)
            count += wanted
    for label in sorted(members):
        if count[label] == 0:  # all its units are larger than its quota: take the smallest that leaves something to learn from
            unit = _smallest(label, units, labels, count, members, classes)
            held.update(unit)
            count += Counter(labels[i] for i in unit)
    everyone = range(len(labels))
    return [i for i in everyone if i not in held], [i for i in everyone if i in held]


def _smallest(
    label: int,
    units: Sequence[Collection[int]],
    labels: Sequence[int],
    count: Counter[int],
    members: Mapping[int, Sequence[int]],
    classes: Sequence[str],
) -> Collection[int]:
    """The smallest group with images of a class that can be held out so that every class keeps one to learn from."""
    fitting = []
    for unit in units:
        wanted = Counter(labels[i] for i in unit)
        if wanted[label] and all(count[one] + more < len(members[one]) for one, more in wanted.items()):
            fitting.append(unit)
    if not fitting:
        raise DataError(
            f"The {len(members[label])} images of the class {classes[label]!r} are copies of too few pictures to learn from "
            "some and be judged on others: add other images, or take the copies out."
        )
    return min(fitting, key=len)


def _lot(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()
