"""Whether a file can be what its name says: its beginning, its size, its digest; all before any parser sees it."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from inceptions.weights.checksum import BLOCK, Checksum

# By the end of the name: how such a file begins. A file of torch is a zip archive, or in older ones a pickle.
BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    ".pth": (b"PK\x03\x04", b"\x80\x02"),
    ".pt": (b"PK\x03\x04", b"\x80\x02"),
    ".h5": (b"\x89HDF\r\n\x1a\n",),
    ".gz": (b"\x1f\x8b",),
    ".tgz": (b"\x1f\x8b",),
}
# What servers send instead of a file.
WEB_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--", b"<script")


def fault(path: Path, name: str, size: int | None, checksum: Checksum | None) -> str | None:
    """What is wrong with a fetched file, as a part of a sentence; None if nothing is.

    Args:
        path: the file.
        name: what it is going to be called.
        size: in bytes, if known.
        checksum: if known. Without one, a gzip archive is read through, for the digest that it carries itself.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if start.lstrip().lower().startswith(WEB_PAGES):
        return "it is a web page"
    expected = BEGINNINGS.get(Path(name).suffix)
    if expected and not start.startswith(expected):
        return f"it does not begin as a {Path(name).suffix} file does"
    found = path.stat().st_size
    if found == 0:
        return "it is empty"
    if size is not None and found != size:
        return f"it has {found:,} bytes instead of {size:,}"
    if checksum is not None:
        digest = checksum.of(path)
        return None if digest == checksum.digest else f"its {checksum.kind} is {digest} instead of {checksum.digest}"
    return "it is cut off or damaged" if expected == (b"\x1f\x8b",) and not _whole_gzip(path) else None


def _whole_gzip(path: Path) -> bool:
    try:
        with gzip.open(path) as file:
            while file.read(BLOCK):
                pass
    except (OSError, EOFError, zlib.error):
        return False
    return True
