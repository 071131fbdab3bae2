"""The average of a network's weights: what is validated and saved when the recipe has one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Self

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from inceptions.network import Network
from inceptions.recipe import Recipe

Decay = Callable[[int], float]
"""Updates before this one -> the share of the old average that stays."""


def warmed_up(decay: float, updates: int) -> float:
    """The decay of an exponential average after a number of updates: `min(decay, (1 + n) / (10 + n))`.

    The start of a run would otherwise be remembered for 1 / (1 - decay) steps. As in `tf.train.ExponentialMovingAverage`, which
    the authors of Inception-v3 used, and gave the number of updates to.
    """
    return min(decay, (1 + updates) / (10 + updates))


def even(first: int, updates: int) -> float:
    """The decay that makes a running average the plain mean of what updates `first` (counted from 0) and later leave behind.

    Before, the average is the weights themselves.
    """
    averaged = max(0, updates - first)
    return averaged / (averaged + 1)


class Average:
    """The running average of a network's parameters and buffers.

    Batch norm's statistics are averaged too: those of one moment do not belong to the average of the weights.

    Attributes:
        network: a network with the averages for weights.
        decay: share of the old average that stays at each update, as a function of the updates before it; a number means an
            exponential average with that decay, once warmed up.
        updates: how often it was updated.
    """

    def __init__(self, network: Network, decay: Decay | float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay: Decay = partial(warmed_up, decay) if isinstance(decay, float) else decay
        self.updates = 0
        # The tensors themselves, not copies: what the optimiser changes in place is seen here.
        mine, theirs = self.network.state_dict(), network.state_dict()
        moving = [name for name, tensor in mine.items() if tensor.is_floating_point()]
        self._averages, self._values = [mine[name] for name in moving], [theirs[name] for name in moving]
        self._counts = [(mine[name], theirs[name]) for name in mine if name not in moving]

    @classmethod
    def of(cls, network: Network, recipe: Recipe, steps: int) -> Self | None:
        """The average that a recipe asks for; None if it saves the weights themselves.

        Polyak & Juditsky (1992) average all iterates, in theory where the start no longer matters; in practice one leaves the
        start out (Rakhlin et al. 2012, arXiv:1109.5647, section 5), and the recipe says how much.

        Args:
            network: whose weights are averaged.
            recipe: with `ema`, `polyak` or neither.
            steps: updates in the whole run.
        """
        if recipe.polyak is not None:
            return cls(network, partial(even, steps - max(1, round(recipe.polyak * steps))))
        return None if recipe.ema is None else cls(network, recipe.ema)

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network it was made of."""
        step = get_ema_multi_avg_fn(self.decay(self.updates))  # type: ignore[no-untyped-call]
        step(self._averages, self._values, None)
        for mine, theirs in self._counts:
            mine.copy_(theirs)
        self.updates += 1
