"""Where a run computes and in which precision: chosen from the machine, said out loud, and open to be overruled."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import ProjectConfiguration
from torch import Tensor

from inceptions.errors import MachineError, UsageError, unknown
from inceptions.network.device import choose_device as choose_device
from inceptions.network.hardware import fast_bf16, keep_memory

Precision = Literal["fp32", "bf16", "fp16"]
PRECISIONS = ("auto", *get_args(Precision))
MOST_WORKERS = 8


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """The precision to compute in: the named one, or bf16 where the hardware multiplies it faster than fp32.

    Args:
        wanted: "auto", "fp32", "bf16" or "fp16". The last two are autocast: weights, optimiser and losses stay in fp32. fp16
            has too small a range for gradients, so the loss is scaled, and updates whose gradient overflows are skipped.
        device: where it will be computed.

    Raises:
        UsageError: no such precision, or fp16 without a GPU.
    """
    match wanted:
        case "fp32" | "bf16":
            return wanted
        case "fp16":
            if device.type != "cuda":
                raise UsageError(f"fp16 is for GPUs of NVIDIA and AMD, not for {device.type}: take bf16, it needs no scaling.")
            return wanted
        case "auto":
            return "bf16" if _fast_bf16(device) else "fp32"
    raise unknown("precision", wanted, PRECISIONS)


def _fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return fast_bf16()
    return False


def check_compiler(device: torch.device) -> None:
    """Refuse to let torch compile where it would find no C++ compiler.

    Raises:
        MachineError: says what to install.
    """
    wanted = os.environ.get("CXX", "g++")
    if device.type == "cpu" and shutil.which(wanted) is None:
        raise MachineError(
            f"--compile needs a C++ compiler, and {wanted} is not here: install it (apt install g++), name another one in the "
            "variable CXX, or leave --compile out."
        )


def choose_workers(wanted: str | int, device: torch.device) -> int:
    """Processes that prepare images: on a GPU all cores but one; on the CPU half of them, since the network needs the cores.

    Args:
        wanted: "auto" or a number; 0 prepares the images in the training process itself.
        device: where the network computes.

    Raises:
        UsageError: not a number of processes.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if wanted == "auto":
        return max(1, min(MOST_WORKERS, cores // 2 if device.type == "cpu" else cores - 1))
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 0 <= wanted <= 256:
        raise UsageError(f"workers must be auto or a whole number from 0 to 256, not {wanted!r}.")
    return wanted


def start(device: torch.device, precision: Precision, *, track: Sequence[str] = (), folder: Path | None = None) -> Accelerator:
    """The accelerator of one run, connected to the other processes if it was launched as one of several.

    Args:
        device: where to compute; of several GPUs each process takes its own.
        precision: what to compute in.
        track: names of trackers.
        folder: where trackers write that write files.
    """
    keep_memory()
    # Accelerate keeps device and precision for the life of the process; a second run in it may want others.
    AcceleratorState._reset_state(reset_partial_state=True)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    return Accelerator(
        cpu=device.type == "cpu",
        mixed_precision="no" if precision == "fp32" else precision,
        log_with=list(track) or None,
        project_config=ProjectConfiguration(project_dir=folder, logging_dir=folder),
    )


class Readback:
    """A few numbers on their way from the device to Python, while the device goes on with what it was given since.

    Args:
        device: where they come from.
    """

    def __init__(self, device: torch.device) -> None:
        self._event = torch.cuda.Event() if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._host: Tensor | None = None

    @property
    def began(self) -> bool:
        """Whether anything was fetched yet."""
        return self._host is not None

    def fetch(self, values: Tensor) -> None:
        """Start to fetch a tensor of one dimension."""
        if self._event is None:
            self._host = values.cpu()
            return
        if self._host is None:
            self._host = torch.empty_like(values, device="cpu", pin_memory=True)
        self._host.copy_(values, non_blocking=True)
        self._event.record()

    def numbers(self) -> list[float]:
        """Wait for what was fetched, and only for that."""
        assert self._host is not None
        if self._event is not None:
            self._event.synchronize()
        return [float(value) for value in self._host.tolist()]
