"""The colours of an image changed by linear maps: brightness, contrast and saturation at once, and lighting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

# Weights of red, green and blue in a grey (ITU-R BT.601), as torchvision's colour changes take them.
GREY = (0.2989, 0.587, 0.114)

# Principal components of ImageNet's colours on the scale 0 to 1, one a column, and their variances: fb.resnet.torch's.
COMPONENTS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
VARIANCES = (0.2175, 0.0188, 0.0045)

# Four pixels fill a register of sixteen numbers best. From sixteen images on torch leaves a 1 × 1 convolution to oneDNN.
TOGETHER, IMAGES = 4, 16

_EACH, _CHANNEL, _GREY = torch.eye(TOGETHER), torch.eye(3), torch.tensor(GREY)


def recoloured(pixels: Tensor, brightness: float, contrast: float, saturation: float) -> Tensor:
    """Brightness, contrast and saturation changed by factors, in that order.

    All three are linear in a pixel's colour, so they are one 3 × 3 matrix and an offset; the result is clamped once, where
    torchvision's functions clamp (and round) after each of the three.

    Args:
        pixels: `[3, height, width]`, 0 to 255.
        brightness: 0 is black, 1 leaves it.
        contrast: 0 is the mean grey everywhere, 1 leaves it.
        saturation: 0 is grey, 1 leaves it.

    Returns:
        float32, `[3, height, width]`, 0 to 255; the channels of a pixel lie side by side.
    """
    height, width = pixels.shape[-2:]
    numbers = 3 * height * width
    # The matrix is a 1 × 1 convolution, half as long as a product of matrices, of several pixels at a time.
    channels = 3 * TOGETHER
    colours = torch.empty(IMAGES, -(-numbers // (IMAGES * channels)), 1, channels)
    colours.view(-1)[numbers:] = 0
    flat = colours.view(-1)[:numbers]
    flat.view(height, width, 3).copy_(pixels.permute(1, 2, 0))
    # Of bytes both sums are exact, so they do not depend on how many threads add.
    sums = flat.view(height, 3 * width).sum(dim=0).view(width, 3).sum(dim=0, dtype=torch.float64)
    mean_grey = sum(weight * one for weight, one in zip(GREY, sums.tolist(), strict=True)) / (height * width)
    mix = brightness * contrast * (saturation * _CHANNEL + (1 - saturation) * _GREY)
    weight = torch.kron(_EACH, mix)[:, :, None, None]
    offset = torch.full((channels,), (1 - contrast) * brightness * mean_grey)
    changed = conv2d(colours.permute(0, 3, 1, 2), weight, offset).clamp_(0, 255)
    return changed.permute(0, 2, 3, 1).reshape(-1)[:numbers].view(height, width, 3).permute(2, 0, 1)


def lit(pixels: Tensor, multiples: Sequence[float]) -> Tensor:
    """Multiples of the principal components of ImageNet's colours added to all pixels alike.

    Args:
        pixels: `[3, height, width]`, 0 to 255.
        multiples: of each component's variance.

    Returns:
        float32, `[3, height, width]`, 0 to 255.
    """
    strengths = torch.tensor([one * variance for one, variance in zip(multiples, VARIANCES, strict=True)])
    light = 255 * torch.tensor(COMPONENTS) @ strengths
    return pixels.to(torch.float32).add(light.view(3, 1, 1)).clamp_(0, 255)


def to_bytes(pixels: Tensor) -> Tensor:
    """Numbers from 0 to 255 as bytes; they are rounded where they are. On the CPU."""
    # numpy's conversion takes a quarter of the time of torch's.
    return pixels if pixels.dtype == torch.uint8 else torch.from_numpy(pixels.round_().numpy().astype(np.uint8))


def put(pixels: Tensor, place: Tensor) -> None:
    """The same, into bytes that are there already."""
    if pixels.dtype != torch.uint8:
        pixels.round_()
    np.copyto(place.numpy(), pixels.numpy(), casting="unsafe")
