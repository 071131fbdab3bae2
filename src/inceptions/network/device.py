"""Where a network computes."""

from __future__ import annotations

import torch

from inceptions.errors import MachineError, unknown


def choose_device(wanted: str = "auto") -> torch.device:
    """The device to compute on: the named one, or the first GPU if there is one, or the CPU.

    Args:
        wanted: "auto", "cpu", "cuda" or "mps", with an index if need be ("cuda:1").

    Raises:
        UsageError: no name of a device.
        MachineError: this machine does not have it.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise unknown("device", wanted, ("auto", "cpu", "cuda", "mps")) from None
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if device.type not in there:
        raise unknown("device", wanted, ("auto", *there))
    if not there[device.type]:
        raise MachineError(f"There is no {wanted} on this machine that torch {torch.__version__} can use. Try --device auto.")
    return device
