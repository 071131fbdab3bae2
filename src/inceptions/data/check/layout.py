"""What lies in a folder beside images in their classes: all of it at once, where `open_folder` stops at the first fault."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from inceptions.data.decode import is_image, printable
from inceptions.data.folder import EXTENSIONS, RUBBISH, folder_parts


@dataclass(slots=True)
class Layout:
    """What was found; all names are below the folder, safe to print.

    Attributes:
        hidden: files and folders whose names begin with a dot, AppleDouble files (._name) and .ipynb_checkpoints among them.
        rubbish: what systems leave behind: Thumbs.db, __MACOSX, ...
        loops: links to folders that were entered on another way already, so that they are not entered again.
        broken: links that lead nowhere.
        others: files that are not images.
        unreadable: folders that may not be read.
        empty: class folders without images.
        twins: class folders of one part whose names differ only in case or in their Unicode form.
        one_sided: classes that only the training or only the validation part has.
    """

    hidden: list[str] = field(default_factory=list)
    rubbish: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    twins: list[tuple[str, str]] = field(default_factory=list)
    one_sided: list[str] = field(default_factory=list)


def survey(where: Path) -> Layout:
    """Look into every folder below one.

    Args:
        where: the folder.

    Raises:
        DataError: there is none.
    """
    parts = folder_parts(where)
    found = Layout()
    images: dict[str, int] = defaultdict(int)
    entered: set[tuple[int, int]] = set()
    waiting = [where]
    while waiting:
        folder = waiting.pop(0)
        name = _below(where, folder)
        try:
            state = folder.stat()
            if (state.st_dev, state.st_ino) in entered:
                found.loops.append(name)
                continue
            entered.add((state.st_dev, state.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            found.unreadable.append(name)
            continue
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                found.hidden.append(_below(where, path))
            elif entry.name.lower() in RUBBISH:
                found.rubbish.append(_below(where, path))
            elif entry.is_symlink() and not path.exists():
                found.broken.append(_below(where, path))
            elif entry.is_dir():
                waiting.append(path)
            elif path.suffix.lower() in EXTENSIONS or (not path.suffix and is_image(path)):
                for above in path.relative_to(where).parents:
                    images[printable(above.as_posix())] += 1
            else:
                found.others.append(_below(where, path))
    _judge_classes(where, list(parts.values()) or [where], images, found)
    return found


def _judge_classes(where: Path, sources: list[Path], images: dict[str, int], found: Layout) -> None:
    """Empty classes, twins, and classes of one part only."""
    classes: list[dict[str, str]] = []
    for source in sources:
        folders = sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith("."))
        spelt: dict[str, Path] = {}
        for folder in folders:
            if folder.name.lower() in RUBBISH:
                continue
            name = _below(where, folder)
            twin = spelt.setdefault(_plain(folder.name), folder)
            if twin != folder:
                found.twins.append((_below(where, twin), name))
            if not images[name] and name not in found.loops:
                found.empty.append(name)
        classes.append({plain: _below(where, folder) for plain, folder in spelt.items()})
    if len(classes) == 2:
        for ours, theirs in (classes, classes[::-1]):
            found.one_sided += [name for plain, name in ours.items() if plain not in theirs]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", printable(name)).casefold()


def _below(where: Path, path: Path) -> str:
    return printable(path.relative_to(where).as_posix())
