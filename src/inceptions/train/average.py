"""The exponential moving average of a network: what is validated and saved when the recipe has one."""

from __future__ import annotations

import copy

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from inceptions.network import Network


def warmed_up(decay: float, updates: int) -> float:
    """The decay after a number of updates: `min(decay, (1 + n) / (10 + n))`.

    The start of a run would otherwise be remembered for 1 / (1 - decay) steps. As in `tf.train.ExponentialMovingAverage`, which
    the authors of Inception-v3 used.
    """
    return min(decay, (1 + updates) / (10 + updates))


class Average:
    """The running average of a network's parameters and buffers.

    Batch norm's statistics are averaged too: those of one moment do not belong to the average of the weights.

    Attributes:
        network: a network with the averages for weights.
        decay: share of the old average that stays at each update, once warmed up.
        updates: how often it was updated.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = decay
        self.updates = 0
        # The tensors themselves, not copies: what the optimiser changes in place is seen here.
        mine, theirs = self.network.state_dict(), network.state_dict()
        moving = [name for name, tensor in mine.items() if tensor.is_floating_point()]
        self._averages, self._values = [mine[name] for name in moving], [theirs[name] for name in moving]
        self._counts = [(mine[name], theirs[name]) for name in mine if name not in moving]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network it was made of."""
        step = get_ema_multi_avg_fn(warmed_up(self.decay, self.updates))  # type: ignore[no-untyped-call]
        step(self._averages, self._values, None)
        for mine, theirs in self._counts:
            mine.copy_(theirs)
        self.updates += 1
