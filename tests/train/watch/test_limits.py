"""One line on what limited a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
import victim

from inceptions.train import Row
from inceptions.train.watch.limits import waited, what_limited


def history(trained: list[float], validated: list[float], wait: float = 0.0) -> list[Row]:
    rows = []
    for epoch, (seen, held) in enumerate(zip(trained, validated, strict=True), start=1):
        common = {"epoch": epoch, "step": epoch, "lr": 0.1, "seconds": float(epoch)}
        rows.append(Row(split="train", loss=1 - seen, accuracy=seen, data_wait=wait, **common))
        rows.append(Row(split="validation", loss=1 - held, accuracy=held, **common))
    return rows


@pytest.mark.parametrize(
    ("trained", "validated", "wait", "kind", "says"),
    [
        ([0.5, 0.6], [0.5, 0.6], 0.4, "loader", "40% of the training time"),
        ([0.9, 0.99], [0.9, 0.999], 0.0, "nothing", "0.999"),
        ([0.4, 0.5, 0.6], [0.4, 0.5, 0.6], 0.0, "epochs", "still rose, to 0.600 in epoch 3 of 3"),
        ([0.4], [0.3], 0.0, "epochs", "there was one"),
        ([0.6, 0.8, 0.9, 0.99], [0.6, 0.75, 0.74, 0.73], 0.0, "overfitting", "accuracy 0.730, best in epoch 2"),
        ([0.6, 0.7, 0.9, 0.99], [0.6, 0.7, 0.75, 0.751], 0.0, "overfitting", "0.990 and validation accuracy 0.751"),
        ([0.6, 0.7, 0.7, 0.7], [0.6, 0.72, 0.71, 0.72], 0.0, "capacity", "came to rest in epoch 2 of 4"),
    ],
)
def test_the_reason_with_its_figures(trained, validated, wait, kind, says) -> None:
    rows = history(trained, validated, wait)
    limit = what_limited(rows, replace(victim.RECIPE, epochs=len(trained)))
    assert limit.kind == kind
    assert says in limit.sentence
    assert waited(rows) == pytest.approx(wait)


def test_a_run_that_lost_its_patience_had_enough_epochs() -> None:
    rows = history([0.5, 0.6, 0.61], [0.5, 0.6, 0.6])
    assert what_limited(rows, replace(victim.RECIPE, epochs=50, patience=1)).kind == "capacity"
