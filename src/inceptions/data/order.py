"""Which image comes when, and with which seed: pure functions of the run's seed, so that a run can be resumed anywhere."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice, pairwise

from inceptions.errors import UsageError


@dataclass(frozen=True, slots=True)
class Presentation:
    """One showing of one image.

    Attributes:
        passage: how often all the images have been shown before; the epoch, unless epochs have a number of steps of their own.
        index: of the image.
    """

    passage: int
    index: int


def order(seed: int, epoch: int, n: int) -> list[int]:
    """The order in which `n` images are shown in an epoch: every image once."""
    indices = list(range(n))
    random.Random(_number(seed, "order", epoch)).shuffle(indices)
    return indices


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """The seed of everything random that is done to an image in an epoch, from 0 to 2**63 - 1."""
    return _number(seed, epoch, index)


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


def plan(n: int, *, batch_size: int, seed: int, epoch: int, steps: int | None = None) -> list[tuple[Presentation, ...]]:
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

    Raises:
        UsageError: as `count_batches`.
    """
    batches = count_batches(n, batch_size, steps)
    if steps is not None:
        first = epoch * steps * batch_size
        stream = list(islice(_stream(n, seed, first), steps * batch_size))
    else:
        stream = [Presentation(epoch, i) for i in order(seed, epoch, n)]
    edges = [*range(0, batches * batch_size, batch_size), len(stream)]
    return [tuple(stream[start:end]) for start, end in pairwise(edges)]


def _stream(n: int, seed: int, first: int) -> Iterator[Presentation]:
    passage, skipped = divmod(first, n)
    for following in count(passage):
        yield from (Presentation(following, i) for i in order(seed, following, n)[skipped:])
        skipped = 0


def _number(*words: int | str) -> int:
    digest = hashlib.blake2b("/".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
