"""Running averages that would still remember the start of a run at its end."""

from __future__ import annotations

import math

from torch import nn

from inceptions.network import Network
from inceptions.recipe import Recipe

REMEMBERED = 0.05
"""Share of an average that may still be what it began with."""
SLOW = 0.01
"""Momentum up to which batch norm is one for long runs. Others are cold only in runs that are over before they matter."""


def cold(network: Network, recipe: Recipe, steps_per_epoch: int) -> str:
    """What is said of batch norm's statistics if the run is too short for them; "" if it is not.

    They begin with mean 0 and variance 1, and after n batches (1 - momentum)^n of that is left. Averages of the weights (`ema`)
    need no such warning: they begin with a small decay (`average.warmed_up`).

    Args:
        network: of the run, with the recipe's momentum and random weights.
        recipe: of the run.
        steps_per_epoch: training batches in an epoch.
    """
    momenta = [layer.momentum for layer in network.modules() if isinstance(layer, nn.BatchNorm2d) and layer.momentum]
    batches = recipe.stepping_epochs * steps_per_epoch * recipe.accumulate
    slowest = min(momenta, default=1.0)
    left = (1 - slowest) ** batches
    if recipe.tuning is not None or slowest > SLOW or left <= REMEMBERED:
        return ""
    fits = -math.expm1(math.log(REMEMBERED) / batches)
    # Rounded up to one digit, so that the advice can be followed as it stands.
    digit = 10 ** math.floor(math.log10(fits))
    fits = min(0.5, math.ceil(fits / digit) * digit)
    return (
        f"With a bn_momentum of {slowest:g}, batch norm's statistics are still to {left:.0%} what they began with after the "
        f"{batches:,} batches of this run, and validation suffers: --set bn_momentum={fits:g} fits."
    )
