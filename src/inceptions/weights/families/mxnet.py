"""The names of MXNet's Inception-BN, as its symbol gives them ("arg:conv_3a_1x1_weight", "aux:bn_3a_1x1_moving_mean")."""

from __future__ import annotations

from inceptions.architecture import Architecture
from inceptions.architecture.nodes import Conv
from inceptions.weights.families.cadene import layer
from inceptions.weights.families.names import COUNTER, Pair, Translation, units

STEM = {"conv_1": "1", "conv_2_reduce": "2_red", "conv_2": "2"}
LAYERS = {
    "branch_1.1x1": "1x1",
    "branch_2.3x3_reduce": "3x3_reduce",
    "branch_2.3x3": "3x3",
    "branch_3.3x3_reduce": "double_3x3_reduce",
    "branch_3.3x3_1": "double_3x3_0",
    "branch_3.3x3_2": "double_3x3_1",
    "branch_4.pool_proj": "proj",
}


def bn_inception(architecture: Architecture) -> Translation:
    """The map for `bn_inception/mxnet`."""
    pairs: list[Pair] = []
    for path, unit in units(architecture):
        if not isinstance(unit, Conv):
            pairs += [Pair(f"{path}.linear.{name}", f"arg:fc1_{name}") for name in ("weight", "bias")]
            continue
        module, rest = layer(path)
        theirs = STEM.get(path) or f"{module.removeprefix('inception_')}_{LAYERS[rest]}"
        pairs += [Pair(f"{path}.conv.{name}", f"arg:conv_{theirs}_{name}") for name in ("weight", "bias")]
        pairs += [
            Pair(f"{path}.bn.weight", f"arg:bn_{theirs}_gamma"),
            Pair(f"{path}.bn.bias", f"arg:bn_{theirs}_beta"),
            Pair(f"{path}.bn.running_mean", f"aux:bn_{theirs}_moving_mean"),
            Pair(f"{path}.bn.running_var", f"aux:bn_{theirs}_moving_var"),
            Pair(f"{path}.bn.{COUNTER}", "", otherwise=0.0, written=False),
        ]
    return Translation(tuple(pairs))
