"""Files with the same content, whatever they are called."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress

from inceptions.data.images import Encoded

Image = tuple[Encoded, int]
"""An image's set, and its number there."""

PIECE = 4096


def exact_copies(images: Sequence[Image]) -> list[list[int]]:
    """Groups of images whose bytes are the same.

    Only files of equal length are looked into, and only those read as a whole that agree in a few kilobytes of their middle,
    where compressed pictures differ. Files that are empty or cannot be read belong to no group.

    Args:
        images: to compare.

    Returns:
        The groups of two or more, as rising indices into `images`, by their first members.
    """
    groups: Iterable[Sequence[int]] = [range(len(images))]
    for sign in (_size, _middle, _digest):
        groups = [finer for group in groups for finer in _told_apart(group, images, sign)]
    return sorted(map(list, groups))


def _told_apart(
    group: Sequence[int], images: Sequence[Image], sign: Callable[[Encoded, int], Hashable]
) -> Iterable[Sequence[int]]:
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for i in group:
        with suppress(OSError):  # whoever opens it will say why
            alike[sign(*images[i])].append(i)
    return [finer for value, finer in alike.items() if value and len(finer) > 1]


def _size(images: Encoded, i: int) -> int:
    return images.size(i)


def _middle(images: Encoded, i: int) -> bytes:
    return images.read(i, images.size(i) // 2, PIECE)


def _digest(images: Encoded, i: int) -> bytes:
    return hashlib.sha256(images.read(i)).digest()
