"""Lists of images that are to be left out, so that nobody has to delete any.

One image a line, as it is called below its folder; what follows `# ` at the start of a line is for people. A name that a line
cannot hold as it is (line breaks, spaces at its ends, bytes that are no text) stands there as a JSON string.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from inceptions.data.images import Encoded
from inceptions.errors import DataError
from inceptions.files import write_text

S = TypeVar("S", bound=Encoded)


def read_ignored(path: Path | None) -> frozenset[str]:
    """The images in an ignore list; none without a list.

    Raises:
        DataError: there is no such file, or it is no list.
    """
    if path is None:
        return frozenset()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"The ignore list {path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no ignore list: it is not text. Give one that `inceptions data check` wrote.") from error
    return frozenset(_name(line, path, number) for number, line in enumerate(lines, 1) if line and not line.startswith("#"))


def write_ignored(path: Path, left_out: Iterable[tuple[str, str]]) -> None:
    """Write an ignore list.

    Args:
        path: the file.
        left_out: key of each image, and why it is left out.

    Raises:
        MachineError: it cannot be written.
    """
    lines = ["# Images to leave out; `inceptions train FOLDER --ignore` this file. Nothing was deleted."]
    for key, reason in left_out:
        lines += [f"# {' '.join(reason.split())}", _line(key)]
    write_text(path, "\n".join(lines) + "\n")


def without(images: S, ignored: frozenset[str]) -> S:
    """The images that are not in a list."""
    if not ignored:
        return images
    return images.subset([i for i, key in enumerate(images.keys) if key not in ignored])


def _line(key: str) -> str:
    plain = key.isprintable() and key == key.strip() and not key.startswith(("#", '"'))
    return key if plain else json.dumps(key)


def _name(line: str, path: Path, number: int) -> str:
    if not line.startswith('"'):
        return line.strip()
    try:
        name = json.loads(line)
    except ValueError as error:
        raise DataError(f"Line {number} of {path} begins with a quotation mark and is no JSON string: {error}.") from error
    assert isinstance(name, str)
    return name
