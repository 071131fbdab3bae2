"""Images to full batches of views: threads decode and cut ahead of the network, and no more waits in memory than it needs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from torch import Tensor

from inceptions.data import ImageError

Seen = list[Tensor] | ImageError
# Views of whole images have many sizes; when so many batches' worth of them wait for their like, the most frequent go first.
WAITING = 4


class Part(NamedTuple):
    """Neighbouring views of one image in a batch."""

    image: int
    views: int


@dataclass(frozen=True, slots=True)
class Views:
    """Views of equal size, of one image or several.

    Attributes:
        pieces: `[views, 3, height, width]` each, to be put one after the other.
        parts: whose views they are, piece by piece.
    """

    pieces: list[Tensor]
    parts: list[Part]


class Feed:
    """The views of images in batches, made ahead by threads.

    Args:
        chosen: images, by their numbers, in this order.
        look: what is shown of one; raises an `ImageError` if it cannot be read.
        views: how many views an image has.
        batch_size: views in a batch. Batches go across images; only the last one of a size may be smaller.
        workers: threads; 0 makes each image's views when they are asked for.

    Attributes:
        skipped: images that cannot be read, with the reason; complete when the last batch was made.
    """

    def __init__(
        self,
        chosen: Sequence[int],
        look: Callable[[int], list[Tensor]],
        *,
        views: int,
        batch_size: int,
        workers: int,
    ) -> None:
        self.skipped: list[tuple[int, str]] = []
        self._chosen = chosen
        self._shown = look
        self._batch_size = batch_size
        self._workers = workers
        self._ahead = 1 + workers + 2 * batch_size // views

    def __iter__(self) -> Iterator[Views]:
        waiting: dict[tuple[int, ...], deque[tuple[int, Tensor]]] = {}
        for image, seen in self._in_order():
            if isinstance(seen, ImageError):
                self.skipped.append((image, seen.reason))
                continue
            for piece in seen:
                same = waiting.setdefault(tuple(piece.shape[1:]), deque())
                same.append((image, piece))
                while _count(same) >= self._batch_size:
                    yield _taken(same, self._batch_size)
            if sum(map(_count, waiting.values())) > WAITING * self._batch_size:
                yield _taken(max(waiting.values(), key=_count), self._batch_size)
        for same in waiting.values():
            if same:
                yield _taken(same, self._batch_size)

    def _in_order(self) -> Iterator[tuple[int, Seen]]:
        if not self._workers:
            yield from ((image, self._look(image)) for image in self._chosen)
            return
        images = iter(self._chosen)
        pool = ThreadPoolExecutor(max_workers=self._workers)
        try:
            begun: deque[tuple[int, Future[Seen]]] = deque()
            begin: Callable[[int], None] = lambda image: begun.append((image, pool.submit(self._look, image)))  # noqa: E731
            for image in islice(images, self._ahead):
                begin(image)
            while begun:
                image, future = begun.popleft()
                seen = future.result()
                for following in islice(images, 1):
                    begin(following)
                yield image, seen
        finally:
            pool.shutdown(cancel_futures=True)

    def _look(self, image: int) -> Seen:
        try:
            return self._shown(image)
        except ImageError as error:
            return error


def _count(same: deque[tuple[int, Tensor]]) -> int:
    return sum(len(piece) for _, piece in same)


def _taken(same: deque[tuple[int, Tensor]], most: int) -> Views:
    """The first views of those that wait, at most so many."""
    batch = Views([], [])
    while same and most:
        image, piece = same.popleft()
        if len(piece) > most:
            same.appendleft((image, piece[most:]))
        batch.pieces.append(piece[:most])
        batch.parts.append(Part(image, min(len(piece), most)))
        most -= batch.parts[-1].views
    return batch
