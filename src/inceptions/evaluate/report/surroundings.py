"""Where it was computed: versions, machine, threads."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version

import torch

from inceptions.data.scan import decoding_threads
from inceptions.network.hardware import processor

PACKAGES = ("inceptions", "torch", "torchvision", "numpy", "pillow")


def surroundings() -> Iterator[tuple[str, str]]:
    """Each property of this machine and process with its value."""
    yield "versions", ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "system", f"{platform.system()} {platform.release()}, {platform.machine()}"
    cores, threads = decoding_threads(), torch.get_num_threads()
    yield "processor", f"{processor()}, {cores} core{'s' * (cores != 1)} to use"
    yield "threads", f"{threads} of torch"
    if memory := total_memory():
        yield "memory", f"{memory / 2**30:.0f} GiB"
    if torch.cuda.is_available():
        found = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield "GPU", ", ".join(found)


def total_memory() -> int | None:
    """Bytes of memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
