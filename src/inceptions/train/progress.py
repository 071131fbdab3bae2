"""Saying what goes on: bars on a terminal, plain lines in a log, nothing at all. Always on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

# Seconds between two lines of progress where there is no bar to move.
PATIENCE = 30.0


class Reporter(Protocol):
    """Where progress goes. It may be used as a context, which closes it."""

    def say(self, line: str) -> None:
        """Tell something once."""

    def warn(self, line: str) -> None:
        """Tell something that must be heard even where nothing else is said."""

    def show(self, activity: str, done: int, total: int, detail: str = "") -> None:
        """Tell how far something is; called often.

        Args:
            activity: what is going on, "epoch 3/64".
            done: how much of it is done.
            total: how much there is.
            detail: figures, "loss 0.61  accuracy 0.70  412 images/s  12:03 left".
        """

    def close(self) -> None:
        """Nothing more is to come for now; a bar disappears."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """`close`."""


class Silent:
    """Says nothing."""

    def say(self, line: str) -> None:
        """Say nothing."""

    def warn(self, line: str) -> None:
        """Say it, if anything is said."""
        self.say(line)

    def show(self, activity: str, done: int, total: int, detail: str = "") -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Quiet(Silent):
    """Says only what must be heard."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def warn(self, line: str) -> None:
        """Write a line."""
        print(line, file=self._stream, flush=True)


class Lines(Silent):
    """Plain lines, for logs: what is said, and progress every half minute."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._activity = ""
        self._shown = 0.0

    def say(self, line: str) -> None:
        """Write a line."""
        print(line, file=self._stream, flush=True)

    def show(self, activity: str, done: int, total: int, detail: str = "") -> None:
        """Write a line if nothing was shown for a while; what is over sooner needs none."""
        now = time.monotonic()
        if activity != self._activity:
            self._activity, self._shown = activity, now
        elif now - self._shown >= PATIENCE:
            self._shown = now
            self.say(f"{activity}: {done}/{total}  {detail}".rstrip())


class Bars(Silent):
    """One moving bar, with what is said above it."""

    def __init__(self, stream: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"),
            console=Console(file=stream),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, detail="", visible=False)

    def say(self, line: str) -> None:
        """Print a line above the bar, as it is: names of files may look like markup."""
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, activity: str, done: int, total: int, detail: str = "") -> None:
        """Move the bar."""
        self._progress.update(self._task, description=activity, completed=done, total=total, detail=detail, visible=True)
        self._progress.start()

    def close(self) -> None:
        """Take the bar away; the next `show` brings it back."""
        self._progress.stop()


def reporter(*, quiet: bool = False, stream: TextIO | None = None) -> Reporter:
    """The reporter for a stream (standard error if None): bars if it is a terminal, lines if not, warnings alone if `quiet`."""
    stream = stream or sys.stderr
    if quiet:
        return Quiet(stream)
    return Bars(stream) if stream.isatty() else Lines(stream)


def clock(seconds: float) -> str:
    """A duration as people read it: "0:07", "12:03", "1:02:03"."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
