"""What a run leaves to whoever started it, besides its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inceptions.data import Readable
from inceptions.train.run.folder import Row
from inceptions.train.validation import Answers
from inceptions.train.watch.limits import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run.

    Attributes:
        run: its folder.
        best_epoch: the epoch, counted from 1, whose weights are in `weights.safetensors`.
        accuracy: of these weights on the validation images.
        loss: of these weights on the validation images, in nats.
        seconds: since the run began, the time between a stop and a resume not counted.
        images_per_second: training images; validation and checkpoints not counted.
        epochs: epochs done; fewer than the recipe's if it has a `patience`.
        steps: updates done.
        data_wait: share of the training time that went into waiting for images.
        limit: what kept it from being better.
        rows: the history.
        held: the validation images, looked at.
        answers: of the best weights to them, in their order; None if the best epoch was before a stop.
        unread: training images that could not be read, with the reason.
        leads: whether this process is the one of several that speaks for the run.
    """

    run: Path
    best_epoch: int
    accuracy: float
    loss: float
    seconds: float
    images_per_second: float
    epochs: int
    steps: int
    data_wait: float
    limit: Limit
    rows: tuple[Row, ...]
    held: Readable
    answers: Answers | None
    unread: tuple[tuple[str, str], ...]
    leads: bool
