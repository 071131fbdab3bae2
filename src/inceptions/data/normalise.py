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
    # Row by row: three channels fill no vector register.
    scale, shift = (1 / (255 * std)).repeat(width), (-mean / std).repeat(width)
    taken, rows = batch.permute(0, 2, 3, 1), torch.empty(images, height, width * channels, device=batch.device)
    # On a CPU image by image, so that each is still in the caches for the second step.
    for image, row in zip(taken, rows, strict=True) if batch.device.type == "cpu" else [(taken, rows)]:
        torch.addcmul(shift, image.to(torch.float32).reshape(row.shape), scale, out=row)
    return rows.view(images, height, width, channels).permute(0, 3, 1, 2)
