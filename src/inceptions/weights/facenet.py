"""The names of facenet-pytorch's `InceptionResnetV1` (2.6)."""

from __future__ import annotations

from inceptions.architecture import Architecture
from inceptions.weights.names import Place, Translation
from inceptions.weights.timm import residual_names

STEM = {
    "conv_1a": "conv2d_1a",
    "conv_2a": "conv2d_2a",
    "conv_2b": "conv2d_2b",
    "conv_3b": "conv2d_3b",
    "conv_4a": "conv2d_4a",
    "conv_4b": "conv2d_4b",
}
MODULES = {
    "mixed_6a": (".branch0", *(f".branch1.{i}" for i in range(3))),
    "mixed_7a": (*(f".branch{b}.{i}" for b in range(2) for i in range(2)), *(f".branch2.{i}" for i in range(3))),
    "block35": (".branch0", *(f".branch1.{i}" for i in range(2)), *(f".branch2.{i}" for i in range(3)), ".conv2d"),
    "block17": (".branch0", *(f".branch1.{i}" for i in range(3)), ".conv2d"),
    "block8": (".branch0", *(f".branch1.{i}" for i in range(3)), ".conv2d"),
}
REPEATS = {"block35": "repeat_1", "block17": "repeat_2", "block8": "repeat_3"}


def inception_resnet_v1(architecture: Architecture) -> Translation:
    """The map for `inception_resnet_v1/facenet` with its classifier (`classify=True` and a number of classes there)."""
    heads = {"bottleneck.fc": Place("last_linear", "last_bn"), "main.logits": Place("logits")}
    return residual_names(architecture, STEM, MODULES, REPEATS, heads)
