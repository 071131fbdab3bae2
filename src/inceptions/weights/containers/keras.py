"""Keras's files: one name for a weight, whichever of its four layouts it comes from.

- whole models (.h5) and weights of Keras 1 and 2 (.h5): each layer lists the names of its weights, "conv2d_1/kernel:0";
- weights of Keras 3 (.weights.h5): variables without names, under paths that are counted anew, "layers/conv2d_1/vars/0";
- whole models of Keras 3 (.keras): a zip archive of those and the model's configuration.

Here all are "<layer>/<weight>", and for a model inside a model "<model>/<layer>/<weight>".
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from inceptions.weights.containers import hdf5, zips
from inceptions.weights.containers.checkpoint import Fault

WEIGHTS = "model.weights.h5"
CONFIG = "config.json"
LARGEST_CONFIG = 16 * 2**20
MOST_DEPTH = 16
SEEDS = "seed_generator"
OPTIMIZER = "optimizer"
_VARIABLE = re.compile(r"^(?:(.*)/)?vars/(\d+)$")
# What Keras 3 numbers, in the order of its numbers. Without a scale a batch norm has no gamma, and so on.
_LEAVES: dict[str, tuple[str, ...]] = {
    "SeparableConv2D": ("depthwise_kernel", "pointwise_kernel", "bias"),
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "DepthwiseConv2D", "Dense"), ("kernel", "bias")),
}
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_CLASSES = (*_LEAVES, "BatchNormalization")

Groups = dict[str, dict[str, Tensor]]


def read(path: Path, *, zipped: bool) -> tuple[Groups, dict[str, Any]]:
    """The weights, the optimiser's state if there is one, and the layers in order: of each name, class and weights.

    A batch norm of three variables whose configuration is not in the file is taken to have no scale, which is Inception's way.

    Args:
        path: the file.
        zipped: whether it is a zip archive (.keras).

    Raises:
        MachineError: h5py is not installed.
        Fault: the file is damaged, or not from Keras.
    """
    config: Any = None
    if zipped:
        with tempfile.TemporaryDirectory() as folder, zips.opened(path) as archive:
            for name in (WEIGHTS, CONFIG):
                if name not in archive.namelist():
                    raise Fault(f"is a .keras archive without {name}", "Save it again with model.save.")
            config = _json(zips.content(archive, CONFIG, LARGEST_CONFIG))
            inner = Path(folder, WEIGHTS)
            zips.copy(archive, WEIGHTS, inner)
            tree = hdf5.read(inner)
    else:
        tree = hdf5.read(path)
        config = _json(tree.attributes[""].get("model_config", "null"))
    for root in ("model_weights", ""):
        if _listed(tree, root, "layer_names") is not None:
            return _legacy(tree, root, config)
    if any(_VARIABLE.match(name) for name in tree.arrays):
        return _numbered(tree, config)
    raise Fault("is an HDF5 file, but not one of Keras: no layers are listed in it", "Give the file that Keras saved.")


def _legacy(tree: hdf5.Tree, root: str, config: Any) -> tuple[Groups, dict[str, Any]]:
    """Layers that list their weights."""
    known = {"/".join(names): one for names, _, one in _layers(config)}
    tensors: dict[str, Tensor] = {}
    layers: list[dict[str, Any]] = []
    used = set()
    extra = "top_level_model_weights"
    names = _listed(tree, root, "layer_names") or []
    for layer in [*names, *([extra] if extra not in names and _join(root, extra) in tree.groups else [])]:
        place = _join(root, layer)
        listed = _listed(tree, place, "weight_names")
        if listed is None:
            raise Fault(f"lists a layer {layer} that is not in it")
        kind = known.get(layer, {}).get("class_name")
        nested = "layers" in (known.get(layer, {}).get("config") or {})
        found = _shortened(layer, listed, nested=nested)
        if len(set(found)) != len(found) or any(name in tensors for name in found):
            raise Fault(f"lists the weights of {layer} twice")
        for name, weight in zip(found, listed, strict=True):
            full = _join(place, weight)
            if full not in tree.arrays:
                raise Fault(f"lists {full}, which is not in it")
            tensors[name] = tree.arrays[full]
            used.add(full)
        if layer != extra or found:
            layers += _inner(layer, kind, found, known)
    listed_names = [name for layer in layers for name in layer["weights"]]
    groups: Groups = {"": {name: tensors[name] for name in listed_names}}
    for full, tensor in tree.arrays.items():
        if full not in used:
            if root and not full.startswith(f"{root}/"):
                groups.setdefault(OPTIMIZER, {})[full] = tensor
            else:
                raise Fault(f"holds {full}, which no layer lists")
    return groups, _metadata(tree, layers, config, root)


def _shortened(layer: str, listed: Sequence[str], *, nested: bool) -> list[str]:
    """The names of a layer's weights: "conv2d/conv2d_7/kernel:0" is "conv2d/kernel"."""
    parts = [weight.removesuffix(":0").split("/") for weight in listed]
    # A layer's own name, or the one that TensorFlow made of it to be unique; in a model the layers' names, which stay.
    scopes = {tuple(part[:-1]) for part in parts}
    if len(scopes) <= 1 and not nested:
        parts = [part[-1:] for part in parts]
    return ["/".join([layer, *(part[1:] if len(part) > 1 and part[0] == layer else part)]) for part in parts]


def _inner(layer: str, kind: str | None, weights: list[str], known: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A layer as an entry of the list; of a model inside the model, its layers: as configured, or else as they come."""
    scopes: dict[str, list[str]] = {}
    for weight in weights:
        scopes.setdefault(weight.rpartition("/")[0], []).append(weight)
    if set(scopes) <= {layer}:
        return [{"name": layer, "class": kind, "weights": weights}]
    order = {name: i for i, name in enumerate(known)}
    names = sorted(scopes, key=lambda name: order.get(name, len(order)))
    return [{"name": name, "class": known.get(name, {}).get("class_name"), "weights": scopes[name]} for name in names]


def _numbered(tree: hdf5.Tree, config: Any) -> tuple[Groups, dict[str, Any]]:
    """Variables that are numbered under paths that are counted."""
    known = {path: (names, one) for names, path, one in _layers(config)}
    places: dict[str, dict[int, str]] = {}
    for full in tree.arrays:
        match = _VARIABLE.match(full)
        if match is None:
            raise Fault(f"holds {full}, which Keras would not write")
        places.setdefault(match[1] or "", {})[int(match[2])] = full
    order = {path: i for i, path in enumerate(known)}
    groups: Groups = {"": {}}
    layers: list[dict[str, Any]] = []
    for place in sorted(places, key=lambda one: (order.get(one, len(order)), _natural(one))):
        names, entry = known.get(place, (None, {}))
        label = "/".join(names) if names else _label(tree, place)
        kind = entry.get("class_name") or _class(place)
        numbers = places[place]
        if sorted(numbers) != list(range(len(numbers))):
            raise Fault(f"has lost a variable of {place}: there are {sorted(numbers)}")
        group = OPTIMIZER if place.split("/")[0] == OPTIMIZER else SEEDS if SEEDS in place else ""
        leaves = _leaves(kind, len(numbers), entry.get("config") or {})
        found = [f"{label}/{leaf}".lstrip("/") for leaf in leaves]
        for name, number in zip(found, sorted(numbers), strict=True):
            if name in groups.setdefault(group, {}):
                raise Fault(f"has two weights of the name {name}")
            groups[group][name] = tree.arrays[numbers[number]]
        if not group:
            layers.append({"name": label, "class": kind, "weights": found})
    return groups, _metadata(tree, layers, config, "")


def _leaves(kind: str | None, count: int, config: Mapping[str, Any]) -> list[str]:
    """The names of a layer's variables, which Keras 3 only numbers."""
    if kind == "BatchNormalization" and 2 <= count <= 4:
        dropped = {4: (), 2: ("gamma", "beta")}.get(count)
        if dropped is None:
            dropped = ("beta",) if config.get("center") is False and config.get("scale") is not False else ("gamma",)
        return [leaf for leaf in _NORM if leaf not in dropped]
    leaves = _LEAVES.get(kind or "", ())
    return list(leaves[:count]) if count <= len(leaves) else [str(i) for i in range(count)]


def _label(tree: hdf5.Tree, place: str) -> str:
    """The name of a layer by its path: the one that newer versions note down, else the counted one."""
    parts = place.split("/")
    found = []
    for i, part in enumerate(parts):
        if part in ("layers", "_layer_checkpoint_dependencies") or not part:
            continue
        noted = tree.attributes.get("/".join([*parts[: i + 1], "vars"]), {}).get("name")
        found.append(noted if isinstance(noted, str) and noted else part)
    return "/".join(found)


def _class(place: str) -> str | None:
    counted = re.sub(r"_\d+$", "", place.rpartition("/")[2])
    return next((name for name in _CLASSES if snake(name) == counted), None)


def _layers(config: Any, path: str = "", names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, dict[str, Any]]]:
    """The layers in a configuration, models inside included: name, path in a file of weights, and their own configuration."""
    inner = config.get("config") if isinstance(config, dict) else None
    listed = inner.get("layers") if isinstance(inner, dict) else inner  # Keras 1: a Sequential is a list
    if not isinstance(listed, list) or len(names) > MOST_DEPTH:
        return
    used: dict[str, int] = {}
    for layer in listed:
        own = layer.get("config") if isinstance(layer, dict) else None
        if not isinstance(own, dict) or not isinstance(layer.get("class_name"), str) or not isinstance(own.get("name"), str):
            continue
        counted = snake(layer["class_name"])
        number = used[counted] = used.get(counted, -1) + 1
        full = _join(path, f"layers/{counted}" + (f"_{number}" if number else ""))
        yield (*names, own["name"]), full, layer
        yield from _layers(layer, full, (*names, own["name"]))


def _metadata(tree: hdf5.Tree, layers: list[dict[str, Any]], config: Any, root: str) -> dict[str, Any]:
    stated = {**tree.attributes.get("", {}), **tree.attributes.get(root, {})}
    found: dict[str, Any] = {"layers": layers}
    found |= {key: stated[key] for key in ("keras_version", "backend") if key in stated}
    return found if config is None else {**found, "config": config}


def _listed(tree: hdf5.Tree, group: str, name: str) -> list[str] | None:
    """A list of names, which Keras cuts in pieces when it is long: "layer_names", or "layer_names0", "layer_names1", ..."""
    stated = tree.attributes.get(group, {})
    pieces = [name] if name in stated else []
    while not (pieces and pieces[0] == name) and f"{name}{len(pieces)}" in stated:
        pieces.append(f"{name}{len(pieces)}")
    if not pieces:
        return None
    found = [one for piece in pieces for one in stated[piece] if isinstance(stated[piece], list)]
    if any(not isinstance(one, str) for one in found):
        raise Fault(f"has {name} of {group or 'the file'} that are no names")
    return [one for one in found if isinstance(one, str)]


def _json(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Fault("has a configuration that is no JSON") from error


def _join(group: str, name: str) -> str:
    return f"{group}/{name}" if group else name


def _natural(path: str) -> list[tuple[int, str]]:
    """A key that puts conv2d_10 behind conv2d_9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path)]


def snake(name: str) -> str:
    """How Keras 3 makes a path of a class: BatchNormalization, batch_normalization."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
