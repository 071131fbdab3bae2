"""The layers of two Caffe models: BVLC's GoogLeNet, and lim0606's GoogLeNet with batch norm.

A layer's tensors have numbers ("conv1/7x7_s2/0"). Its batch norm is two layers there: one with the running mean and variance,
both multiplied by a third number, one with scale and shift.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from inceptions.architecture import Architecture
from inceptions.weights.families.cadene import layer
from inceptions.weights.families.names import COUNTER, Pair, Translation, has_bias, units

STEM = {"conv_1": "conv1/7x7_s2", "conv_2_reduce": "conv2/3x3_reduce", "conv_2": "conv2/3x3"}
DOUBLE = {
    "branch_1.1x1": "1x1",
    "branch_2.3x3_reduce": "3x3_reduce",
    "branch_2.3x3": "3x3",
    "branch_3.3x3_reduce": "double3x3_reduce",
    "branch_3.3x3_1": "double3x3a",
    "branch_3.3x3_2": "double3x3b",
    "branch_4.pool_proj": "pool_proj",
}
HEADS = {"conv": "conv", "fc": "fc", "logits": "classifier"}


def googlenet(architecture: Architecture) -> Translation:
    """The map for `googlenet/paper` with its two auxiliary heads or without."""
    heads = {"aux_4a": "loss1", "aux_4d": "loss2", "main": "loss3"}

    def place(path: str) -> str:
        module, _, rest = path.partition(".")
        return f"{module}/{rest.rpartition('.')[2]}"

    return _blobs(architecture, heads, place)


def bn_inception(architecture: Architecture) -> Translation:
    """The map for `bn_inception/lim0606` with its two auxiliary heads or without."""
    heads = {"aux_3c": "loss1", "aux_4e": "loss2", "main": "loss3"}

    def place(path: str) -> str:
        module, rest = layer(path)
        return f"{module}/{DOUBLE[rest]}"

    return _blobs(architecture, heads, place)


def scaled(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A file's tensors with the running averages as they are meant: divided by the number beside them, which is left out."""
    found = dict(tensors)
    for name, factor in tensors.items():
        if name.endswith("/2") and factor.numel() == 1 and f"{name[:-1]}1" in tensors:
            value = float(factor)
            for i in "01":
                found[f"{name[:-1]}{i}"] = tensors[f"{name[:-1]}{i}"] * (0.0 if value == 0 else 1 / value)
            del found[name]
    return found


def _blobs(architecture: Architecture, heads: Mapping[str, str], place: Callable[[str], str]) -> Translation:
    pairs: list[Pair] = []
    for path, unit in units(architecture):
        head, _, rest = path.partition(".")
        theirs = f"{heads[head]}/{HEADS[rest]}" if head in heads else STEM.get(path) or place(path)
        kind = "conv" if hasattr(unit, "kernel") else "linear"
        names = ("weight", "bias")[: 1 + has_bias(unit)]
        pairs += [Pair(f"{path}.{kind}.{name}", f"{theirs}/{i}") for i, name in enumerate(names)]
        if unit.norm is not None:
            pairs += [
                Pair(f"{path}.bn.running_mean", f"{theirs}/bn/0"),
                Pair(f"{path}.bn.running_var", f"{theirs}/bn/1"),
                Pair(f"{path}.bn.weight", f"{theirs}/bn/sc/0"),
                Pair(f"{path}.bn.bias", f"{theirs}/bn/sc/1"),
                Pair(f"{path}.bn.{COUNTER}", "", otherwise=0.0, written=False),
            ]
    return Translation(tuple(pairs))
