"""Images in pieces, and the answers for each piece in a file of its own, until all are there.

A part's name is the digest of the question and of the piece, so what is there is right: other weights, other options or changed
images look for other names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inceptions.deploy.spread.question import Question
from inceptions.errors import DataError
from inceptions.files import write_text
from inceptions.predict.answers import Prediction
from inceptions.predict.sources import Source

IMAGES = 256
"""Files in a piece: whole batches, enough of them that handing a piece over costs nothing, and few enough to do again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Files, or a single shard, and the name of the part with their answers."""

    name: str
    sources: tuple[Source, ...]


def pieces(question: Question, sources: Sequence[Source], images: int = IMAGES) -> list[Piece]:
    """The sources in order, divided."""
    asked = question.identity()
    found: list[Piece] = []
    files: list[Source] = []

    def close(*more: Source) -> None:
        for group in (files, list(more)):
            if group:
                found.append(Piece(_name(asked, group, question.base), tuple(group)))
        files.clear()

    for source in sources:
        if source.is_shard:
            close(source)
        else:
            files.append(source)
            if len(files) == images:
                close()
    close()
    return found


def _name(asked: list[Any], sources: Sequence[Source], base: Path) -> str:
    digest = hashlib.blake2b(json.dumps(asked).encode(), digest_size=16)
    for source in sources:
        try:
            state = (base / source.path).stat()
            digest.update(json.dumps([str(source.path), state.st_size, state.st_mtime_ns]).encode())
        except OSError:
            digest.update(json.dumps([str(source.path)]).encode())
    return f"{digest.hexdigest()}.jsonl"


def keep(folder: Path, piece: Piece, rows: Sequence[dict[str, Any]]) -> None:
    """Write a part, whole or not at all.

    Raises:
        MachineError: it cannot be written.
    """
    write_text(folder / piece.name, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def joined(folder: Path, wanted: Sequence[Piece]) -> Iterator[Prediction]:
    """All answers in the order of the pieces.

    Raises:
        DataError: a part is damaged.
    """
    for piece in wanted:
        part = folder / piece.name
        try:
            rows = [json.loads(line) for line in part.read_text(encoding="utf-8").splitlines()]
            predictions = [Prediction.from_dict(row) for row in rows]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"The part {part} cannot be read again ({error}). Delete it and run the same command.") from error
        yield from predictions
