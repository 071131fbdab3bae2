"""The seven changes of Ioffe & Szegedy 2015 (arXiv:1502.03167, section 4.2.1) to GoogLeNet's training, one switch each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from inceptions.recipe.fields import Between, settle

# What the changes start from. The rate is the paper's own (section 4.2.2); the other numbers are those of `googlenet_2014`.
RATE = 0.0015
WEIGHT_DECAY = 2e-4
EVERY = 8.0
DROPOUT = 0.4
DISTORTION = 0.5
LIGHTING = 0.1

Factor = Annotated[float, Between(1, 100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Which of the seven changes are made, in the paper's order. Each decides some fields of the recipe (`decided`).

    `--set changes.higher_rate=5` is the paper's BN-x5, `--set changes.higher_rate=1` its rate before the change.

    Attributes:
        higher_rate: factor on the learning rate: 30 (BN-x30), 5 (BN-x5), or 1 for none.
        no_dropout: dropout is left out.
        weaker_decay: the L2 weight is divided by this: 5, or 1 for none.
        faster_schedule: the learning rate falls so many times as fast: 6, or 1 for none.
        no_lrn: local response normalisation is left out.
        thorough_shuffling: images are shuffled within their shards, so that the same ones do not always meet in a batch.
        less_distortion: photometric distortions are halved. The paper does not say by how much it reduced them.

    Raises:
        UsageError: a value of the wrong type or out of range.
    """

    higher_rate: Factor = 30.0
    no_dropout: bool = True
    weaker_decay: Factor = 5.0
    faster_schedule: Factor = 6.0
    no_lrn: bool = True
    thorough_shuffling: bool = True
    less_distortion: bool = True

    def __post_init__(self) -> None:
        """Refuse what does not fit."""
        settle(self)

    def decided(self) -> dict[str, Any]:
        """The recipe's fields that the changes decide, with their values."""
        strength = 0.5 if self.less_distortion else 1.0
        return {
            "optim.lr": RATE * self.higher_rate,
            "dropout": 0.0 if self.no_dropout else DROPOUT,
            "optim.weight_decay": WEIGHT_DECAY / self.weaker_decay,
            "schedule.every": EVERY / self.faster_schedule,
            "model": "bn_inception/paper" if self.no_lrn else "bn_inception/paper_lrn",
            "shuffle.kind": "within_shards" if self.thorough_shuffling else "shards",
            **{f"augment.{name}": strength * DISTORTION for name in ("brightness", "contrast", "saturation")},
            "augment.lighting": strength * LIGHTING,
        }
