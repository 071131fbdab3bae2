"""The names of facenet-pytorch's `InceptionResnetV1` (2.6): timm's habits, other lists."""

from __future__ import annotations

from inceptions.architecture import Architecture
from inceptions.weights.families.names import Place, Translation
from inceptions.weights.families.timm import RESNET_MODULES, RESNET_STEM, residual_names

STEM = RESNET_STEM | {"conv_4b": "conv2d_4b"}
REPEATS = {"block35": "repeat_1", "block17": "repeat_2", "block8": "repeat_3"}


def inception_resnet_v1(architecture: Architecture) -> Translation:
    """The map for `inception_resnet_v1/facenet` with its classifier (`classify=True` and a number of classes there)."""
    heads = {"bottleneck.fc": Place("last_linear", "last_bn"), "main.logits": Place("logits")}
    return residual_names(architecture, STEM, RESNET_MODULES, REPEATS, heads)
