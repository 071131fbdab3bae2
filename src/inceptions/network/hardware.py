"""The processor and the C library beneath torch."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Numbers of glibc's malloc.h. As "never" the largest number would not do: large networks free more than 2 GiB at once.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX, NEVER = -1, -3, -4, -8, -1

# Bytes from which on glibc asks the system for a map of its own: as it begins, and as large as it comes to by itself.
FIRST, LARGEST = 128 * 2**10, 32 * 2**20


def keep_memory() -> None:
    """Let the C library keep what is freed for the next layer, instead of giving every map back and asking for it again.

    The system fills each new page with zeros. That is a quarter of the time of Inception-v3 in evaluation, 64 images of 299
    pixels at a time in bf16 on the CPU. The process then holds its largest use of memory until it ends. glibc only.
    """
    _mallopt(M_MMAP_MAX, 0)
    _mallopt(M_TRIM_THRESHOLD, NEVER)


@contextmanager
def give_back() -> Iterator[None]:
    """Meanwhile, give what is freed back to the system at once, where `keep_memory` was not asked for.

    For work that makes copy after copy of all weights: by itself glibc keeps them for later. glibc only.
    """
    _mallopt(M_MMAP_THRESHOLD, FIRST)
    try:
        yield
    finally:
        _mallopt(M_MMAP_THRESHOLD, LARGEST)


def share_memory() -> None:
    """Let all threads take memory from one heap, for processes that live long.

    By default glibc gives threads heaps of their own, and what one thread takes and another gives back leaves them to fray: the
    service grew by half a megabyte in 100,000 images. Heaps that are there already stay. glibc only.
    """
    _mallopt(M_ARENA_MAX, 1)


def _mallopt(what: int, value: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(what, value)


def instructions() -> frozenset[str]:
    """The processor's sets of instructions, as torch names them; none where a release of torch cannot be asked yet."""
    import torch

    return frozenset(name for name, there in getattr(torch.cpu, "get_capabilities", dict)().items() if there is True)


def matrix_units() -> bool:
    """Whether the processor multiplies matrices in bf16 as a whole (AMX), not only vectors."""
    return "amx_bf16" in instructions()


def fast_bf16() -> bool:
    """Whether the processor multiplies in bf16."""
    return not instructions().isdisjoint({"amx_bf16", "avx512_bf16"})


def processor() -> str:
    """The processor's name, as far as the system knows it."""
    known = Path("/proc/cpuinfo")
    if known.is_file():
        for line in known.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
