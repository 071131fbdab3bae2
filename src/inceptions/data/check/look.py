"""One look at every image, for what its header says and for finding its copies."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inceptions.data.check.groups import Groups
from inceptions.data.check.perceptual import FLAT, SIDE, greys, near_copies
from inceptions.data.decode import Facts, ImageError, decode, facts
from inceptions.data.images import Encoded

Part = Literal["train", "validation"]

CHUNK = 256
SHORTER_SIDE = 128
"""JPEGs are decoded no larger than this needs: enough for 32 × 32 greys, and cut-off files are found all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An image that could be read.

    Attributes:
        part: which side it is on.
        name: what it is called, safe to print.
        key: what an ignore list calls it.
        label: index of its class.
        facts: what its header says.
        digest: sha256 of its bytes.
        greys: uint8, `[32, 32]`.
    """

    part: Part
    name: str
    key: str
    label: int
    facts: Facts
    digest: bytes
    greys: NDArray[np.uint8]

    @property
    def flat(self) -> bool:
        """Whether it has next to one colour only."""
        return bool(self.greys.std() < FLAT)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An image that could not be read.

    Attributes:
        part: which side it is on.
        name: what it is called, safe to print.
        key: what an ignore list calls it.
        reason: why.
    """

    part: Part
    name: str
    key: str
    reason: str


def look_at_all(
    images: Encoded, part: Part, *, threads: int, progress: Callable[[int], None]
) -> tuple[list[Seen], list[Unreadable]]:
    """Read and decode every image of a part.

    Args:
        images: of the part.
        part: which one it is.
        threads: how many at a time.
        progress: told how many are done.
    """
    seen: list[Seen] = []
    unreadable: list[Unreadable] = []
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for start in range(0, len(images), CHUNK):
            chunk = range(start, min(start + CHUNK, len(images)))
            for done, one in enumerate(pool.map(partial(look, images, part), chunk), start=start + 1):
                if isinstance(one, Seen):
                    seen.append(one)
                else:
                    unreadable.append(one)
                progress(done)
    return seen, unreadable


def look(images: Encoded, part: Part, i: int) -> Seen | Unreadable:
    """Read and decode one image."""
    name, key = images.names[i], images.keys[i]
    try:
        content = images.read(i)
        picture = greys(decode(content, at_least=SHORTER_SIDE))
        return Seen(
            part=part,
            name=name,
            key=key,
            label=images.labels[i],
            facts=facts(content),
            digest=hashlib.sha256(content).digest(),
            greys=picture,
        )
    except ImageError as error:
        return Unreadable(part, name, key, error.reason)
    except OSError as error:
        return Unreadable(part, name, key, (error.strerror or str(error)).lower())


def copies(seen: Sequence[Seen]) -> list[list[Seen]]:
    """Groups of images that show the same picture: files of equal content, and pictures that look the same."""
    groups = Groups()
    alike: dict[bytes, list[int]] = defaultdict(list)
    for i, one in enumerate(seen):
        alike[one.digest].append(i)
    for same in alike.values():
        groups.join_all((same[0], other) for other in same[1:])
    pictures = np.stack([one.greys for one in seen]) if seen else np.empty((0, SIDE, SIDE), np.uint8)
    for near in near_copies(pictures):
        groups.join_all((near[0], other) for other in near[1:])
    return [[seen[i] for i in group] for group in groups.of_two_or_more()]
