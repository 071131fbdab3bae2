"""ONNX models: whoever exported them, their layers run in the order of our units, and their batch norm is folded in or not.

Exporters rename tensors ("onnx::Conv_542") and fold batch norm into convolutions, so names say little. The order of the layers
and the shapes of their weights tell the networks apart, their pools tell variants of one apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from inceptions.architecture import Architecture
from inceptions.architecture.declaration import leaves
from inceptions.architecture.nodes import Conv, Pool, SeparableConv
from inceptions.weights.families.graph_2015 import plain
from inceptions.weights.families.names import COUNTER, Pair, Translation, units

Node = Mapping[str, Any]
NORM = {"scale": "weight", "shift": "bias", "mean": "running_mean", "var": "running_var"}


def layers(tensors: Mapping[str, Tensor], nodes: Sequence[Node]) -> dict[str, Tensor]:
    """The weights by the rank of their layer: "0/weight", "0/bias"; of a batch norm "0/scale", "0/shift", "0/mean", "0/var".

    Args:
        tensors: initialisers and constants by name. Matrices and kernels that no layer uses keep their names.
        nodes: of the graph, in order.
    """
    known = dict(tensors)
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in node["inputs"]:
            readers.setdefault(name, []).append(node)
        if node["op"] in ("Identity", "Transpose") and node["inputs"] and node["inputs"][0] in known:
            moved = known[node["inputs"][0]]
            order = node["attributes"].get("perm") if node["op"] == "Transpose" else None
            known[node["outputs"][0]] = moved.permute(*order) if order else moved.T if node["op"] == "Transpose" else moved
    found: dict[str, Tensor] = {}
    used: set[int] = set()
    rank = 0
    for node in nodes:
        weight = known.get(node["inputs"][1]) if len(node["inputs"]) > 1 else None
        if weight is None or node["op"] not in ("Conv", "Gemm", "MatMul") or weight.ndim not in (2, 4):
            continue
        used.add(weight.data_ptr())
        dense = node["op"] != "Conv"
        if dense and not node["attributes"].get("transB", 0):
            weight = weight.T
        bias = known.get(node["inputs"][2]) if len(node["inputs"]) > 2 else None
        for reader in readers.get(node["outputs"][0], []):
            if reader["op"] == "Add" and dense and bias is None:
                bias = next((known[name] for name in reader["inputs"] if name in known), None)
            if reader["op"] == "BatchNormalization":
                for name, source in zip(NORM, reader["inputs"][1:5], strict=True):
                    found[f"{rank}/{name}"] = known[source]
        found[f"{rank}/weight"] = weight
        # An exporter leaves out a bias that is nothing but zeros.
        if bias is not None or f"{rank}/scale" not in found:
            found[f"{rank}/bias"] = torch.zeros(len(weight)) if bias is None else bias
        rank += 1
    # Whatever else could be a layer's weight shall not go unnoticed.
    return found | {
        name: tensor
        for name, tensor in tensors.items()
        if tensor.ndim > 1 and tensor.is_floating_point() and tensor.data_ptr() not in used
    }


def ordered(architecture: Architecture, found: Mapping[str, Tensor]) -> Translation:
    """The map from such layers to the units of a network without auxiliary heads."""
    pairs: list[Pair] = []
    for i, (path, unit) in enumerate(units(architecture)):
        if unit.norm is None or f"{i}/scale" not in found:
            pairs += plain(path, unit, str(i))
            continue
        core = f"{path}.{'conv' if isinstance(unit, Conv) else 'linear'}"
        pairs.append(Pair(f"{core}.weight", f"{i}/weight"))
        if isinstance(unit, Conv) and unit.has_bias:
            pairs.append(Pair(f"{core}.bias", f"{i}/bias"))
        pairs += [Pair(f"{path}.bn.{ours}", f"{i}/{theirs}") for theirs, ours in NORM.items()]
        pairs.append(Pair(f"{path}.bn.{COUNTER}", "", otherwise=0.0, written=False))
    return Translation(tuple(pairs))


def fits(architecture: Architecture, ours: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> bool:
    """Whether the layers are those of a network: as many, of the same shapes, but for the number of classes.

    Args:
        architecture: without auxiliary heads.
        ours: its state dict; "meta" tensors will do.
        found: what `layers` found.
    """
    expected = []
    for path, unit in units(architecture):
        if isinstance(unit, SeparableConv):
            return False
        expected.append(ours[f"{path}.{'conv' if isinstance(unit, Conv) else 'linear'}.weight"].shape)
    shapes = [found[f"{i}/weight"].shape for i in range(sum(name.removesuffix("/weight").isdigit() for name in found))]
    return shapes[:-1] == expected[:-1] and len(shapes) == len(expected) and shapes[-1][1:] == expected[-1][1:]


def disagreement(architecture: Architecture, nodes: Sequence[Node]) -> int:
    """How many of a graph's pools are of another kind than the network's, or count padding where it does not."""
    ours = [_kind(leaf) for leaf in _pools(architecture)]
    theirs = []
    for node in nodes:
        kernel = node["attributes"].get("kernel_shape")
        if node["op"] not in ("MaxPool", "AveragePool") or not kernel or kernel[0] > 3:
            continue
        average, strided = node["op"] == "AveragePool", node["attributes"].get("strides", [1])[0] > 1
        theirs.append((average, strided, average and bool(node["attributes"].get("count_include_pad", 0))))
    return sum(a != b for a, b in zip(ours, theirs, strict=False)) + abs(len(ours) - len(theirs))


def _pools(architecture: Architecture) -> Iterator[Pool]:
    return (leaf for _, leaf in leaves(architecture.trunk) if isinstance(leaf, Pool))


def _kind(pool: Pool) -> tuple[bool, bool, bool]:
    return pool.kind == "average", pool.stride > 1, pool.kind == "average" and pool.count_padding
