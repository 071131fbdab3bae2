"""The names of the TensorFlow graph of 2015-12-05: Inception-v3 as its authors first published it and as the Fréchet distance
uses it, with batch norm folded into the convolutions.

TensorFlow named what its code left unnamed by counting: in a module the single convolution is "conv", the longer branches are
"tower", "tower_1", ...; in a tower the convolutions are "conv", "conv_1", ..., and what is joined inside it is "mixed".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from inceptions.architecture import Architecture
from inceptions.architecture.inception_v2 import MODULES
from inceptions.architecture.nodes import Chain, Concat, Conv, Node, SeparableConv
from inceptions.weights.families.names import COUNTER, Pair, Translation, Unit, has_bias, units


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


def folded(architecture: Architecture) -> Translation:
    """The map for `inception_v3/fid` from the graph's tensors with batch norm folded in ("mixed/tower/conv_1/weight", `bias`).

    A folded bias becomes the shift of a batch norm that does nothing else: mean 0, variance 1 - eps, scale 1.
    """
    theirs = names(architecture)
    return Translation(tuple(pair for path, unit in units(architecture) for pair in plain(path, unit, theirs[path])))


def plain(path: str, unit: Unit, theirs: str, separator: str = "/") -> Iterator[Pair]:
    """A unit as a weight and a bias, its batch norm folded in if it has one."""
    assert not isinstance(unit, SeparableConv), "no published network keeps one of these folded"
    core = f"{path}.{'conv' if isinstance(unit, Conv) else 'linear'}"
    yield Pair(f"{core}.weight", f"{theirs}{separator}weight")
    bias = Pair(f"{core}.bias", f"{theirs}{separator}bias")
    if unit.norm is None:
        yield from [bias] if has_bias(unit) else []
        return
    if has_bias(unit):
        yield replace(bias, theirs="", otherwise=0.0, written=False)
    yield Pair(f"{path}.bn.bias", f"{theirs}{separator}bias")
    for name, value in (("weight", 1.0), ("running_mean", 0.0), ("running_var", 1 - unit.norm.eps), (COUNTER, 0.0)):
        yield Pair(f"{path}.bn.{name}", "", otherwise=value, written=False)


def graph(architecture: Architecture) -> Translation:
    """The map for `inception_v3/fid` from the constants of the frozen graph itself ("conv/conv2d_params")."""
    theirs = names(architecture)
    pairs: list[Pair] = []
    for path, unit in units(architecture):
        where = theirs[path]
        if unit.norm is None:
            pairs += [Pair(f"{path}.linear.weight", f"{where}/weights", "io"), Pair(f"{path}.linear.bias", f"{where}/biases")]
            continue
        pairs.append(Pair(f"{path}.conv.weight", f"{where}/conv2d_params", "hwio"))
        for ours, name in (("bias", "beta"), ("running_mean", "moving_mean"), ("running_var", "moving_variance")):
            pairs.append(Pair(f"{path}.bn.{ours}", f"{where}/batchnorm/{name}"))
        pairs.append(Pair(f"{path}.bn.weight", f"{where}/batchnorm/gamma", otherwise=1.0))
        pairs.append(Pair(f"{path}.bn.{COUNTER}", "", otherwise=0.0, written=False))
    return Translation(tuple(pairs))


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
