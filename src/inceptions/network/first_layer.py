"""Weights of a network for colour images, for one that sees fewer or more channels.

The rule: the new channels are the old ones counted round and round (R, G, B, R, ... for more, or R shared with G and B for
one), and an image that shows each of them accordingly gets exactly the answer it got before. So a grey image in one channel
is the same as the grey image in three; with four or six channels, each weight is divided by how often its colour occurs.
Training goes on from there.

A separable first layer has filters of its own for each channel. A channel that stands for several takes over the filters of all
of them, which the declaration leaves room for (`inceptions.architecture.bn_inception`): 24 for one channel, 16 for each of two,
8 for each of more. So weights for colour go to any number of channels; those for other numbers go where there is room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from inceptions.architecture import Architecture, declare
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
        UsageError: a separable first layer has too few filters for the new channels.
    """
    old = architecture.options.in_channels
    path, first = _first(architecture)
    adapted = dict(state)
    if isinstance(first, Conv):
        name = f"{path}.conv.weight"
        adapted[name] = _mix(old, in_channels, state[name]).contiguous()
        return adapted
    new = declare(architecture.name, architecture.variant, replace(architecture.options, in_channels=in_channels))
    _, widened = _first(new)
    assert isinstance(widened, SeparableConv)
    depthwise, pointwise = f"{path}.depthwise.weight", f"{path}.pointwise.weight"
    # The filters of one input channel stand together.
    adapted[depthwise], adapted[pointwise] = (
        state[name].new_zeros(shape)
        for name, shape in (
            (depthwise, (in_channels * widened.multiplier, *state[depthwise].shape[1:])),
            (pointwise, (first.filters, in_channels * widened.multiplier, 1, 1)),
        )
    )
    many = first.multiplier
    for channel, shares in enumerate(_mixing(old, in_channels).tolist()):
        place = channel * widened.multiplier
        for shown, share in enumerate(shares):
            if not share:
                continue
            if place + many > (channel + 1) * widened.multiplier:
                raise UsageError(
                    f"The first layer of {architecture.full_name} has no room for the filters of {old} channels when it reads "
                    f"{in_channels}: keep in_channels={old} and repeat or average the image's channels."
                )
            here, there = slice(place, place + many), slice(shown * many, (shown + 1) * many)
            adapted[depthwise][here] = state[depthwise][there]
            adapted[pointwise][:, here] = state[pointwise][:, there] * share
            place += many
    return adapted


def _first(architecture: Architecture) -> tuple[str, Conv | SeparableConv]:
    """The layer that reads the image, with its place in the state dict."""
    path, leaf = next((path, leaf) for path, leaf in leaves(architecture.trunk) if isinstance(leaf, Conv | SeparableConv))
    return path.removeprefix("trunk."), leaf


def _mixing(old: int, new: int) -> Tensor:
    """How much of each old channel's weights a new channel gets, `[new, old]`: they add up where channels meet, and are shared
    where they part.
    """
    mixing = torch.zeros(new, old)
    for i in range(max(new, old)):
        mixing[i % new, i % old] = 1
    return mixing / mixing.sum(dim=0, keepdim=True)


def _mix(old: int, new: int, weight: Tensor) -> Tensor:
    """`weight`, `[filters, old, ...]`, as `[filters, new, ...]`."""
    return torch.einsum("fo...,no->fn...", weight, _mixing(old, new).to(weight))
