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
            restarts); "poly" falls likewise along (1 - share done) to the `power`, as Caffe has it; "exponential" multiplies by
            `decay` every `every` epochs, in stairs as the papers of the family do; "steps" multiplies by `decay` at each of the
            `milestones`; "constant" stays.
        warmup_epochs: the rate first rises linearly over this many epochs (Goyal et al. 2017, arXiv:1706.02677, section 2.2).
        warmup_factor: the rate stays at this share of the full one over the warm-up instead, and jumps: the two phases of He et
            al. 2015 (arXiv:1512.03385, section 4.2), who took 0.1. None rises.
        floor: where the cosine and "poly" end, as a share of the full rate.
        power: of "poly".
        decay: factor of one stair of "exponential" and "steps".
        every: length of one stair of "exponential", in epochs counted from the start of the run.
        milestones: where the stairs of "steps" are, in epochs.

    Raises:
        UsageError: a value of the wrong type or out of range.
    """

    kind: Literal["cosine", "poly", "exponential", "steps", "constant"] = "cosine"
    warmup_epochs: NotNegative = 0.0
    warmup_factor: Annotated[float, Between(0, 1, exclusive=True)] | None = None
    floor: Share = 0.0
    power: Positive = 0.5
    decay: Annotated[float, Between(0, 1, exclusive=True)] = 0.96
    every: Positive = 8.0
    milestones: tuple[Positive, ...] = ()

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
            is the first at the full rate (the one after it, if the warm-up does not rise).
        """
        warmup = min(round(self.warmup_epochs * steps_per_epoch), epochs * steps_per_epoch)
        if step < warmup:
            return (step + 1) / warmup if self.warmup_factor is None else self.warmup_factor
        done = min(1.0, (step - warmup) / max(1, epochs * steps_per_epoch - warmup))
        match self.kind:
            case "cosine":
                return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))
            case "poly":
                return self.floor + (1 - self.floor) * math.pow(1 - done, self.power)
            case "exponential":
                # Each stair begins at the step nearest to where it is due: no rounding of a quotient can move it by one.
                return math.pow(self.decay, (step + 0.5) // max(1.0, self.every * steps_per_epoch))
            case "steps":
                return self.decay ** sum(step >= round(epoch * steps_per_epoch) for epoch in self.milestones)
            case "constant":
                return 1.0
