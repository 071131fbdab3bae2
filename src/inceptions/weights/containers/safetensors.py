"""Anybody's safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from inceptions.files import replacing
from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.store import check_header, save_tensors


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors, and the metadata, which in this format is text.

    Raises:
        WeightsError: the header is none, or larger than any that is needed.
        Fault: tensors overlap, leave gaps, or reach beyond the file.
    """
    check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise Fault(f"cannot be read ({error})") from error
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise Fault(f"has tensors that torch cannot hold ({error})") from error


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a file of tensors; metadata that is no text is left out."""
    with replacing(path) as temporary:
        ours = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
        save_tensors(temporary, ours, {key: value for key, value in metadata.items() if isinstance(value, str)})
