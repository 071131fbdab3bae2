"""Crops × models, as GoogLeNet's paper shows it (arXiv:1409.4842, table 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inceptions.data import Images
from inceptions.evaluate.contenders import Contender
from inceptions.evaluate.ensemble import evaluate_models
from inceptions.evaluate.evaluation import Evaluation
from inceptions.evaluate.kept import Asker
from inceptions.evaluate.metrics import Interval, mean_interval
from inceptions.evaluate.protocol import Crops, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One row.

    Attributes:
        models: how many answer together. The row of one model holds the means over all models, each alone.
        crops: how an image is shown.
        cost: forward passes for an image.
        top1_error: share of images whose likeliest class is wrong.
        top5_error: share of images whose class is not among the five likeliest.
        loss: mean cross-entropy in nats.
        intervals: 95 % intervals of "top1_error" and "top5_error".
        compared: `top1_error` less that of the first row.
        compared_interval: its 95 % interval; from the same resampled images in both rows, so that it may lie apart from 0 where
            the intervals of the rows overlap.
    """

    models: int
    crops: Crops
    cost: int
    top1_error: float
    top5_error: float
    loss: float
    intervals: dict[str, Interval]
    compared: float
    compared_interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Crops × models.

    Attributes:
        rows: of one model by crops, then of all models by crops; the first is what the others are compared with.
        evaluations: behind the rows, by crops.
    """

    rows: tuple[TableRow, ...]
    evaluations: Mapping[Crops, Evaluation]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rows = [
            {
                "models": row.models,
                "crops": row.crops,
                "cost": row.cost,
                "top1_error": row.top1_error,
                "top5_error": row.top5_error,
                "loss": row.loss,
                "intervals": {name: list(interval) for name, interval in row.intervals.items()},
                "compared": row.compared,
                "compared_interval": list(row.compared_interval),
            }
            for row in self.rows
        ]
        first = next(iter(self.evaluations.values()))
        return {
            "n": first.n,
            "rows": rows,
            "evaluations": [
                {
                    "crops": crops,
                    **one.figures(),
                    "models": [{"weights": name, **alone.figures()} for name, alone in one.models.items()],
                }
                for crops, one in self.evaluations.items()
            ],
            "skipped": [{"path": name, "error": reason} for name, reason in first.skipped],
        }


def tabulate(
    contenders: Sequence[Contender],
    images: Images,
    asker: Asker,
    *,
    protocols: Sequence[Protocol],
    votes: Sequence[float] = (),
) -> Table:
    """Judge models alone and together, by several protocols.

    Args:
        contenders: the models, of the same classes.
        images: labelled with the first one's classes.
        asker: asks the models.
        protocols: a row each for one model, and one for all together.
        votes: as for `evaluate_models`.

    Raises:
        UsageError: a protocol that does not fit a model.
        DataError: too large a share of the images cannot be read.
    """
    for protocol in protocols:
        for one in contenders:
            protocol.describe(one.card.preprocess)
    evaluations: dict[Crops, Evaluation] = {
        protocol.crops: evaluate_models(contenders, images, asker, protocol=protocol, votes=votes) for protocol in protocols
    }
    views = {protocol.crops: protocol.views(contenders[0].card.preprocess) for protocol in protocols}
    groups = [(1, crops, list(one.models.values()) or [one]) for crops, one in evaluations.items()]
    if len(contenders) > 1:
        groups += [(len(contenders), crops, [one]) for crops, one in evaluations.items()]
    base = errors(groups[0][2], 1)
    rows = []
    for models, crops, scored in groups:
        first, five = errors(scored, 1), errors(scored, 5)
        rows.append(
            TableRow(
                models=models,
                crops=crops,
                cost=models * views[crops],
                top1_error=float(first.mean()),
                top5_error=float(five.mean()),
                loss=float(np.mean([one.loss for one in scored])),
                intervals={"top1_error": mean_interval(first), "top5_error": mean_interval(five)},
                compared=float((first - base).mean()),
                compared_interval=mean_interval(first - base),
            )
        )
    return Table(rows=tuple(rows), evaluations=evaluations)


def errors(scored: Sequence[Evaluation], k: int) -> NDArray[np.float64]:
    """The share of models that do not have each image's class among their `k` likeliest, `[n]`."""
    found = [one.outcomes for one in scored]
    means: NDArray[np.float64] = np.mean([one.ranks >= k for one in found if one is not None], axis=0, dtype=np.float64)
    return means
