"""Which image comes when, and with which seed: pure functions of the run's seed, so that a run can be resumed anywhere."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count, islice, pairwise
from typing import Literal, TypeVar, get_args

from inceptions.errors import UsageError

T = TypeVar("T")
Kind = Literal["images", "within_shards", "shards"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffle:
    """In which order the images of an epoch come.

    Large sets lie in shards, files of some thousand images each, written once in a random order and read from start to end.
    Shuffling the shards alone lets the same images meet in a batch in every epoch; shuffling within them too "prevents the same
    examples from always appearing in a mini-batch together" and gained Ioffe & Szegedy (2015, section 4.2.1) about 1 %.

    Attributes:
        kind: "images" shuffles all images; "within_shards" shuffles the shards and the images of each; "shards" shuffles the
            shards, and in each the images come as they lie.
        shard: images in a shard; the last one may have fewer.

    Raises:
        UsageError: a value out of its range.
    """

    kind: Kind = "images"
    shard: int = 1250

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.kind not in get_args(Kind):
            raise UsageError(f"shuffle.kind must be one of {', '.join(get_args(Kind))}, not {self.kind!r}.")
        if self.shard < 1:
            raise UsageError(f"shuffle.shard must be at least 1, not {self.shard}.")


SHUFFLE = Shuffle()


@dataclass(frozen=True, slots=True)
class Presentation:
    """One showing of one image.

    Attributes:
        passage: how often all the images have been shown before; the epoch, unless epochs have a number of steps of their own.
        index: of the image.
    """

    passage: int
    index: int


def order(seed: int, epoch: int, n: int, shuffle: Shuffle = SHUFFLE) -> list[int]:
    """The order in which `n` images are shown in an epoch: every image once."""
    if shuffle.kind == "images":
        return _shuffled(list(range(n)), seed, "order", epoch)
    lying = _shuffled(list(range(n)), seed, "shards")
    shards = [lying[start : start + shuffle.shard] for start in range(0, n, shuffle.shard)]
    if shuffle.kind == "within_shards":
        shards = [_shuffled(shard, seed, "shard", epoch, number) for number, shard in enumerate(shards)]
    shards = _shuffled(shards, seed, "order", epoch)
    return list(chain.from_iterable(shards))


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """The seed of everything random that is done to an image in an epoch, from 0 to 2**63 - 1."""
    return number(seed, epoch, index)


def batch_seed(seed: int, epoch: int, batch: int) -> int:
    """The seed of everything random that is done to a batch as a whole, from 0 to 2**63 - 1."""
    return number(seed, "batch", epoch, batch)


def count_batches(n: int, batch_size: int, steps: int | None = None) -> int:
    """How many batches an epoch of `n` images has; `steps` if that is given.

    Raises:
        UsageError: batches of fewer than two, which batch normalisation cannot learn from, or no steps.
    """
    if batch_size < 2:
        raise UsageError(f"batch_size must be at least 2, not {batch_size}: statistics over a batch need more than one image.")
    if steps is not None:
        if steps < 1:
            raise UsageError(f"steps_per_epoch must be at least 1, not {steps}.")
        return steps
    whole, rest = divmod(n, batch_size)
    return max(1, whole + (rest > 1))


def plan(
    n: int, *, batch_size: int, seed: int, epoch: int, steps: int | None = None, shuffle: Shuffle = SHUFFLE
) -> list[tuple[Presentation, ...]]:
    """The batches of an epoch.

    Without `steps`, every image is shown once. The last batch may be smaller than the others, but not a single image: that one
    joins the batch before. With `steps`, an epoch is that many whole batches of the endless stream of all the images in one
    order after the other, as a Keras generator gives them, and the next epoch goes on where it ended.

    Args:
        n: number of images.
        batch_size: images in a batch, at least 2.
        seed: of the run.
        epoch: counted from 0.
        steps: batches in an epoch.
        shuffle: how the order is made.

    Raises:
        UsageError: as `count_batches`.
    """
    batches = count_batches(n, batch_size, steps)
    if steps is not None:
        first = epoch * steps * batch_size
        stream = list(islice(_stream(n, seed, first, shuffle), steps * batch_size))
    else:
        stream = [Presentation(epoch, i) for i in order(seed, epoch, n, shuffle)]
    edges = [*range(0, batches * batch_size, batch_size), len(stream)]
    return [tuple(stream[start:end]) for start, end in pairwise(edges)]


def _stream(n: int, seed: int, first: int, shuffle: Shuffle) -> Iterator[Presentation]:
    passage, skipped = divmod(first, n)
    for following in count(passage):
        yield from (Presentation(following, i) for i in order(seed, following, n, shuffle)[skipped:])
        skipped = 0


def _shuffled(items: list[T], *words: int | str) -> list[T]:
    random.Random(number(*words)).shuffle(items)
    return items


def number(*words: int | str) -> int:
    """A number from 0 to 2**63 - 1 that follows from the words, and looks like any other."""
    digest = hashlib.blake2b("/".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
