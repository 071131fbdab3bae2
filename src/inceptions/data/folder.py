"""A folder of photographs: which files in it are images, and which class each belongs to.

Two layouts are known: `train/CLASS/...` beside `validation/CLASS/...` (or `val`, `valid`, `test`), and one folder for each
class, from which a share is held out. Anything else is refused with a sentence that says what was found instead.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import NoReturn

from inceptions.data.decode import is_image, printable
from inceptions.data.dividing import Found
from inceptions.data.images import Files
from inceptions.errors import DataError

EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp", ".avif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".jp2", ".j2k", ".jpf", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".ico"),
)
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")

# What systems and editors leave among people's files; everything whose name begins with a dot is passed over as well.
RUBBISH = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found"})

TRAIN = ("train", "training")
VALIDATION = ("validation", "val", "valid", "test")  # the first one that is there is used
EXPECTED = "Expected are train/CLASS/… and validation/CLASS/…, or one folder of images for each class."


def find_images(path: Path) -> list[Path]:
    """The images below a folder, by their names; files without an extension by their first bytes.

    Hidden files and those of the system are passed over. Links are followed, but no folder is entered twice.

    Args:
        path: the folder.

    Returns:
        Paths that begin with `path`, sorted part by part; whether they can be decoded is not known yet.

    Raises:
        DataError: a folder that may not be read.
    """
    return [path / file for file in _walk(path) if _looks_like_image(path / file)]


def open_folder(where: Path) -> Found:
    """The training and validation images of a folder.

    The classes are the names of the training folders, sorted.

    Args:
        where: the folder.

    Raises:
        DataError: nothing can be learnt from it; says what was found and what is expected.
    """
    parts = folder_parts(where)
    if "train" not in parts and "validation" in parts:
        raise DataError(f"{where} holds {parts['validation'].name}/ but no train/: there is nothing to learn from. {EXPECTED}")
    source = parts.get("train", where)
    found = _classes(source)
    if len(found) < 2:
        _refuse_one_class(source, found)
    classes = tuple(found)
    train = _files(where, source, found, classes)
    validation = None
    if "validation" in parts:
        held = _classes(parts["validation"])
        _check_known(held, classes, parts["validation"], "training has")
        validation = _files(where, parts["validation"], held, classes)
    return Found(name=_name(where), classes=classes, train=train, validation=validation, where=where)


def open_labelled(where: Path, classes: Sequence[str]) -> Files:
    """The images of a folder to judge a network by: its validation part if it has parts, otherwise all of it.

    Args:
        where: the folder.
        classes: names of the network's outputs, in order. The folder's classes must be among them; it need not have all.

    Raises:
        DataError: there is nothing to judge by, or a class that the network does not know.
    """
    parts = folder_parts(where)
    if "train" in parts and "validation" not in parts:
        raise DataError(
            f"{where} holds {parts['train'].name}/ but no validation/: give {parts['train']} if you want the score on the "
            "images the network may have learnt from."
        )
    source = parts.get("validation", where)
    found = _classes(source)
    _check_known(found, classes, source, "the network knows")
    return _files(where, source, found, classes)


def folder_parts(where: Path) -> dict[str, Path]:
    """The folders for training and validation, as far as they are there."""
    with _explained(where):
        there = where.exists()
    if not there:
        beside = _folders(where.parent) if where.parent.is_dir() else []
        close = get_close_matches(where.name, [folder.name for folder in beside], n=1)
        hint = f" Did you mean {where.parent / close[0]}?" if close else ""
        raise DataError(f"There is no folder {where}.{hint}")
    if not where.is_dir():
        packed = where.suffix.lower() in ARCHIVES
        raise DataError(f"{where} is a file, not a folder{': unpack it and give the folder' if packed else ''}. {EXPECTED}")
    folders = {folder.name.lower(): folder for folder in _folders(where)}
    named = {"train": TRAIN, "validation": VALIDATION}
    return {part: folders[name] for part, names in named.items() for name in reversed(names) if name in folders}


def files_by_part(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Shards or tables for training and validation, as their names begin: train-000.tar, val-000.tar.

    Returns:
        "train" has all files where no name says a part; "validation" is missing where none says that.

    Raises:
        DataError: there are files for validation and none for training.
    """
    parts: dict[str, list[Path]] = {}
    for part, names in (("train", TRAIN), ("validation", VALIDATION)):
        for name in names:
            begin = re.compile(rf"{name}(?![a-z])", re.IGNORECASE)
            if chosen := [file for file in files if begin.match(file.name)]:
                parts[part] = sorted(chosen)
                break
    if "train" not in parts and "validation" in parts:
        held = parts["validation"][0].name
        raise DataError(f"{files[0].parent} holds {held} but no train-…: there is nothing to learn from.")
    return parts or {"train": sorted(files)}


def _classes(source: Path) -> dict[str, list[str]]:
    """The images of each class, as paths below `source`; classes by their names in Unicode's composed form, sorted.

    Raises:
        DataError: no classes, an empty one, or two that are hard to tell apart.
    """
    found: dict[str, list[str]] = {}
    spelt: dict[str, Path] = {}
    empty: list[Path] = []
    for folder in _folders(source):
        name = unicodedata.normalize("NFC", printable(folder.name))
        twin = spelt.setdefault(name.casefold(), folder)
        if twin != folder:
            raise DataError(
                f"{source} has two classes that differ only in how they are written, {twin.name!r} and {folder.name!r}: "
                "join them."
            )
        found[name] = [f"{folder.name}/{path.relative_to(folder).as_posix()}" for path in find_images(folder)]
        empty += [] if found[name] else [folder]
    if not any(found.values()):
        raise DataError(f"{source} holds no class folders with images: {_contents(source)}. {EXPECTED}")
    if empty:
        raise DataError(f"The class folder {empty[0]} holds no images ({_contents(empty[0])}): put some in or remove it.")
    return dict(sorted(found.items()))


def _files(where: Path, source: Path, found: Mapping[str, list[str]], classes: Sequence[str]) -> Files:
    prefix = "" if source == where else f"{source.name}/"
    numbers = {unicodedata.normalize("NFC", name): i for i, name in enumerate(classes)}
    pairs = [(prefix + file, numbers[name]) for name, files in found.items() for file in files]
    return Files(
        where, tuple(file for file, _ in pairs), tuple(label for _, label in pairs), _notes(where, source, found, classes)
    )


def _notes(where: Path, source: Path, found: Mapping[str, list[str]], classes: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if stray := sum(_is_file(entry) and Path(entry.name).suffix.lower() in EXTENSIONS for entry in _visible(source)):
        notes.append(f"{stray} images lie in {source} outside of any class folder and are not used.")
    if absent := [name for name in classes if unicodedata.normalize("NFC", name) not in found]:
        notes.append(f"{source} has no images of {_listed(absent)} ({len(absent)} of {len(classes)} classes).")
    unused = [folder.name for folder in _folders(where) if folder.name.lower() in VALIDATION and folder != source]
    if unused and source.name.lower() in VALIDATION:
        notes.append(f"{source} is used for validation; {_listed(unused)} is not.")
    return tuple(notes)


def _check_known(found: Iterable[str], classes: Sequence[str], source: Path, who: str) -> None:
    known = {unicodedata.normalize("NFC", name) for name in classes}
    if strange := [name for name in found if name not in known]:
        close = get_close_matches(strange[0].lower(), {name.lower(): name for name in known}, n=1)
        twin = next((name for name in known if close and name.lower() == close[0]), None)
        hint = f" Did you mean {twin!r} with {strange[0]!r}?" if twin else ""
        raise DataError(
            f"{source} has classes that are not among those {who}: {_listed(strange)}.{hint} "
            f"Known are {_listed(sorted(known))}."
        )


def _refuse_one_class(source: Path, found: Mapping[str, list[str]]) -> NoReturn:
    """There is one folder: of one class, or with the whole layout inside, as archives are often unpacked."""
    (only,) = _folders(source)
    inner = [folder for folder in _folders(only) if any(map(_looks_like_image, map(folder.joinpath, _walk(folder))))]
    if len(inner) > 1 or any(folder.name.lower() in TRAIN for folder in inner):
        raise DataError(f"{source} holds one folder only, and the images are one level deeper: give {only} instead.")
    (name,) = found
    raise DataError(f"{source} holds one class only, {name!r}: a classifier needs at least two. {EXPECTED}")


def _contents(folder: Path) -> str:
    """What a folder holds, for a message."""
    files = [PurePosixPath(file) for file in _walk(folder)]
    direct = sum(file.suffix.lower() in EXTENSIONS for file in files if len(file.parts) == 1)
    if direct:
        return f"{direct} images lie in the folder itself"
    kinds = Counter(file.suffix.lower() or "no extension" for file in files)
    if not kinds:
        return "it is empty"
    return f"{len(files)} files, none of them an image: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(3))


def _walk(folder: Path) -> list[str]:
    """Every visible file below a folder as a path relative to it, sorted part by part."""
    files: list[tuple[str, ...]] = []
    entered = _above(folder)
    waiting: deque[tuple[str, ...]] = deque([()])
    while waiting:
        parts = waiting.popleft()
        path = folder.joinpath(*parts)
        with _explained(path):
            state = path.stat()
        if (state.st_dev, state.st_ino) in entered:  # a link back to a folder above, or a second one to a folder beside
            continue
        entered.add((state.st_dev, state.st_ino))
        for entry in _visible(path):
            (waiting if _is_folder(entry) else files).append((*parts, entry.name))
    return ["/".join(parts) for parts in sorted(files)]


def _above(folder: Path) -> set[tuple[int, int]]:
    """The folders that a folder is in; a link back to one of them would bring in all the other classes."""
    above = {*folder.absolute().parents, *folder.resolve().parents}
    states = [path.stat() for path in above if path.exists()]
    return {(state.st_dev, state.st_ino) for state in states}


def _folders(folder: Path) -> list[Path]:
    return [folder / entry.name for entry in _visible(folder) if _is_folder(entry)]


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    """Files and folders in a folder, without what is hidden, rubbish or neither of both, sorted by name.

    Raises:
        DataError: the folder may not be read.
    """
    with _explained(folder), os.scandir(folder) as entries:
        seen = [entry for entry in entries if not entry.name.startswith(".") and entry.name.lower() not in RUBBISH]
    return sorted((entry for entry in seen if _is_folder(entry) or _is_file(entry)), key=lambda entry: entry.name)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be read: {error.strerror}.") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # a link that leads to itself
        return entry.is_dir()
    return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return entry.is_file()
    return False


def _looks_like_image(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS or (not path.suffix and is_image(path))


def _name(where: Path) -> str:
    return printable(where.resolve().name)


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
