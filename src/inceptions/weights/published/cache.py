"""The folder that fetched checkpoints are kept in, shared by all processes of a user."""

from __future__ import annotations

import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import BadGzipFile
from pathlib import Path, PurePosixPath

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from inceptions.errors import WeightsError
from inceptions.files import explained, replacing
from inceptions.weights.checksum import BLOCK
from inceptions.weights.published.checkpoint import Published
from inceptions.weights.published.content import fault
from inceptions.weights.published.download import LARGEST, Patience, by_hand, download
from inceptions.weights.published.download import Progress as Report
from inceptions.weights.published.folder import HOME as HOME
from inceptions.weights.published.folder import home as home


def place(one: Published) -> Path:
    """Where the fetched file of a checkpoint is, or belongs: put there by hand, it is as good."""
    return home() / "weights" / one.full_name / one.file


def fetch(one: Published, *, patience: Patience | None = None, quiet: bool = False) -> Path:
    """The weight file of a published checkpoint: from the cache, or fetched into it.

    Whatever is there is checked each time, so a file that was damaged since never loads. Several processes may ask at once: one
    fetches, the others wait for it.

    Args:
        one: the checkpoint.
        patience: with a slow or broken server; the usual one if None.
        quiet: show no progress on standard error.

    Returns:
        The file, unpacked if its publisher packed it.

    Raises:
        MachineError: it cannot be fetched, or the cache not be written; says which file to put where.
        WeightsError: what was fetched, or what is in the cache, is not the published file.
    """
    target = place(one)
    if not target.exists():
        with explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        if one.hub is not None:
            from inceptions.weights.hub import pull  # its client takes a while to import

            return pull(one.address, files=(one.file,), instead=by_hand(one.link, target), quiet=quiet)
        # The system frees the lock of a process that dies.
        with explained(target), FileLock(target.parent / ".lock"):
            if not target.exists():
                with shown(one, quiet=quiet) as report:
                    download(one.address, target, size=one.size, checksum=one.checksum, patience=patience, progress=report)
    elif wrong := fault(target, one.file, one.size, one.checksum):
        raise WeightsError(f"{target} is not the published file: {wrong}. Delete it, and it is fetched again.")
    return target if one.member is None else unpacked(target, one.member)


def unpacked(archive: Path, member: str) -> Path:
    """A file out of a tar archive, written beside it once.

    Raises:
        WeightsError: it is not in there, not a plain file, larger than any weights, or the archive is damaged.
        MachineError: it cannot be written.
    """
    target = archive.with_name(member)
    if target.exists():
        return target
    try:
        with tarfile.open(archive) as tar:
            found = next((entry for entry in tar if PurePosixPath(entry.name).name == member and entry.isfile()), None)
            if found is None or found.size > LARGEST:
                raise WeightsError(f"{archive} holds no file {member}, or an absurdly large one. Delete it and fetch it again.")
            content = tar.extractfile(found)
            assert content is not None
            with replacing(target) as temporary, temporary.open("wb") as file:
                while block := content.read(BLOCK):
                    file.write(block)
    except (tarfile.TarError, EOFError, zlib.error, BadGzipFile) as error:
        raise WeightsError(f"{archive} is damaged ({error}). Delete it and fetch it again.") from error
    return target


@contextmanager
def shown(one: Published, *, quiet: bool) -> Iterator[Report]:
    """Say on standard error what is being fetched, with a bar where there is a terminal to draw it on."""
    if quiet:
        yield lambda _done, _total: None
        return
    licence = "no licence stated for the weights" if one.licence is None else f"licence: {one.licence}"
    print(f"Fetching {one.full_name} from {one.address} ({licence}) into {place(one).parent}", file=sys.stderr, flush=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task(one.file, total=one.size)
    with bar:
        yield lambda done, total: bar.update(task, completed=done, total=total)
