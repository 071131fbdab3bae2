"""Bytes to the network's input: the one place that knows its channels and its scale. Needs torch, and not torchvision."""

from __future__ import annotations

import torch
from torch import Tensor

from inceptions.weights.preprocess import Preprocess


def normalise(batch: Tensor, preprocess: Preprocess) -> Tensor:
    """Bytes to the network's input: its channels, on its scale.

    Args:
        batch: as `evaluation` or `training` makes them, `[batch, 3, height, width]`, RGB.
        preprocess: says the order of the channels, their means and deviations.

    Returns:
        float32, `[batch, channels, height, width]`, on the same device, with the channels of a pixel side by side.
    """
    if preprocess.channels == "BGR":
        batch = batch.flip(1)
    elif preprocess.channels == "L":  # the integers of Pillow's `convert("L")`
        red, green, blue = batch.to(torch.int32).tensor_split(3, dim=1)
        batch = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    images, channels, height, width = batch.shape
    mean = torch.tensor(preprocess.mean, device=batch.device)
    std = torch.tensor(preprocess.std, device=batch.device)
    # (x / 255 - mean) / std in two passes over the memory instead of three, row by row: three channels fill no vector register.
    rows = batch.permute(0, 2, 3, 1).to(torch.float32, memory_format=torch.contiguous_format, copy=True)
    rows = rows.view(images * height, width * channels)
    rows.mul_((1 / (255 * std)).repeat(width)).sub_((mean / std).repeat(width))
    return rows.view(images, height, width, channels).permute(0, 3, 1, 2)
