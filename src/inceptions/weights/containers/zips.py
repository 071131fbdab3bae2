"""Zip archives whose list of members is judged before anything is unpacked."""

from __future__ import annotations

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from inceptions.weights.containers.checkpoint import Fault

MOST_MEMBERS = 100_000
LARGEST_RATIO = 50
"""Arrays of weights compress to nine tenths, arrays of zeros a thousandfold; nobody publishes those."""
SMALL = 2**20
"""Below this a member may compress as it likes."""
_BLOCK = 2**20
_END = 22  # bytes of the record at the end of an archive, without its comment
_IN_ZIP64 = 0xFFFF


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive that holds no more than its size allows.

    Args:
        path: the file.

    Raises:
        Fault: it is damaged, a bomb, encrypted, or has two members of one name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive.infolist(), path.stat().st_size)
            _check_end(path, archive)
            yield archive
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise Fault(f"is a zip archive that cannot be read ({error})") from error


def content(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A member of at most so many bytes.

    Raises:
        Fault: it is larger.
    """
    size = archive.getinfo(name).file_size
    if size > most:
        raise Fault(f"has a {name} of {size:,} bytes; {most:,} would be much already")
    with archive.open(name) as file:
        return file.read(most + 1)[:most]


def copy(archive: zipfile.ZipFile, name: str, to: Path) -> None:
    """Unpack a member into a file; its checksum is compared on the way."""
    with archive.open(name) as source, to.open("wb") as target:
        while block := source.read(_BLOCK):
            target.write(block)


def verify(archive: zipfile.ZipFile) -> None:
    """Compare the checksums of all members.

    Raises:
        Fault: one is wrong.
    """
    for member in archive.infolist():
        with archive.open(member) as file:
            while file.read(_BLOCK):
                pass


def _check_end(path: Path, archive: zipfile.ZipFile) -> None:
    """Python's reader forgives what comes before the first member, and a list of members that begins too late."""
    members = archive.infolist()
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END - len(archive.comment)))
        end = file.read(_END)
    (listed,) = struct.unpack("<H", end[10:12]) if end.startswith(b"PK\x05\x06") else (-1,)
    if listed not in (len(members), _IN_ZIP64) or (members and min(member.header_offset for member in members)):
        raise Fault("is a zip archive whose list of members is damaged")


def _check(members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > MOST_MEMBERS:
        raise Fault(f"is a zip archive of {len(members):,} members")
    if len({member.filename for member in members}) != len(members):
        raise Fault("is a zip archive with two members of one name")
    if sum(member.compress_size for member in members) > size:
        raise Fault(f"is a zip archive whose members are larger than its {size:,} bytes: a bomb, or damaged")
    for member in members:
        name, large, small = member.filename, member.file_size, member.compress_size
        if member.flag_bits & 1:
            raise Fault(f"is a zip archive with an encrypted member {name}", "Unpack it and give the file inside.")
        if member.compress_type == zipfile.ZIP_STORED and large != small:
            raise Fault(f"says that {name} has {large:,} bytes, and holds {small:,}")
        if large > max(SMALL, LARGEST_RATIO * small):
            raise Fault(f"says that {name} unpacks from {small:,} to {large:,} bytes: a zip bomb, or nothing but zeros")
    if sum(member.file_size for member in members) > max(SMALL, LARGEST_RATIO * size):
        raise Fault("is a zip archive that unpacks to far more than it is: a bomb")
