"""Tar shards as WebDataset has them: KEY.jpg beside KEY.cls or KEY.json, some thousand pictures in a file.

WebDataset reads shards from start to end, so it can shuffle only what is in its buffer, and goes on after a stop only by
reading again. Here the headers of each shard are read once, and kept: where in the file each picture begins. From then on
shards are as good as a folder: nothing is unpacked, and order, resuming and workers are what they are for folders.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import accumulate, product
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inceptions.data.decode import AtLeast, printable
from inceptions.data.dividing import Found
from inceptions.data.folder import EXTENSIONS, files_by_part
from inceptions.data.images import decoded, decoded_pixels
from inceptions.data.labels import Label, numbered
from inceptions.errors import DataError, MachineError
from inceptions.files import write_text
from inceptions.weights.published.cache import home

SUFFIX = ".tar"
CLASSES = "classes.txt"
FIELDS = ("label", "class", "cls")
"""Where a KEY.json has the class, if there is no KEY.cls."""

VERSION = 1
LARGEST_LABEL = 2**20
EXPECTED = (
    "Expected are pairs such as 000123.jpg and 000123.cls (or 000123.json with a field label). An archive of a folder is to be "
    "unpacked, and the folder given."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Shards:
    """Images in tar files.

    Attributes:
        files: the shards.
        shard: which of them each image is in, `[images]`.
        start: byte of the shard at which it begins.
        length: its bytes.
        labels: index of each image's class.
        names: "train-000.tar/KEY.jpg".
        notes: sentences for the user.
    """

    files: tuple[Path, ...]
    shard: NDArray[np.int32]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    labels: tuple[int, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The names."""
        return self.names

    def __len__(self) -> int:
        return len(self.labels)

    def size(self, i: int) -> int:
        """Bytes of image `i`."""
        return int(self.length[i])

    def read(self, i: int, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of image `i`."""
        left = max(self.size(i) - start, 0)
        with self.files[int(self.shard[i])].open("rb") as file:
            file.seek(int(self.start[i]) + start)
            return file.read(left if length is None else min(length, left))

    def open(self, i: int, at_least: int | None = None) -> Image.Image:
        """The decoded image `i`.

        Raises:
            ImageError: it cannot be decoded, or the shard cannot be read any more.
        """
        return decoded(self, i, at_least)

    def pixels(self, i: int, at_least: AtLeast | None = None) -> NDArray[np.uint8]:
        """The pixels of image `i`.

        Raises:
            ImageError: as `open`.
        """
        return decoded_pixels(self, i, at_least)

    def subset(self, chosen: Sequence[int]) -> Self:
        """Some of the images, in the order given."""
        rows = np.array(chosen, dtype=np.int64)
        return type(self)(
            files=self.files,
            shard=self.shard[rows],
            start=self.start[rows],
            length=self.length[rows],
            labels=tuple(self.labels[i] for i in chosen),
            names=tuple(self.names[i] for i in chosen),
            notes=self.notes,
        )


@dataclass(kw_only=True)
class Index:
    """What is where in a shard.

    Attributes:
        version: of this form.
        size: of the shard in bytes.
        changed: when it was written last, in nanoseconds.
        members: name of each labelled image in the shard.
        starts: byte at which each begins.
        lengths: bytes of each.
        labels: what is said of each, a number or a name.
        unused: samples without an image or without a label.
    """

    size: int
    changed: int
    version: int = VERSION
    members: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    unused: int = 0


def are_shards(where: str | Path) -> bool:
    """Whether a name means shards: it ends in .tar, or is a folder with such files and no folders."""
    if str(where).endswith(SUFFIX):
        return True
    folder = Path(where)
    if not folder.is_dir():
        return False
    with suppress(OSError):
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
        return any(entry.suffix == SUFFIX for entry in entries) and not any(entry.is_dir() for entry in entries)
    return False


def open_shards(where: str | Path) -> Found:
    """The labelled images of tar shards.

    Args:
        where: "shards/train-{000..146}.tar"; or a folder of shards, those for validation called val-….tar, or valid, validation
            or test. Beside the shards `classes.txt` may name the classes, one a line, for labels that are numbers.

    Raises:
        DataError: a shard is missing or damaged, or there are no labelled images in it.
    """
    text = str(where)
    if re.match(r"[a-z0-9]+:", text, re.IGNORECASE) and not Path(text).exists():
        raise DataError(f"Shards are read from files, not from {text}: fetch them first.")
    if Path(where).is_dir():
        parts = files_by_part([file for file in Path(where).iterdir() if file.suffix == SUFFIX and file.name[0] != "."])
        address = str(Path(where).resolve())
    else:
        files = [Path(name) for name in expanded(text)]
        if absent := [file for file in files if not file.is_file()]:
            raise DataError(f"{len(absent)} of {len(files)} shards are missing, {absent[0]} for one.")
        parts = {"train": files}
        address = str(Path(where).absolute())
    names = _class_names(parts["train"][0].with_name(CLASSES))
    indices = {part: [index(file) for file in files] for part, files in parts.items()}
    spoken: dict[str, list[Label]] = {part: [label for one in every for label in one.labels] for part, every in indices.items()}
    for part, labels in spoken.items():
        if not labels:
            raise DataError(f"There are no labelled images in {parts[part][0]}. {EXPECTED}")
    classes, numbers = numbered(spoken, names, where=text)
    sets = {part: _joined(parts[part], every, numbers[part]) for part, every in indices.items()}
    name = re.sub(r"[-_.{]*$", "", Path(text).name.partition("{")[0].removesuffix(SUFFIX)) or Path(text).parent.name
    return Found(name=printable(name), classes=classes, train=sets["train"], validation=sets.get("validation"), address=address)


def expanded(pattern: str) -> list[str]:
    """The names that a shell makes of braces: "a-{00..02}.tar" and "{a,b}.tar"; without braces, the pattern itself.

    Raises:
        DataError: a brace that is not closed, or one within another.
    """
    pieces = re.split(r"\{([^{}]*)\}", pattern)
    if any(brace in piece for piece in pieces[::2] for brace in "{}"):
        raise DataError(f"The braces in {pattern} do not match, or stand within each other; like this: train-{{000..146}}.tar.")
    choices = [[piece] if place % 2 == 0 else _choices(piece) for place, piece in enumerate(pieces)]
    return ["".join(chosen) for chosen in product(*choices)]


def _choices(inside: str) -> list[str]:
    if not (ends := re.fullmatch(r"(\d+)\.\.(\d+)", inside)):
        return inside.split(",") if "," in inside else [f"{{{inside}}}"]
    first, last = ends.groups()
    padded = any(end.startswith("0") and len(end) > 1 for end in (first, last))
    width = max(map(len, (first, last))) if padded else 0
    step = 1 if int(first) <= int(last) else -1
    return [f"{number:0{width}d}" for number in range(int(first), int(last) + step, step)]


def index(shard: Path) -> Index:
    """What is where in a shard; kept in the user's cache until the file changes.

    Raises:
        DataError: it is no tar file, compressed or damaged.
    """
    state = shard.stat()
    digest = hashlib.sha256(str(shard.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    kept = home() / "shards" / f"{digest[:32]}.json"
    with suppress(OSError, ValueError, TypeError):
        known = Index(**json.loads(kept.read_text(encoding="utf-8")))
        if (known.version, known.size, known.changed) == (VERSION, state.st_size, state.st_mtime_ns):
            return known
    fresh = _indexed(shard, Index(size=state.st_size, changed=state.st_mtime_ns))
    with suppress(MachineError, OSError):  # without it the next run reads the contents again
        write_text(kept, json.dumps(asdict(fresh)))
    return fresh


def _indexed(shard: Path, found: Index) -> Index:
    images: dict[str, tuple[int, tarfile.TarInfo]] = {}
    labels: dict[str, Label] = {}
    keys: set[str] = set()
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                key, extension = split_key(member.name)
                if not member.isreg() or not key:
                    continue
                keys.add(key)
                if f".{extension}" in EXTENSIONS:
                    rank = EXTENSIONS.index(f".{extension}")
                    if key not in images or rank < images[key][0]:
                        images[key] = (rank, member)
                elif extension == "cls" or (extension == "json" and key not in labels):
                    label = _label(tar, member, shard)
                    if label is not None:
                        labels[key] = label
    except tarfile.ReadError as error:
        packed = " It seems to be compressed: unpack it to a plain .tar." if _is_compressed(shard) else ""
        raise DataError(f"The shard {shard} cannot be read as a tar file: {error}.{packed}") from error
    except OSError as error:
        raise DataError(f"The shard {shard} cannot be read: {error.strerror or error}.") from error
    for key, (_, member) in images.items():
        if key in labels:
            found.members.append(member.name)
            found.starts.append(member.offset_data)
            found.lengths.append(member.size)
            found.labels.append(labels[key])
    found.unused = len(keys) - len(found.members)
    return found


def split_key(name: str) -> tuple[str, str]:
    """A member's key and extension, in lower case: the name of its file is cut at the first dot. Empty if it has none."""
    match = re.fullmatch(r"((?:.*/|)[^.]+)\.([^/]*)", name, re.DOTALL)
    return (match[1], match[2].lower()) if match else ("", "")


def _label(tar: tarfile.TarFile, member: tarfile.TarInfo, shard: Path) -> Label | None:
    """What a KEY.cls or KEY.json says; None if it says no class."""
    file = tar.extractfile(member)
    assert file is not None, "it is a regular file"
    content = file.read(LARGEST_LABEL)
    try:
        if member.name.lower().endswith("cls"):
            return content.decode("utf-8").strip() or None
        said = json.loads(content)
    except ValueError as error:
        raise DataError(f"{printable(member.name)} in {shard} is damaged: {error}.") from error
    said = next((said[name] for name in FIELDS if name in said), None) if isinstance(said, dict) else said
    return said if isinstance(said, int | str) and not isinstance(said, bool) else None


def _is_compressed(shard: Path) -> bool:
    with shard.open("rb") as file:
        return file.read(4)[:2] in (b"\x1f\x8b", b"BZ", b"\xfd7", b"\x28\xb5")


def _class_names(file: Path) -> tuple[str, ...] | None:
    if not file.is_file():
        return None
    try:
        return tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The class names in {file} cannot be read: {error}.") from error


def _joined(files: Sequence[Path], indices: Sequence[Index], labels: Sequence[int]) -> Shards:
    counts = [len(one.members) for one in indices]
    names = tuple(printable(f"{file.name}/{member}") for file, member in _members(files, indices))
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{twice[0]} is there twice: names of shards and keys in a shard must differ.")
    unused = sum(one.unused for one in indices)
    notes = (f"{unused} samples in {files[0].parent} have no image or no label and are not used.",) if unused else ()
    ends = list(accumulate(counts))
    assert ends[-1] == len(labels)
    return Shards(
        files=tuple(file.resolve() for file in files),
        shard=np.repeat(np.arange(len(files), dtype=np.int32), counts),
        start=np.concatenate([np.array(one.starts, dtype=np.int64) for one in indices]),
        length=np.concatenate([np.array(one.lengths, dtype=np.int64) for one in indices]),
        labels=tuple(labels),
        names=names,
        notes=notes,
    )


def _members(files: Sequence[Path], indices: Sequence[Index]) -> Iterator[tuple[Path, str]]:
    for file, one in zip(files, indices, strict=True):
        for member in one.members:
            yield file, member
