"""The names of Cadene's `pretrainedmodels`: bninception (flat, as its Caffe original called its layers), inceptionv4 and
inceptionresnetv2 (timm's names, but for the classifier's).
"""

from __future__ import annotations

from inceptions.architecture import Architecture
from inceptions.weights.families import timm
from inceptions.weights.families.names import Place, Translation, torch_names

STEM = {"conv_1": "conv1_7x7_s2", "conv_2_reduce": "conv2_3x3_reduce", "conv_2": "conv2_3x3"}
LAYERS = {
    "branch_1.1x1": "1x1",
    "branch_2.3x3_reduce": "3x3_reduce",
    "branch_2.3x3": "3x3",
    "branch_3.3x3_reduce": "double_3x3_reduce",
    "branch_3.3x3_1": "double_3x3_1",
    "branch_3.3x3_2": "double_3x3_2",
    "branch_4.pool_proj": "pool_proj",
}
# The modules of stride 2 have no 1x1 branch.
REDUCTIONS = ("inception_3c", "inception_4e")


def layer(path: str) -> tuple[str, str]:
    """A layer within a module by its name in a module of four branches: what 3x3_reduce is called, whatever branch it is."""
    module, _, rest = path.partition(".")
    if module in REDUCTIONS:
        number = int(rest[len("branch_")])
        rest = f"branch_{number + 1}{rest[len('branch_1') :]}"
    return module, rest


def bn_inception(architecture: Architecture) -> Translation:
    """The map for `bn_inception/caffe`, and without the biases for `bn_inception/caffe_unbiased`."""

    def place(path: str) -> Place:
        if path == "main.logits":
            return Place("last_linear")
        if path in STEM:
            return Place(STEM[path], f"{STEM[path]}_bn")
        module, rest = layer(path)
        name = f"{module}_{LAYERS[rest]}"
        return Place(name, f"{name}_bn")

    return torch_names(architecture, place)


def inception_v4(architecture: Architecture) -> Translation:
    """The map for `inception_v4/released` without its auxiliary head."""
    return timm.inception_v4(architecture, "last_linear")


def inception_resnet_v2(architecture: Architecture) -> Translation:
    """The map for `inception_resnet_v2/released` without its auxiliary head."""
    return timm.inception_resnet_v2(architecture, "last_linear")
