"""Several processes as one: who writes, what all agree on, and what is said when one of them is gone.

`torchrun` and `accelerate launch` start the processes, Accelerate connects them, and torch adds up their gradients. Each takes
its share of every batch. Only the first writes; what the others must know of it goes through here.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import Tensor, nn

from inceptions.data.shares import Member
from inceptions.errors import DataError, InceptionsError, MachineError

T = TypeVar("T")

# What gloo and NCCL say when the other end is gone; they have no class of errors for it.
BROKEN = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo", "NCCL", "ProcessGroup")
PATIENCE = 3.0
"""Seconds that a process which closed its connections may take to end."""
TOLD = "the first process tells it"
RESUME = "training cannot go on without it", "The last checkpoint is whole: start all processes again with --resume."


class Team:
    """The processes of a run; mostly there is one.

    Args:
        accelerator: connected to the others already.
        without: what cannot be done without one of them, and what to do then.

    Attributes:
        member: which of how many this process is.
    """

    def __init__(self, accelerator: Accelerator, *, without: tuple[str, str] = RESUME) -> None:
        self._without = without
        self.member = Member(accelerator.process_index, accelerator.num_processes)
        self._members: list[tuple[str, int]] = []
        # Words and counts go from CPU to CPU, whatever the gradients take: nobody has to wait for a GPU.
        self._group: Any = dist.new_group(backend="gloo") if self.size > 1 else None
        self._members = self._everyones((socket.gethostname(), os.getpid()))

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        return self.member.rank

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self.member.size

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def lead(self, work: Callable[[], T]) -> T:
        """Let the first process do something; all get its result, or its error.

        Raises:
            InceptionsError: what `work` raised, in every process.
            MachineError: a process is gone.
        """
        if self.size == 1:
            return work()
        box: list[Any] = [None, None]
        if self.leads:
            try:
                box[0] = work()
            except InceptionsError as error:
                box[1] = error
        with self.guarded():
            dist.broadcast_object_list(box, src=0, group=self._group)
        if box[1] is not None:
            raise self.common(box[1])
        result: T = box[0]
        return result

    def common(self, error: InceptionsError) -> InceptionsError:
        """Mark an error that every process raises, so that only the first one's is shown (`told`)."""
        return error if self.leads else not_mine(error)

    def agree(self, requested: str | None, due: bool = False) -> tuple[str | None, bool]:
        """The signal that any process got, if one did, and whether anything is due for any; all get the same answer."""
        if self.size == 1:
            return requested, due
        numbers = torch.tensor([0 if requested is None else int(signal.Signals[requested]), due])
        with self.guarded():
            dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self._group)
        number, due = numbers.tolist()
        return signal.Signals(number).name if number else None, bool(due)

    def sum(self, values: Sequence[float]) -> list[float]:
        """The sums of numbers over all processes."""
        if self.size == 1:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64)
        with self.guarded():
            dist.all_reduce(summed, group=self._group)
        return [float(value) for value in summed.tolist()]

    def gathered(self, work: Callable[[], T]) -> list[T]:
        """Let every process do something; all get the results of all, by rank, or the error of the first that failed.

        Raises:
            InceptionsError: what `work` raised in one of them, in every process.
            MachineError: a process is gone.
        """
        mine: tuple[T | None, InceptionsError | None]
        try:
            mine = work(), None
        except InceptionsError as error:
            mine = None, error
        found = self._everyones(mine)
        failed = next((error for _, error in found if error is not None), None)
        if failed is not None:
            raise self.common(failed)
        return [cast(T, result) for result, _ in found]

    def gather(self, rows: Tensor, n: int) -> Tensor:
        """All of `n` rows, in order, of which this process has numbers `rank`, `rank + size`, …

        Args:
            rows: `[its rows, …]`, on the CPU.
            n: how many there are in all processes together.
        """
        if self.size == 1:
            return rows
        longest = -(-n // self.size)
        mine = torch.zeros(longest, *rows.shape[1:], dtype=rows.dtype)
        mine[: len(rows)] = rows
        everyones = [torch.empty_like(mine) for _ in range(self.size)]
        with self.guarded():
            dist.all_gather(everyones, mine, group=self._group)
        # Row i is number i // size of process i % size, so what fills up the shorter ones comes behind the last row.
        return torch.stack(everyones, dim=1).flatten(0, 1)[:n]

    def settle(self, network: nn.Module) -> None:
        """Give every process the first one's buffers: between two steps each has batch norm's statistics of its own images."""
        if self.size > 1:
            with self.guarded():
                for buffer in network.buffers():
                    dist.broadcast(buffer, src=0)

    def compare(self, fingerprint: str) -> None:
        """Make sure that all processes found the same images.

        Raises:
            DataError: they did not.
        """
        found = self._everyones(fingerprint)
        if other := [rank for rank, print_ in enumerate(found) if print_ != found[0]]:
            raise self.common(
                DataError(
                    f"Process {other[0]} of {self.size} (counted from 0) found other images than process 0: all need the same "
                    "files."
                )
            )

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Say which process is gone, where torch says that a connection broke.

        Raises:
            MachineError: instead of torch's error.
        """
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or not (isinstance(error, dist.DistError) or any(word in str(error) for word in BROKEN)):
                raise
            raise MachineError(
                f"{self._missing()} ended, and {self._without[0]}; its own message says why, if it had time for one. "
                f"{self._without[1]}"
            ) from error

    def close(self) -> None:
        """Part from the others. Without it torch complains at the end of the program."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def _everyones(self, value: T) -> list[T]:
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        with self.guarded():
            dist.all_gather_object(found, value, group=self._group)
        return found

    def _missing(self) -> str:
        """Who of the processes on this machine is no more, in words."""
        own = socket.gethostname()
        until = time.monotonic() + PATIENCE
        while True:
            gone = [rank for rank, (host, pid) in enumerate(self._members) if host == own and _is_gone(pid)]
            if gone or time.monotonic() > until:
                break
            time.sleep(0.05)
        if not gone:
            return f"One of the other {self.size} processes"
        names = " and ".join(f"{rank}" for rank in gone)
        return f"Process {names} (rank {names} of {self.size}, counted from 0)"


def launched() -> Member:
    """Which of several processes a launcher started this one as, before they are connected."""
    return Member(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def not_mine(error: InceptionsError) -> InceptionsError:
    """Mark an error as one that the first process tells."""
    error.add_note(TOLD)
    return error


def told(error: InceptionsError) -> bool:
    """Whether another process tells this error to the user."""
    return TOLD in getattr(error, "__notes__", ())


def _is_gone(pid: int) -> bool:
    """Whether a process has ended, its parent's knowledge of it apart."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (OSError, IndexError):
        return False
