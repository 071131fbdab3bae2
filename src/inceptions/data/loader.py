"""Batches for training and for evaluation, made ahead by worker processes; the same ones whatever their number.

A worker is given tasks and remembers nothing: which images, in which epoch, with which seeds, all follows from `order.plan`.
So a run that starts in the middle of an epoch makes the batches that an undisturbed run would have made.
"""

from __future__ import annotations

import atexit
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self, TypeGuard

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from inceptions.data.balance import balanced_plan
from inceptions.data.decode import AtLeast
from inceptions.data.images import Images
from inceptions.data.order import SHUFFLE, Presentation, Shuffle, count_batches, plan, sample_seed
from inceptions.data.scan import EvaluationView, Readable, unscanned
from inceptions.data.shares import ALONE, Member, share
from inceptions.data.transforms import Transform
from inceptions.errors import InceptionsError, MachineError
from inceptions.weights.preprocess import Preprocess

AHEAD = 4
"""Batches that each worker makes before they are asked for."""

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


class Source(Protocol):
    """Images that are ready to be cut or shown, such as `Readable`."""

    @property
    def labels(self) -> Sequence[int]:
        """Index of each image's class."""
        ...

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def pixels(self, i: int, at_least: AtLeast | None = None) -> Tensor:
        """Image `i`: uint8, `[3, height, width]`, RGB; `at_least` as in `decode`, where it is decoded now."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Images side by side.

    Attributes:
        images: uint8, `[batch, 3, height, width]`, RGB, the channels of a pixel side by side; `normalise` makes them the
            network's input.
        labels: int64, `[batch]`.
        indices: of the images in their source, to find their names.
    """

    images: Tensor
    labels: Tensor
    indices: list[int]


class Loader:
    """The training batches of a run, epoch by epoch. Close it, or use it in a `with` statement: that ends its workers.

    Args:
        source: the images.
        transforms: the transform of each epoch, so that the size may change on the way; called often, and in the workers.
        batch_size: images in a batch, at least 2 (how the last batch of an epoch differs: `order.plan`).
        seed: of the run; order and augmentation follow from it.
        workers: processes that make batches ahead; 0 makes each one when it is asked for.
        steps: batches in an epoch, if not as many as there are.
        shuffle: how the order is made.
        balanced: show every class as often as the others (`balance.balanced_plan`; `shuffle` then decides nothing).
        member: which of several processes this is; it makes its share of each batch.

    Raises:
        UsageError: a batch of fewer than two, or no steps.
    """

    def __init__(
        self,
        source: Source,
        transforms: Callable[[int], Transform],
        *,
        batch_size: int,
        seed: int,
        workers: int = 0,
        steps: int | None = None,
        shuffle: Shuffle = SHUFFLE,
        balanced: bool = False,
        member: Member = ALONE,
    ) -> None:
        self.steps = count_batches(len(source), batch_size, steps)
        """Batches in an epoch."""
        self._member = member
        self._plan = (
            partial(balanced_plan, source.labels, batch_size=batch_size, seed=seed, steps=steps)
            if balanced
            else partial(plan, len(source), batch_size=batch_size, seed=seed, steps=steps, shuffle=shuffle)
        )
        self._stream = _Stream(_Work(source, transforms, seed), workers)

    def plan(self, epoch: int) -> list[tuple[Presentation, ...]]:
        """The images of each batch of an epoch, those of all processes together."""
        return self._plan(epoch=epoch)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, or this process's share of them.

        Args:
            epoch: counted from 0.
            start: batches to leave out at the beginning, because they were seen before the run was interrupted.

        Raises:
            ImageError: a file that could be read before cannot any more.
            MachineError: a worker died.
        """
        tasks = (tuple(whole[i] for i in share(len(whole), self._member)) for whole in self.plan(epoch)[start:])
        return self._stream.run([_Task(epoch, presentations) for presentations in tasks])

    def close(self) -> None:
        """End the workers."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
        # Torch reports a worker's death from a signal handler: in the middle of a step as well as where batches are made.
        if _is_death(error):
            raise _death(error) from error


def evaluation_batches(
    images: Images | Readable, preprocess: Preprocess, *, batch_size: int, workers: int = 0, member: Member = ALONE
) -> Iterator[Batch]:
    """Every image once, in order, exactly as the network is to see it; the last batch may be smaller.

    Args:
        images: from `prepare_evaluation` with the same `preprocess` (decoded once, unreadable ones left out), or as they are
            (each decoded when its turn comes).
        preprocess: of the network.
        batch_size: images in a batch.
        workers: processes that make batches ahead.
        member: which of several processes this is; it gets every `size`-th image, from number `rank` on.

    Raises:
        ImageError: an image cannot be decoded.
        MachineError: a worker died.
    """
    source = images if isinstance(images, Readable) else unscanned(EvaluationView(images, preprocess))
    assert source.view == EvaluationView(source.view.images, preprocess), "prepared for another network"
    everyone = [Presentation(0, i) for i in range(member.rank, len(source), member.size)]
    tasks = [_Task(0, tuple(everyone[start : start + batch_size])) for start in range(0, len(everyone), batch_size)]
    stream = _Stream(_Work(source, _untouched, seed=0), workers)
    try:
        yield from stream.run(tasks)
    finally:
        stream.close()


@dataclass(frozen=True, slots=True)
class _Task:
    epoch: int
    presentations: tuple[Presentation, ...]


class _Work(Dataset[Batch | InceptionsError]):
    """What a worker does: a task in, a batch out. An error of ours comes back as a value, or its message would be lost."""

    def __init__(self, source: Source, transforms: Callable[[int], Transform], seed: int) -> None:
        self.source = source
        self.transforms = transforms
        self.seed = seed

    def __getitem__(self, task: _Task) -> Batch | InceptionsError:
        transform = self.transforms(task.epoch)
        try:
            images = transform.batch(self._opened(one, transform) for one in task.presentations)
        except InceptionsError as error:
            return error
        indices = [one.index for one in task.presentations]
        return Batch(images, torch.tensor([self.source.labels[i] for i in indices]), indices)

    def _opened(self, one: Presentation, transform: Transform) -> tuple[Tensor, int]:
        """The pixels of an image, as far as its transform needs them, and its seed."""
        seed = sample_seed(self.seed, one.passage, one.index)
        return self.source.pixels(one.index, partial(transform.at_least, seed=seed)), seed


class _Stream:
    """A torch `DataLoader` whose processes stay while its tasks change from epoch to epoch."""

    def __init__(self, work: _Work, workers: int) -> None:
        self._tasks: list[_Task] = []
        self._loader: DataLoader[Batch | InceptionsError] = DataLoader(
            work,
            batch_size=None,
            sampler=self._tasks,  # read anew at each start
            num_workers=workers,
            collate_fn=_same,
            multiprocessing_context=_context() if workers else None,
            worker_init_fn=_ignore_signals,
            prefetch_factor=AHEAD if workers else None,
            persistent_workers=workers > 0,
            generator=torch.Generator(),  # without one of its own it would draw from the global state
        )
        # The workers ignore the signal by which Python ends leftover processes, so they must be gone before it tries.
        self._end = partial(_end_workers, self._loader)
        if workers:
            atexit.register(self._end)

    def run(self, tasks: list[_Task]) -> Iterator[Batch]:
        self._tasks[:] = tasks
        with _deaths_explained(), _signals_held():
            results = iter(self._loader)
        for _ in tasks:
            with _deaths_explained():
                result = next(results)
            if isinstance(result, InceptionsError):
                raise result
            yield result

    def close(self) -> None:
        self._end()
        atexit.unregister(self._end)


def _context() -> multiprocessing.context.BaseContext:
    """Where it is safe workers are copies of this process: at once there, and the images in memory are shared."""
    return multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold interrupts back while processes start: they inherit it, until they can ignore interrupts themselves."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_signals(worker: int) -> None:  # noqa: ARG001 (torch's signature)
    """An interrupt goes to all processes at once, and it is the main one that decides what to finish."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)


def _end_workers(loader: DataLoader[Batch | InceptionsError]) -> None:
    running = loader._iterator
    if isinstance(running, _MultiProcessingDataLoaderIter):
        try:
            running._shutdown_workers()  # torch's only way that does not wait for the garbage collector
        except RuntimeError as error:
            if not _is_death(error):  # one that died on its own is no trouble any more
                raise
        for worker in running._workers:
            worker.kill()  # torch asks with the signal that they ignore
    loader._iterator = None


@contextmanager
def _deaths_explained() -> Iterator[None]:
    try:
        yield
    except (ConnectionError, EOFError) as error:  # it died while a batch was handed over
        raise _death(error) from error
    except RuntimeError as error:
        if not _is_death(error):
            raise
        raise _death(error) from error


def _is_death(error: BaseException | None) -> TypeGuard[RuntimeError]:
    return isinstance(error, RuntimeError) and "DataLoader worker" in str(error)


def _death(error: BaseException) -> MachineError:
    said = (str(error) or "the connection to it broke").splitlines()[0]
    return MachineError(
        f"A process that prepares images died ({said}). Most often the memory was used up: try again with fewer workers."
    )


def _untouched(epoch: int) -> Transform:  # noqa: ARG001 (evaluation is the same in every epoch)
    return _AsItIs()


class _AsItIs:
    """A `Transform` without chance."""

    def at_least(self, size: tuple[int, int], seed: int) -> None:
        """Every pixel counts."""

    def batch(self, images: Iterable[tuple[Tensor, int]]) -> Tensor:
        return torch.stack([pixels.permute(1, 2, 0) for pixels, _ in images]).permute(0, 3, 1, 2)


def _same(value: Any) -> Any:
    return value
