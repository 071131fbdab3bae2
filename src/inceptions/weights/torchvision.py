"""The names of torchvision's state dicts (`torchvision.models.googlenet`, 0.29)."""

from __future__ import annotations

from inceptions.architecture import Architecture
from inceptions.weights.names import Pair, torch_pairs

# torchvision counts the stem's convolutions, and the auxiliary heads from the input on.
GOOGLENET = {
    "conv_1": "conv1",
    "conv_2_reduce": "conv2",
    "conv_2": "conv3",
    "main.logits": "fc",
    **{
        f"{ours}.{layer}": f"{theirs}.{their_layer}"
        for ours, theirs in (("aux_4a", "aux1"), ("aux_4d", "aux2"))
        for layer, their_layer in (("conv", "conv"), ("fc", "fc1"), ("logits", "fc2"))
    },
}

# Place of a layer within a branch that torchvision keeps as a `Sequential`; the first branch is a single layer.
GOOGLENET_BRANCH = {"1x1": "", "3x3_reduce": ".0", "3x3": ".1", "pool_proj": ".1"}


def googlenet(architecture: Architecture) -> list[Pair]:
    """The map for `googlenet/bn`."""
    return torch_pairs(architecture, _googlenet_unit)


def _googlenet_unit(path: str) -> str:
    if path in GOOGLENET:
        return GOOGLENET[path]
    module, branch, layer = path.split(".")
    return f"{module.replace('_', '')}.{branch.replace('_', '')}{GOOGLENET_BRANCH[layer]}"
