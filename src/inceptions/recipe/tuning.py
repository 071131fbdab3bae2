"""How a network that has learnt elsewhere learns new classes: first its classifier alone, then, if wanted, its last layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from inceptions.recipe.fields import Between, Positive, settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What a recipe does with the weights it starts from.

    The first epoch is one pass over the training images through the frozen network: what reaches the classifier is kept, and
    the classifier is then the exact optimum on it, not a number of steps towards it. The other epochs go to the `stages` in
    equal parts; each trains, with its own layers, all that those before it trained.

    Attributes:
        mirror: the classifier also sees each image mirrored, left to right. Doubles the time of the first epoch.
        l2: weight of half the classifier's squared length beside the mean cross-entropy, for inputs whose variance is 1 on
            average.
        stages: taps of the network, from the last layers to the first: "mixed_7a,mixed_6a" trains everything from `mixed_7a` on
            and then everything from `mixed_6a` on. Empty: the classifier alone.
        rate_decay: learning rate of each stage's layers over that of the layers behind them (Howard & Ruder 2018,
            arXiv:1801.06146, section 3.2).
        statistics: batch norm's means and variances in layers that are trained: "frozen" as those they started with, or
            "running" as in any training. In frozen layers they never move.

    Raises:
        UsageError: a value of the wrong type or out of range.
    """

    mirror: bool = False
    l2: Positive = 0.01
    stages: tuple[str, ...] = ()
    rate_decay: Annotated[float, Between(0, 1, exclusive=True)] = 0.3
    statistics: Literal["frozen", "running"] = "frozen"

    def __post_init__(self) -> None:
        """Refuse what does not fit."""
        settle(self)

    def thawed(self, epoch: int, epochs: int) -> int:
        """How many stages have begun in an epoch.

        Args:
            epoch: counted from 0; the first is the classifier's, before all stages.
            epochs: of the whole recipe.
        """
        if epoch == 0 or not self.stages:
            return 0
        return min(len(self.stages), 1 + (epoch - 1) * len(self.stages) // (epochs - 1))
