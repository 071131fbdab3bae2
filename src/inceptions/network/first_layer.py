"""Weights of a network for colour images, for one that sees fewer or more channels.

The rule: the new channels are the old ones counted round and round (R, G, B, R, ... for more, or R shared with G and B for
one), and an image that shows each of them accordingly gets exactly the answer it got before. So a grey image in one channel
is the same as the grey image in three; with four or six channels, each weight is divided by how often its colour occurs.
Training goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from inceptions.architecture import Architecture
from inceptions.architecture.declaration import leaves
from inceptions.architecture.nodes import Conv, SeparableConv
from inceptions.errors import UsageError


def adapt_input(state: Mapping[str, Tensor], architecture: Architecture, in_channels: int) -> dict[str, Tensor]:
    """A state dict for the same network with `in_channels` input channels.

    Args:
        state: of a network built from `architecture`.
        architecture: the declaration `state` belongs to; its `in_channels` is what the weights were trained with.
        in_channels: channels of the images to come.

    Raises:
        UsageError: a separable first layer cannot be narrowed: it convolves every channel on its own.
    """
    old = architecture.options.in_channels
    path, first = next((path, leaf) for path, leaf in leaves(architecture.trunk) if isinstance(leaf, Conv | SeparableConv))
    path = path.removeprefix("trunk.")
    adapted = dict(state)
    if isinstance(first, Conv):
        name = f"{path}.conv.weight"
        adapted[name] = _mix(old, in_channels, state[name]).contiguous()
        return adapted
    if in_channels < old:
        raise UsageError(
            f"{architecture.full_name} convolves each input channel on its own and cannot be narrowed from {old} channels to "
            f"{in_channels}: keep in_channels={old} and repeat the image's channels."
        )
    depthwise, pointwise = f"{path}.depthwise.weight", f"{path}.pointwise.weight"
    shown = [i % old for i in range(in_channels)]
    # The channels of one input channel stand together: [channel, multiplier, ...].
    rows = state[depthwise]
    adapted[depthwise] = rows.reshape(old, first.multiplier, *rows.shape[1:])[shown].flatten(0, 1)
    columns = state[pointwise]
    adapted[pointwise] = _mix(old, in_channels, columns.reshape(-1, old, first.multiplier, 1, 1)).flatten(1, 2)
    return adapted


def _mix(old: int, new: int, weight: Tensor) -> Tensor:
    """`weight`, `[filters, old, ...]`, as `[filters, new, ...]`: channels added up where they meet, shared where they part."""
    mixing = torch.zeros(new, old, dtype=weight.dtype, device=weight.device)
    for i in range(max(new, old)):
        mixing[i % new, i % old] = 1
    mixing /= mixing.sum(dim=0, keepdim=True)
    return torch.einsum("fo...,no->fn...", weight, mixing)
