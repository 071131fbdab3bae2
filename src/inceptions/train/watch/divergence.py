"""A loss that is no number: what is said, and what is written down to look into it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from inceptions.errors import DivergedError, MachineError
from inceptions.files import write_text
from inceptions.train.step import Numbers

DIVERGED = "diverged.json"
NAMED = 5


def diverged(
    numbers: Numbers,
    *,
    step: int,
    epoch: int,
    rate: float,
    gradient: float,
    weights: float,
    images: Sequence[str],
    folder: Path | None,
) -> DivergedError:
    """The error for a batch whose loss or gradient is not finite; the names of all its images go into `diverged.json`.

    Args:
        numbers: of the batch.
        step: of the update that was not made, counted from 1.
        epoch: counted from 1.
        rate: the learning rate it would have had.
        gradient: length of the gradient.
        weights: length of the weights, which are as the update before left them.
        images: names of the batch's images, those of all processes.
        folder: of the run; None in a process that does not write.
    """
    what = "gradient" if math.isfinite(numbers.objective) else "loss"
    value = gradient if what == "gradient" else numbers.objective
    if folder is not None:
        said = {
            "step": step,
            "epoch": epoch,
            "learning_rate": rate,
            # JSON has no word for them.
            "loss": str(numbers.objective),
            "gradient_norm": str(gradient),
            "parameter_norm": str(weights),
            "images": list(images),
        }
        with suppress(MachineError):  # what is to be said is more important than where
            write_text(folder / DIVERGED, json.dumps(said, indent=2) + "\n")
    more = f" and {len(images) - NAMED} more, all in {DIVERGED}" if len(images) > NAMED else ""
    return DivergedError(
        f"Training diverged: the {what} is {value} in step {step} (epoch {epoch}) at a learning rate of {rate:.3g}; length of "
        f"the gradient {gradient:.3g}, of the weights {weights:.3g}. The update was not made, what was saved before is kept. "
        "Try a lower optim.lr, a longer schedule.warmup_epochs or optim.clip, and look at the batch: "
        f"{', '.join(images[:NAMED])}{more}."
    )
