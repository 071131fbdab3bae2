"""Less memory for more time: the maps inside a trunk's layer are forgotten and computed again in the backward pass.

Chen et al. 2016, arXiv:1604.06174. One forward pass more, about a third of a step; what stays is one map a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from inceptions.network import Network


def recompute(network: Network) -> None:
    """Make every layer of a network's trunk forget its inside while it trains. The gradients are the same, to the bit on a CPU.

    Copies of the network that are made later would still train the layers of this one: make them before.
    """
    for name in network.architecture.way:
        layer = network.get_submodule(name)
        layer.forward = partial(_forgetful, layer, layer.forward)


def _forgetful(layer: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    if not torch.is_grad_enabled():
        return forward(x)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(layer)

    result: Tensor = checkpoint(forward, x, use_reentrant=False, context_fn=contexts)
    return result


@contextmanager
def _statistics_kept(layer: nn.Module) -> Iterator[None]:
    """Keep batch norm from counting a batch twice. Its buffers must stay in their place: autograd compares what is saved."""
    norms = [module for module in layer.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.training]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked -= 1
