"""What can be predicted: image files, folders of them, and tar shards."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inceptions.data import find_images

SHARD = ".tar"


@dataclass(frozen=True, slots=True)
class Source:
    """An image to predict, or a shard of them; `named` if it was given by name, not found in a folder."""

    path: Path
    named: bool

    @property
    def is_shard(self) -> bool:
        """Whether it is a tar file of images."""
        return self.path.suffix == SHARD


def expand(arguments: Sequence[Path]) -> list[Source]:
    """Images and shards as named, and folders as what is in them. An empty folder stays in the list, to be reported.

    Raises:
        DataError: a folder that may not be read, or braces that do not match.
    """
    sources: list[Source] = []
    for argument in arguments:
        if argument.is_dir():
            found = find_images(argument) or _shards(argument)
            sources += [Source(path, named=False) for path in found] or [Source(argument, named=True)]
        elif argument.suffix == SHARD and not argument.exists():
            from inceptions.data.shards import expanded

            sources += [Source(Path(name), named=True) for name in expanded(str(argument))]
        else:
            sources.append(Source(argument, named=True))
    return sources


def _shards(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SHARD}") if path.is_file() and not path.name.startswith("."))


@dataclass(frozen=True, slots=True)
class Shown:
    """An image on its way to the network.

    Attributes:
        name: what its answer calls it.
        image: where it is, or its content.
        fault: why it could not even be fetched, as a part of a sentence; "" if it could.
    """

    name: str
    image: Path | bytes
    fault: str = ""


def shown(sources: Sequence[Source], base: Path = Path()) -> Iterator[Shown]:
    """Every image of the sources, in order; those of a shard as they lie in it, read one after the other.

    Args:
        sources: files and shards.
        base: where their paths start, if they are not absolute.
    """
    for source in sources:
        if source.is_shard:
            yield from members(base / source.path, str(source.path))
        else:
            yield Shown(str(source.path), base / source.path)


def members(shard: Path, called: str) -> Iterator[Shown]:
    """The images of a shard, named "CALLED/MEMBER"; labels and all else in it are passed over.

    A shard that is missing or damaged ends with one that is at fault, in its own name.
    """
    from inceptions.data.decode import printable
    from inceptions.data.folder import EXTENSIONS
    from inceptions.data.shards import split_key

    images = 0
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                key, extension = split_key(member.name)
                if member.isreg() and key and f".{extension}" in EXTENSIONS:
                    file = tar.extractfile(member)
                    assert file is not None, "it is a regular file"
                    content = file.read()
                    images += 1
                    yield Shown(printable(f"{called}/{member.name.removeprefix('./')}"), content)
            # A header that means nothing ends a tar file for Python as zeros do.
            assert tar.fileobj is not None
            tar.fileobj.seek(tar.offset)
            if tar.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise tarfile.ReadError(f"damaged behind its first {tar.offset:,} bytes")
    except tarfile.TarError as error:
        yield Shown(called, b"", f"it is no tar file, or compressed or damaged ({str(error) or type(error).__name__})")
    except OSError as error:
        yield Shown(called, b"", (error.strerror or str(error)).lower())
    else:
        if not images:
            yield Shown(called, b"", "it is a shard without images")
