"""Writing files so that a reader sees the old file or the whole new one, never a part.

Every file of a run goes through `replacing`: a temporary name in the same folder, flushed to the disk, renamed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from inceptions.errors import MachineError

TEMPORARY = ".partial"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; on success it takes the place of `path`, on failure it is removed.

    Args:
        path: the file to replace; its folder is created if need be.

    Yields:
        A path in the same folder, so that the rename stays on one file system and is atomic.

    Raises:
        MachineError: no space, no permission or a read-only file system. `path` is as it was before.
    """
    # A name per process: two writers of one file must not share a temporary file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Some writers make files that only their owner may read; the permissions are to be the usual ones.
            temporary.touch()
            usual = temporary.stat().st_mode
            yield temporary
            temporary.chmod(usual)
            _sync(temporary)
            temporary.replace(path)
            _sync(path.parent)
    finally:
        # Unlinking can fail for the reason that the write failed (read-only folder); the first error is the one to show.
        with contextlib.suppress(OSError):
            temporary.unlink()


def place(written: Path, path: Path) -> None:
    """Let a complete file take the place of `path`, on the same file system."""
    with explained(path):
        _sync(written)
        written.replace(path)
        _sync(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` as a whole."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Replace `path` by `content` (UTF-8) as a whole."""
    write_bytes(path, content.encode("utf-8"))


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write `path` into a sentence.

    Raises:
        MachineError: instead of the `OSError`s that speak of the disk or of permissions.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MachineError(
                f"The disk is full: {path} could not be written ({_free(path)} free). What was saved before is "
                "untouched; free some space and resume, or choose another folder with --run."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise MachineError(
                f"No permission to write {path} ({error.strerror}). Choose a folder you can write to."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise MachineError(
                f"{path} cannot be written: a part of its path is a file, not a folder. Choose another folder."
            ) from error
        raise


def remove_leftovers(folder: Path) -> None:
    """Delete what writers that were killed left behind in `folder`."""
    for leftover in folder.glob(f".*{TEMPORARY}"):
        if not leftover.is_dir():  # that of an export may be in use, and the next export removes it
            leftover.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free(path: Path) -> str:
    existing = next(parent for parent in path.absolute().parents if parent.exists())
    return f"{shutil.disk_usage(existing).free / 1e6:.1f} MB"
