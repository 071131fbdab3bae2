"""The names of the TensorFlow graph of 2015-12-05: Inception-v3 as its authors first published it and as the Fréchet distance
uses it, with batch norm folded into the convolutions.

TensorFlow named what its code left unnamed by counting: in a module the single convolution is "conv", the longer branches are
"tower", "tower_1", ...; in a tower the convolutions are "conv", "conv_1", ..., and what is joined inside it is "mixed".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

import torch
from torch import Tensor

from inceptions.architecture import Architecture
from inceptions.architecture.inception_v2 import MODULES
from inceptions.architecture.nodes import Chain, Concat, Conv, Node
from inceptions.weights.names import units


def names(architecture: Architecture) -> dict[str, str]:
    """From our path of each unit of `inception_v3/fid` to the graph's name of it."""
    graph = dict(zip(MODULES, _counted("mixed"), strict=False))
    found: dict[str, str] = {"main.logits": "softmax"}
    plain = _counted("conv")
    for node in architecture.trunk.nodes:
        if isinstance(node, Conv):
            found[node.name] = next(plain)
        elif isinstance(node, Concat):
            found |= _module(node, node.name, graph[node.name])
    return found


def unfolded(architecture: Architecture, graph: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our state dict from the graph's folded tensors, as far as they are there.

    A folded bias becomes the shift of a batch norm that does nothing else: mean 0, variance 1 - eps, scale 1.

    Args:
        architecture: `inception_v3/fid`, whole or cut with `until`.
        graph: tensors by their names in the graph, "mixed/tower/conv_1/weight".
    """
    theirs = names(architecture)
    state: dict[str, Tensor] = {}
    for path, unit in units(architecture):
        weight, bias = (graph.get(f"{theirs[path]}/{name}") for name in ("weight", "bias"))
        if weight is None or bias is None or not isinstance(unit, Conv) or unit.norm is None:
            continue
        state |= {
            f"{path}.conv.weight": weight,
            f"{path}.bn.weight": torch.ones_like(bias),
            f"{path}.bn.bias": bias,
            f"{path}.bn.running_mean": torch.zeros_like(bias),
            f"{path}.bn.running_var": torch.full_like(bias, 1 - unit.norm.eps),
            f"{path}.bn.num_batches_tracked": torch.tensor(0),
        }
    return state


def _module(node: Concat, ours: str, theirs: str) -> dict[str, str]:
    found: dict[str, str] = {}
    towers, single = _counted("tower"), _counted("conv")
    for branch in node.branches:
        path = f"{ours}.{branch.name}"
        if [isinstance(inner, Conv) for inner in branch.nodes] == [True]:
            found[f"{path}.{branch.nodes[0].name}"] = f"{theirs}/{next(single)}"
        elif any(not _weightless(inner) for inner in branch.nodes):
            found |= _tower(branch, path, f"{theirs}/{next(towers)}")
    return found


def _tower(branch: Chain, ours: str, theirs: str) -> dict[str, str]:
    found: dict[str, str] = {}
    convolutions = _counted("conv")
    for node in branch.nodes:
        if isinstance(node, Conv):
            found[f"{ours}.{node.name}"] = f"{theirs}/{next(convolutions)}"
        elif isinstance(node, Concat):
            found |= _module(node, f"{ours}.{node.name}", f"{theirs}/mixed")
    return found


def _weightless(node: Node) -> bool:
    return not isinstance(node, Conv | Concat)


def _counted(word: str) -> Iterator[str]:
    """The word, word_1, word_2, ... as TensorFlow makes names unique."""
    return (word if i == 0 else f"{word}_{i}" for i in count())
