"""The folder of prepared engines, kept from growing without end."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

MOST = 4 * 10**9
"""Bytes that may stay: some forty large networks."""

FRESH = 60.0
"""Seconds for which what was used counts as in use."""


def trim(folder: Path, most: int = MOST) -> str:
    """Delete what was not used for longest, until the rest is small enough. Everything here can be made again.

    Returns:
        What was deleted, as a sentence; "" if nothing had to go.
    """
    found: list[tuple[float, int, Path]] = []
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):  # another process may delete as well
                state = path.stat()
                if path.is_file() and path.suffix != ".lock":
                    # Where the system notes no reading, what was written first goes first.
                    found.append((max(state.st_atime, state.st_mtime), state.st_size, path))
    total = sum(size for _, size, _ in found)
    gone = freed = 0
    for used, size, path in sorted(found):
        if total - freed <= most or time.time() - used < FRESH:
            break
        with suppress(OSError):
            path.unlink()
            gone, freed = gone + 1, freed + size
    if not gone:
        return ""
    return (
        f"{gone} files of prepared engines that nobody used for longest were deleted: {freed / 1e9:.1f} GB more than the "
        f"{most / 1e9:g} GB that {folder} may keep."
    )
