"""The learning rate as a pure function of the step: nothing to save, nothing to restore."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from inceptions.recipe.fields import Between, NotNegative, Positive, Share, settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How the learning rate moves over the run, as a factor on the recipe's rate.

    Attributes:
        kind: "cosine" falls from 1 to `floor` along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, without
            restarts); "exponential" multiplies by `decay` every `every` epochs, in stairs as the papers of the family do;
            "constant" stays.
        warmup_epochs: the rate first rises linearly over this many epochs (Goyal et al. 2017, arXiv:1706.02677, section 2.2).
        floor: where the cosine ends, as a share of the full rate.
        decay: factor of one stair of "exponential".
        every: length of one stair, in epochs counted from the start of the run.

    Raises:
        UsageError: a value of the wrong type or out of range.
    """

    kind: Literal["cosine", "exponential", "constant"] = "cosine"
    warmup_epochs: NotNegative = 0.0
    floor: Share = 0.0
    decay: Annotated[float, Between(0, 1, exclusive=True)] = 0.96
    every: Positive = 8.0

    def __post_init__(self) -> None:
        """Refuse what does not fit."""
        settle(self)

    def factor(self, step: int, *, steps_per_epoch: int, epochs: int) -> float:
        """The factor on the learning rate for one update.

        Args:
            step: updates made before this one.
            steps_per_epoch: updates in an epoch.
            epochs: epochs in the run.

        Returns:
            Above 0 and at most 1 during the run: the first update already moves, and update number `warmup` (counted from one)
            is the first at the full rate.
        """
        warmup = min(round(self.warmup_epochs * steps_per_epoch), epochs * steps_per_epoch)
        if step < warmup:
            return (step + 1) / warmup
        match self.kind:
            case "cosine":
                done = (step - warmup) / max(1, epochs * steps_per_epoch - warmup)
                return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
            case "exponential":
                # Whole steps per stair, so that no rounding of a quotient can move a stair by one step.
                return self.decay ** (step // max(1, round(self.every * steps_per_epoch)))
            case "constant":
                return 1.0
