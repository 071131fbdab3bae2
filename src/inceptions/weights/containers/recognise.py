"""Which format a file has, by its content: names lie, and what servers send instead of files has the right name."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import NamedTuple

from inceptions.weights.containers import arrays, hdf5, keras, sstable, zips
from inceptions.weights.containers.checkpoint import Container, Fault
from inceptions.weights.containers.protobuf import BYTES, VARINT, Message, fields, mapped
from inceptions.weights.published.content import WEB_PAGES

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
UNPACK = "Unpack it and give the weight file inside."
FETCH = "Fetch it again, and look at the address in a browser."
NO_WEIGHTS = "Give a file of weights: .pth, .safetensors, .h5, .keras, .ckpt, .index, .pb, .caffemodel, .onnx or .npz."
# What people give instead, and what to do about it.
STRANGERS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself", "Run `git lfs pull` where it came from."),
    (b"\x1f\x8b", "is a gzip archive", "Unpack it (tar -xzf or gunzip) and give the weight file inside."),
    (b"BZh", "is a bzip2 archive", UNPACK),
    (b"\xfd7zXZ\0", "is an xz archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "is a zstd archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", UNPACK),
    (b"Rar!", "is a RAR archive", UNPACK),
    (b"\x12\x01\0\0\0\0\0\0", "is a file of MXNet, which is not read here", "Load it with MXNet and save its arrays as .npz."),
    (b"\x89PNG", "is a picture", NO_WEIGHTS),
    (b"\xff\xd8\xff", "is a picture", NO_WEIGHTS),
    (b"%PDF", "is a PDF document", NO_WEIGHTS),
    (b"\x7fELF", "is a program", NO_WEIGHTS),
)
SAVED_MODEL = "Give variables/variables.index in its folder."
_MOST_LOOKED_AT = 1000
_SUFFIXES: dict[str, Container] = {".onnx": "onnx", ".pb": "graphdef", ".caffemodel": "caffe"}


class Kind(NamedTuple):
    """A format, and whether the file is a zip archive of it."""

    container: Container
    zipped: bool = False


def recognise(path: Path) -> Kind:
    """The format of a file.

    Raises:
        Fault: it is none that holds weights; says what it is, as far as that can be seen.
    """
    with path.open("rb") as file:
        start = file.read(512)
        size = file.seek(0, 2)
        file.seek(max(0, size - len(sstable.MAGIC)))
        end = file.read()
    if not start:
        raise Fault("is empty", "Fetch or write it again.")
    if start.lstrip().lower().startswith(WEB_PAGES):
        raise Fault("is a web page, not a checkpoint: the download got an error page", FETCH)
    if start.startswith(hdf5.MAGIC):
        return Kind("keras")
    if start.startswith(ZIP):
        return _zip(path)
    if start.startswith(arrays.MAGIC):
        return Kind("numpy")
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        return Kind("pytorch")
    if start[8:9] == b"{":
        return Kind("safetensors")
    for beginning, what, advice in STRANGERS:
        if start.startswith(beginning):
            raise Fault(what, advice)
    if start[257:262] == b"ustar":
        old = start.startswith((b"sys_info", b"pickle", b"storages", b"tensors"))
        advice = "Load it with an old torch and save it again." if old else UNPACK
        raise Fault("is torch's first format (2016), which nothing loads safely" if old else "is a tar archive", advice)
    if start[4:8] == b"TFL3":
        raise Fault("is a TensorFlow Lite model, which is not read here", "Give the checkpoint that it was made from.")
    if end == sstable.MAGIC:
        return Kind("tensorflow")
    if start.lstrip()[:1] in (b"{", b"["):
        raise Fault(
            "is a JSON text, not weights", "If it lists the parts of a checkpoint, give the parts; else " + FETCH.lower()
        )
    found = _protocol(mapped(path))
    if found is not None:
        return Kind(found)
    if path.suffix in _SUFFIXES:
        return Kind(_SUFFIXES[path.suffix])  # whose reader says what is wrong with it
    if path.suffix in (".ckpt", ".index"):
        raise Fault("does not end as a TensorFlow checkpoint does")
    if _is_text(start):
        shown = start[:40].decode("ascii").split("\n")[0].strip()
        raise Fault(f"is a text ({shown} ...), not weights", NO_WEIGHTS)
    raise Fault(f"is of no format that is known here (it begins with {start[:8].hex(' ')})", NO_WEIGHTS)


def _zip(path: Path) -> Kind:
    with zips.opened(path) as archive:
        names = archive.namelist()
    if any(name.endswith(("/data.pkl", "/constants.pkl")) for name in names):
        return Kind("pytorch", zipped=True)
    if keras.WEIGHTS in names or keras.CONFIG in names:
        return Kind("keras", zipped=True)
    if names and all(name.endswith(".npy") for name in names):
        return Kind("numpy", zipped=True)
    raise Fault(f"is a zip archive with {', '.join(names[:3]) or 'nothing'} in it, not weights", UNPACK)


def _protocol(view: memoryview) -> Container | None:
    """Which message a file without a mark can be; None if it is none that is known."""
    seen: dict[tuple[int, int], memoryview | int] = {}
    try:
        for number, wire, value in itertools.islice(fields(view), _MOST_LOOKED_AT):
            seen.setdefault((number, wire), value)
    except Fault:
        return None
    first = seen.get((1, BYTES))
    if (1, VARINT) in seen and (7, BYTES) in seen:
        return "onnx"
    if (1, VARINT) in seen and (2, BYTES) in seen:
        raise Fault("is the graph of a SavedModel; its values are in the folder beside it", SAVED_MODEL)
    if (100, BYTES) in seen:
        return "caffe"
    if isinstance(first, memoryview):
        try:
            node = Message(first)
            if 2 in node and re.fullmatch(r"[A-Za-z_][\w>.]*", node.text(2)):
                return "graphdef"
            if any(re.match(r"\d+\.\d", version) for version in node.texts(5)):
                raise Fault("describes the graph of a TensorFlow checkpoint", "Give the file beside it: .index, or .ckpt.")
        except Fault as fault:
            if str(fault).startswith("describes"):
                raise
    return "caffe" if (2, BYTES) in seen and all(number in (1, 2, 3, 4, 5, 6, 7, 8) for number, _ in seen) else None


def _is_text(start: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\t\n\r" for byte in start[:200])
