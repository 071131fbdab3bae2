"""TensorFlow's SAME against TensorFlow itself, which runs in a process of its own: strided layers on odd and even maps."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inceptions.architecture.nodes import Conv, Pool, SeparableConv
from inceptions.architecture.shapes import Shape
from inceptions.network.layers import ConvUnit, SeparableConvUnit, build

# Every strided layer of TF-slim's v1 and v2, and two that are neither: (kind, side of the window, stride).
LAYERS = [
    *(("conv", 7, 2), ("conv", 3, 2), ("separable", 7, 2)),
    *(("max", 3, 2), ("max", 2, 2), ("max", 3, 1), ("average", 3, 1), ("average", 3, 2), ("max", 2, 3)),
]
SIZES = [(14, 14), (15, 15), (14, 17), (9, 8), (2, 5)]

THEIRS = """
import sys
import numpy as np
import tensorflow as tf

given = np.load(sys.argv[1])
found = {}
for name in given:
    if not name.endswith("/image"):
        continue
    case = name.removesuffix("/image")
    kind, kernel, stride = case.split()[0], *map(int, case.split()[1:3])
    image, steps = tf.constant(given[name]), [1, stride, stride, 1]
    match kind:
        case "conv":
            out = tf.nn.conv2d(image, given[case + "/weight"], steps, "SAME")
        case "separable":
            out = tf.nn.separable_conv2d(image, given[case + "/depthwise"], given[case + "/pointwise"], steps, "SAME")
        case "max":
            out = tf.nn.max_pool2d(image, kernel, stride, "SAME")
        case "average":
            out = tf.nn.avg_pool2d(image, kernel, stride, "SAME")
    found[case] = out.numpy()
np.savez(sys.argv[2], **found)
"""


def ours(kind: Any, kernel: int, stride: int) -> torch.nn.Module:
    match kind:
        case "conv":
            return build(Conv("layer", 5, kernel, stride, padding="tensorflow", bias=False, relu=False), Shape(3))
        case "separable":
            layer = build(SeparableConv("layer", 5, kernel, 8, stride, padding="tensorflow", relu=False), Shape(3))
            assert isinstance(layer, SeparableConvUnit)
            torch.nn.init.zeros_(layer.pointwise.bias)  # type: ignore[arg-type]
            return layer
        case _:
            return build(Pool("layer", kind, kernel, stride, padding="tensorflow"), Shape(3))


@pytest.mark.slow
def test_equals_tensorflow(tmp_path: Path) -> None:
    torch.manual_seed(0)
    expected, given = {}, {}
    for (kind, kernel, stride), size in itertools.product(LAYERS, SIZES):
        case = f"{kind} {kernel} {stride} {size[0]}x{size[1]}"
        layer, image = ours(kind, kernel, stride), torch.randn(2, 3, *size)
        with torch.no_grad():
            expected[case] = layer(image).permute(0, 2, 3, 1).numpy()
        given[f"{case}/image"] = image.permute(0, 2, 3, 1).numpy()
        if isinstance(layer, ConvUnit):
            given[f"{case}/weight"] = layer.conv.weight.detach().permute(2, 3, 1, 0).numpy()
        elif isinstance(layer, SeparableConvUnit):
            # [channel and filter, 1, height, width] to [height, width, channel, filter].
            depthwise = layer.depthwise.weight.detach().reshape(3, 8, kernel, kernel)
            given[f"{case}/depthwise"] = depthwise.permute(2, 3, 0, 1).numpy()
            given[f"{case}/pointwise"] = layer.pointwise.weight.detach().permute(2, 3, 1, 0).numpy()
    np.savez(tmp_path / "given.npz", **given)
    subprocess.run(
        [sys.executable, "-c", THEIRS, str(tmp_path / "given.npz"), str(tmp_path / "found.npz")],
        check=True,
        capture_output=True,
        timeout=300,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    found = np.load(tmp_path / "found.npz")
    assert set(found) == set(expected)
    for case, tensor in expected.items():
        np.testing.assert_allclose(tensor, found[case], rtol=1e-4, atol=1e-5, err_msg=case)
