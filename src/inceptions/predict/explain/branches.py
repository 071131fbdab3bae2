"""The branches of a module side by side: what each size of filter answers to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inceptions.architecture.nodes import Chain, Concat, Conv, Node, Pool, Residual, SeparableConv
from inceptions.errors import UsageError
from inceptions.network import Network

STRONGEST = 4


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """What one branch of a module made of an image.

    Attributes:
        name: the tap, "mixed_7c.branch_2".
        layers: its layers in words, "1×1, 5×5".
        mean: mean absolute activation of its channels, float32, `[rows, columns]`.
        channels: numbers of the channels that answer most, within the branch, the strongest first.
        maps: these channels, float32, `[len(channels), rows, columns]`.
    """

    name: str
    layers: str
    mean: Tensor
    channels: tuple[int, ...]
    maps: Tensor


@torch.inference_mode()
def branches(model: Network, x: Tensor, *, tap: str | None = None) -> list[Branch]:
    """The activations of each branch of a module.

    Args:
        model: in evaluation mode.
        x: one normalised image, `[1, channels, height, width]`.
        tap: the module; the last one with branches if None.

    Raises:
        UsageError: no such module, or it has no branches.
    """
    forks = forked(model)
    name = model.architecture.tap(tap) if tap is not None else next(reversed(forks), None)
    if name not in forks:
        full = model.architecture.full_name
        if not forks:
            raise UsageError(f"{full} has no modules with branches.")
        raise UsageError(f"{name} of {full} has no branches. Modules that have: {', '.join(forks)}.")
    path, fork = forks[name]
    maps = model.features(x, [f"{path}.{branch.name}" for branch in fork.branches])
    found = []
    for branch, (inner, values) in zip(fork.branches, maps.items(), strict=True):
        values = values[0].float().cpu()
        order = values.abs().mean(dim=(1, 2)).argsort(descending=True)[:STRONGEST]
        mean = values.abs().mean(dim=0)
        found.append(Branch(str(inner), layers(branch), mean, tuple(order.tolist()), values[order].clone()))
    return found


def forked(model: Network) -> dict[str, tuple[str, Concat]]:
    """The modules with branches: by tap, the path of what forks in them, and its declaration."""
    found = {}
    for node in model.architecture.trunk.nodes:
        match node:
            case Concat():
                found[node.name] = (node.name, node)
            case Residual(body=Chain(nodes=(Concat() as fork, *_))):
                found[node.name] = (f"{node.name}.{fork.name}", fork)
    return found


def layers(node: Node) -> str:
    """A branch's windows in words."""
    match node:
        case Chain(nodes=inner):
            return ", ".join(map(layers, inner)) or "as it came in"
        case Concat(branches=inner):
            return f"({' | '.join(map(layers, inner))})"
        case Conv(window=(height, width)) | SeparableConv(window=(height, width)):
            return f"{height}×{width}"
        case Pool(kind=kind):
            return f"{kind} pool"
        case _:
            return node.name
