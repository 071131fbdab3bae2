"""The first layer's filters: what a network looks for in the pixels themselves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inceptions.errors import UsageError
from inceptions.network import Network
from inceptions.network.layers import ConvUnit, SeparableConvUnit
from inceptions.weights import Preprocess


@torch.no_grad()
def first_filters(model: Network, preprocess: Preprocess) -> Tensor:
    """The filters of the first convolution as small images.

    Each is scaled by its own largest weight: grey is 0, so that shape and colour show, and strength does not. The two halves of
    a separable layer are multiplied.

    Args:
        model: the network.
        preprocess: says the order of the channels.

    Returns:
        float32 from 0 to 1, `[filters, rows, columns, 3]`, RGB.

    Raises:
        UsageError: the network's input is neither colour nor grey.
    """
    unit = next(one for one in model.modules() if isinstance(one, ConvUnit | SeparableConvUnit))
    if isinstance(unit, SeparableConvUnit):
        # A group of depthwise filters belongs to one channel of the image.
        each: nn.Conv2d = unit.depthwise
        channels = each.in_channels
        depthwise = each.weight.reshape(channels, -1, *each.weight.shape[2:])
        pointwise = unit.pointwise.weight.reshape(-1, *depthwise.shape[:2])
        weight = torch.einsum("ocm,cmhw->ochw", pointwise, depthwise)
    else:
        weight = unit.conv.weight
    if weight.shape[1] not in (1, 3):
        raise UsageError(f"The first layer sees {weight.shape[1]} channels: only filters for 1 or 3 can be shown as colours.")
    weight = weight.detach().float().cpu()
    if preprocess.channels == "BGR":
        weight = weight.flip(1)
    largest = weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    return (0.5 + 0.5 * weight / largest).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous()
