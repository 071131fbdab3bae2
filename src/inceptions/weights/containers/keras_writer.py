"""Weights in Keras's own files, for `model.load_weights`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from inceptions.errors import MachineError
from inceptions.files import replacing
from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.containers.keras import snake
from inceptions.weights.containers.values import plain

NUMBERED = ".weights.h5"
# HDF5 has no room for longer attributes; Keras cuts its lists in the same way.
LONGEST_ATTRIBUTE = 64_512


def write(path: Path, tensors: Mapping[str, Tensor], layers: Sequence[Mapping[str, Any]] | None) -> None:
    """Write a file of weights that `model.load_weights` reads.

    Args:
        path: "*.weights.h5" for the layout of Keras 3, where variables have only numbers; any other "*.h5" for the one before.
        tensors: by "<layer>/<weight>".
        layers: in order, each with "name", "weights" (names of tensors in order) and for Keras 3 "class"; without them the
            order of the tensors is that of the layers.

    Raises:
        MachineError: h5py is not installed.
        Fault: layers and tensors do not fit each other, or Keras has no such type of number.
    """
    try:
        import h5py
    except ImportError as error:
        raise MachineError("Writing Keras's files needs h5py: pip install 'inceptions[keras]'.") from error
    if path.suffix != ".h5":
        raise Fault("would need the whole model with its configuration", "Write .h5 or .weights.h5, which load_weights reads.")
    listed = _layers(tensors, layers)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        if path.name.endswith(NUMBERED):
            _numbered(file, tensors, listed)
        else:
            _listed(file, tensors, listed)


def _layers(tensors: Mapping[str, Tensor], layers: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    if layers is None:
        found: dict[str, list[str]] = {}
        for name in tensors:
            layer, _, weight = name.rpartition("/")
            if not layer or not weight:
                raise Fault(f"cannot hold a tensor of the name {name!r}", 'Keras wants "<layer>/<weight>".')
            found.setdefault(layer, []).append(name)
        return [{"name": layer, "class": None, "weights": weights} for layer, weights in found.items()]
    listed = [name for layer in layers for name in layer["weights"]]
    if sorted(listed) != sorted(tensors):
        odd = sorted(set(listed) ^ set(tensors))
        raise Fault(
            f"has layers that do not list each tensor once ({', '.join(odd[:3]) or 'one is listed twice'})", "Correct the list."
        )
    return [dict(layer) for layer in layers]


def _listed(file: Any, tensors: Mapping[str, Tensor], layers: list[dict[str, Any]]) -> None:
    """Keras 1 and 2: each layer's group lists its weights. Models inside the model are one layer."""
    outer: dict[str, list[str]] = {}
    for layer in layers:
        outer.setdefault(layer["name"].split("/")[0], []).extend(layer["weights"])
    _attribute(file, "layer_names", list(outer))
    file.attrs["backend"] = b"tensorflow"
    file.attrs["keras_version"] = b"2.15.0"
    for name, weights in outer.items():
        group = file.create_group(name)
        _attribute(group, "weight_names", [f"{weight}:0" for weight in weights])
        for weight in weights:
            group.create_dataset(f"{weight}:0", data=plain(tensors[weight]))


def _numbered(file: Any, tensors: Mapping[str, Tensor], layers: list[dict[str, Any]]) -> None:
    """Keras 3: variables by number, under paths counted by class."""
    used: dict[str, int] = {}
    for layer in layers:
        if not layer.get("class") or "/" in layer["name"]:
            raise Fault(f"needs the class of {layer['name']}, and no model inside the model", "Write .h5 instead.")
        counted = snake(layer["class"])
        number = used[counted] = used.get(counted, -1) + 1
        group = file.create_group(f"layers/{counted}" + (f"_{number}" if number else "")).create_group("vars")
        group.attrs["name"] = layer["name"]
        for i, weight in enumerate(layer["weights"]):
            group.create_dataset(str(i), data=plain(tensors[weight]))


def _attribute(group: Any, name: str, values: list[str]) -> None:
    """A list of names, in pieces if it is long."""
    data = np.array([value.encode() for value in values] or [], dtype="S" if values else "f8")
    pieces = 1
    while any(piece.nbytes > LONGEST_ATTRIBUTE for piece in np.array_split(data, pieces)):
        pieces += 1
    for i, piece in enumerate(np.array_split(data, pieces)):
        group.attrs[name if pieces == 1 else f"{name}{i}"] = piece
