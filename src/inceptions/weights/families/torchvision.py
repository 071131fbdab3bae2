"""The names of torchvision's state dicts (`torchvision.models.googlenet` and `inception_v3`, 0.29); timm's Inception-v3 and
pytorch-fid share them.
"""

from __future__ import annotations

from inceptions.architecture import Architecture
from inceptions.weights.families.names import Place, Translation, lookup, torch_names, unit

# torchvision counts the stem's convolutions, and the auxiliary heads from the input on.
GOOGLENET_STEM = {"conv_1": "conv1", "conv_2_reduce": "conv2", "conv_2": "conv3"}
GOOGLENET_AUX = {"aux_4a": "aux1", "aux_4d": "aux2"}
GOOGLENET_FC = {"fc": "fc1", "logits": "fc2"}

# Place of a layer within a branch that torchvision keeps as a `Sequential`; the first branch is a single layer.
GOOGLENET_BRANCH = {"1x1": "", "3x3_reduce": ".0", "3x3": ".1", "5x5_reduce": ".0", "5x5": ".1", "pool_proj": ".1"}

# Our name within a module to torchvision's, by the kind of module (torchvision's classes InceptionA to InceptionE).
A = {
    "branch_1.1x1": "branch1x1",
    "branch_2.5x5_reduce": "branch5x5_1",
    "branch_2.5x5": "branch5x5_2",
    "branch_3.3x3_reduce": "branch3x3dbl_1",
    "branch_3.3x3_1": "branch3x3dbl_2",
    "branch_3.3x3_2": "branch3x3dbl_3",
    "branch_4.pool_proj": "branch_pool",
}
B = {
    "branch_1.3x3": "branch3x3",
    "branch_2.3x3_reduce": "branch3x3dbl_1",
    "branch_2.3x3_1": "branch3x3dbl_2",
    "branch_2.3x3_2": "branch3x3dbl_3",
}
C = {
    "branch_1.1x1": "branch1x1",
    "branch_2.7x7_reduce": "branch7x7_1",
    "branch_2.1x7": "branch7x7_2",
    "branch_2.7x1": "branch7x7_3",
    "branch_3.7x7_reduce": "branch7x7dbl_1",
    "branch_3.7x1_1": "branch7x7dbl_2",
    "branch_3.1x7_1": "branch7x7dbl_3",
    "branch_3.7x1_2": "branch7x7dbl_4",
    "branch_3.1x7_2": "branch7x7dbl_5",
    "branch_4.pool_proj": "branch_pool",
}
D = {
    "branch_1.3x3_reduce": "branch3x3_1",
    "branch_1.3x3": "branch3x3_2",
    "branch_2.7x7_reduce": "branch7x7x3_1",
    "branch_2.1x7": "branch7x7x3_2",
    "branch_2.7x1": "branch7x7x3_3",
    "branch_2.3x3": "branch7x7x3_4",
}
E = {
    "branch_1.1x1": "branch1x1",
    "branch_2.3x3_reduce": "branch3x3_1",
    "branch_2.split.branch_1.1x3": "branch3x3_2a",
    "branch_2.split.branch_2.3x1": "branch3x3_2b",
    "branch_3.3x3_reduce": "branch3x3dbl_1",
    "branch_3.3x3": "branch3x3dbl_2",
    "branch_3.split.branch_1.1x3": "branch3x3dbl_3a",
    "branch_3.split.branch_2.3x1": "branch3x3dbl_3b",
    "branch_4.pool_proj": "branch_pool",
}
INCEPTION_V3 = {
    **dict.fromkeys(("mixed_5b", "mixed_5c", "mixed_5d"), A),
    "mixed_6a": B,
    **dict.fromkeys(("mixed_6b", "mixed_6c", "mixed_6d", "mixed_6e"), C),
    "mixed_7a": D,
    **dict.fromkeys(("mixed_7b", "mixed_7c"), E),
}
INCEPTION_V3_STEM = {
    "conv_1a": "Conv2d_1a_3x3",
    "conv_2a": "Conv2d_2a_3x3",
    "conv_2b": "Conv2d_2b_3x3",
    "conv_3b": "Conv2d_3b_1x1",
    "conv_4a": "Conv2d_4a_3x3",
    "aux_6e.1x1": "AuxLogits.conv0",
    "aux_6e.5x5": "AuxLogits.conv1",
}


def googlenet(architecture: Architecture) -> Translation:
    """The map for `googlenet/bn`, and for `googlenet/bn_5x5`: the same names with the paper's kernels."""
    return torch_names(architecture, _googlenet)


def inception_v3(architecture: Architecture) -> Translation:
    """The map for the released `inception_v3` in any variant, with its auxiliary head or without."""
    return torch_names(architecture, _inception_v3)


def _googlenet(path: str) -> Place:
    if path == "main.logits":
        return Place("fc")
    if path in GOOGLENET_STEM:
        return unit(GOOGLENET_STEM[path])
    module, *inside, layer = path.split(".")
    if module in GOOGLENET_AUX:
        head = GOOGLENET_AUX[module]
        return unit(f"{head}.conv") if layer == "conv" else Place(f"{head}.{GOOGLENET_FC[layer]}")
    (branch,) = inside
    return unit(f"{module.replace('_', '')}.{branch.replace('_', '')}{GOOGLENET_BRANCH[layer]}")


def _inception_v3(path: str) -> Place:
    if path == "main.logits":
        return Place("fc")
    if path == "aux_6e.logits":
        return Place("AuxLogits.fc")
    if path in INCEPTION_V3_STEM:
        return unit(INCEPTION_V3_STEM[path])
    return unit(f"{path.partition('.')[0].capitalize()}.{lookup(INCEPTION_V3, path)}")
