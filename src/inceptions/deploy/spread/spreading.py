"""A question about many images: answered in pieces that are kept, then written as one file or to a stream."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO

from filelock import FileLock, Timeout

from inceptions.deploy.spread.cluster import on_ray
from inceptions.deploy.spread.parts import Piece, joined, keep, pieces
from inceptions.deploy.spread.question import Question
from inceptions.errors import UsageError
from inceptions.files import explained, replacing
from inceptions.predict.answers import Prediction
from inceptions.predict.output import WRITERS, Format, Seen
from inceptions.predict.sources import Source
from inceptions.weights.published.folder import home

On = Literal["here", "ray"]
ENDINGS: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".json": "json"}
DAYS = 30 * 86400
"""Seconds after which answers that nobody came back for are given up."""

Rows = Generator[tuple[str, list[dict[str, Any]]]]


class Progress(Protocol):
    """Where it is told how things go."""

    def say(self, line: str) -> None:
        """Tell something once."""

    def show(self, activity: str, done: int, total: int, detail: str = "") -> None:
        """Tell how far something is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was written.

    Attributes:
        output: the file.
        images: rows in it, an image each.
        not_read: those with an error instead of an answer.
        kept: images whose answers were there from an earlier run.
        seconds: that this run took.
    """

    output: str
    images: int
    not_read: int
    kept: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def text(self) -> str:
        """One line for people."""
        kept = f", {self.kept} of them kept from before" if self.kept else ""
        return f"{self.output}: {self.images} images{kept}, {self.not_read} not read; {self.seconds:.0f} s"


@contextmanager
def spread(
    question: Question,
    sources: Sequence[Source],
    folder: Path,
    *,
    on: On = "ray",
    workers: int | None = None,
    progress: Progress,
) -> Iterator[tuple[Iterator[Prediction], int]]:
    """Every answer, in the order of the sources, whatever computed it; and how many were there from before.

    What is answered is kept in a folder piece by piece, and nothing of that is computed again by the next run of the same
    question. The folder goes when the block that uses the answers ends well.

    Args:
        question: what is asked.
        sources: images and shards.
        folder: where the pieces are kept; nothing else may be in it.
        on: "here", in this process; or "ray", by workers.
        workers: of Ray, as many as there are cores for if None.
        progress: told how it goes.

    Raises:
        UsageError: somebody else is at it; or as `Question.open` and `Asked.rows`.
        MachineError: the folder cannot be written; or as `on_ray`.
        InceptionsError: as `Question.open` and `Asked.rows`.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(f"Another process is answering the same ({folder}): wait for it, or stop it.") from None
    try:
        every = pieces(question, sources)
        wanted = list({piece.name: piece for piece in every}.values())
        missing = [piece for piece in wanted if not (folder / piece.name).is_file()]
        kept = 0
        if len(missing) < len(wanted):
            kept = sum(1 for _ in joined(folder, [piece for piece in wanted if piece not in missing]))
            progress.say(f"{kept} images were answered before: {len(missing)} of {len(wanted)} pieces are left.")
        if missing:
            _answer(question, missing, folder, on, workers, progress)
        yield joined(folder, every), kept
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def write(
    question: Question,
    sources: Sequence[Source],
    output: Path,
    *,
    on: On = "ray",
    workers: int | None = None,
    progress: Progress,
) -> tuple[Report, Seen]:
    """Answer everything and write it as one file, which is there when it is complete.

    Args:
        question: what is asked.
        sources: images and shards.
        output: .csv, .jsonl or .json; the pieces are kept in a hidden folder beside it.
        on: as `spread`.
        workers: as `spread`.
        progress: as `spread`.

    Returns:
        What was written, and what happened to the sources.

    Raises:
        UsageError: another ending, or a folder; or as `spread`.
        InceptionsError: as `spread`.
    """
    if output.suffix not in ENDINGS or output.is_dir():
        raise UsageError(f"{output} says no form: name a file that ends in {', '.join(ENDINGS)}.")
    began = time.monotonic()
    seen = Seen(sources)
    folder = output.with_name(f".{output.name}.parts")
    # File names need not be text: they are written as a terminal shows them.
    with (
        spread(question, sources, folder, on=on, workers=workers, progress=progress) as (predictions, kept),
        replacing(output) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as out,
    ):
        WRITERS[ENDINGS[output.suffix]](seen.passing(predictions), out)
    images = seen.answered + seen.unread
    seconds = time.monotonic() - began
    return Report(output=str(output), images=images, not_read=seen.unread, kept=kept, seconds=seconds), seen


def show_all(
    question: Question,
    sources: Sequence[Source],
    out: TextIO,
    *,
    form: Format,
    on: On = "ray",
    workers: int | None = None,
    progress: Progress,
) -> Seen:
    """Answer everything and print it; the pieces are kept in the user's cache meanwhile.

    Raises:
        UsageError: as `spread`.
        InceptionsError: as `spread`.
    """
    root = home() / "predict"
    _give_up_old(root)
    asked = json.dumps([question.identity(), str(question.base), [str(source.path) for source in sources]])
    folder = root / hashlib.blake2b(asked.encode(), digest_size=16).hexdigest()
    seen = Seen(sources)
    with spread(question, sources, folder, on=on, workers=workers, progress=progress) as (predictions, _):
        WRITERS[form](seen.passing(predictions), out)
        out.flush()
    return seen


def _give_up_old(root: Path) -> None:
    """Remove what was begun long ago and never finished."""
    with suppress(OSError):
        for folder in root.iterdir():
            if time.time() - folder.stat().st_mtime > DAYS:
                shutil.rmtree(folder, ignore_errors=True)


def _answer(
    question: Question, missing: Sequence[Piece], folder: Path, on: On, workers: int | None, progress: Progress
) -> None:
    began = time.monotonic()
    activity = "predict"
    progress.show(activity, 0, len(missing))
    images = 0
    found = (
        on_ray(question, missing, workers=workers, say=progress.say) if on == "ray" else _here(question, missing, progress.say)
    )
    by_name = {piece.name: piece for piece in missing}
    # Closed where it is left early too, so that no process of Ray's outlives the answers.
    with closing(found):
        for done, (name, rows) in enumerate(found, start=1):
            keep(folder, by_name[name], rows)
            images += len(rows)
            rate = images / max(1e-9, time.monotonic() - began)
            progress.show(activity, done, len(missing), f"{images} images  {rate:.0f} images/s")


def _here(question: Question, missing: Sequence[Piece], say: Callable[[str], None]) -> Rows:
    asked = question.open(say=say)
    for piece in missing:
        yield piece.name, asked.rows(list(piece.sources))
