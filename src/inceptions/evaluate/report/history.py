"""How a run went: curves of accuracy, loss and learning rate, and the numbers behind them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from inceptions.evaluate.report.chart import Chart, Line, chart
from inceptions.evaluate.text import percent
from inceptions.train.progress import clock
from inceptions.train.run.folder import Row

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SPLITS = {"train": "training", "validation": "validation"}


def read_rows(metrics: Path) -> list[Row]:
    """The history of a run; empty before its first epoch is over."""
    text = metrics.read_text(encoding="utf-8") if metrics.is_file() else ""
    return [Row(**json.loads(line)) for line in text.splitlines()]


def best_of(rows: Sequence[Row]) -> Row | None:
    """The validated epoch whose weights a run keeps; None if none was validated."""
    validated = [row for row in rows if row.split == "validation"]
    return max(validated, key=lambda row: (row.accuracy, -row.loss, -row.epoch), default=None)


def curves(rows: Sequence[Row]) -> Iterator[Chart]:
    """Accuracy, loss and learning rate by epoch; nothing if there was one epoch only."""
    if len({row.epoch for row in rows}) < 2:
        return
    best = best_of(rows)
    mark = None if best is None else float(best.epoch)
    yield chart(
        lines(rows, lambda row: 100 * row.accuracy),
        title="Accuracy",
        unit="%",
        says=told(rows, "accuracy", lambda row: percent(row.accuracy)),
        mark=mark,
        bounds=(0, 100),
    )
    yield chart(
        lines(rows, lambda row: row.loss),
        title="Loss",
        unit="nats",
        says=told(rows, "loss", lambda row: f"{row.loss:.3f}"),
        mark=mark,
        bounds=(0, float("inf")),
    )
    trained = [row for row in rows if row.split == "train"]
    power = min(0, math.floor(math.log10(max((row.lr for row in trained if row.lr > 0), default=1.0))))
    rates = tuple((float(row.epoch), row.lr / 10.0**power) for row in trained)
    yield chart(
        [Line("last update of the epoch", "rate", rates)],
        title="Learning rate",
        unit=f"10{str(power).translate(RAISED)}" if power else "",
        says=f"The learning rate is {trained[0].lr:.2g} at the end of epoch {trained[0].epoch}, highest with "
        f"{max(row.lr for row in trained):.2g}, and {trained[-1].lr:.2g} at the end of epoch {trained[-1].epoch}.",
        bounds=(0, float("inf")),
    )


def lines(rows: Sequence[Row], value: Callable[[Row], float]) -> list[Line]:
    """A line for each split that has rows."""
    found = {split: [row for row in rows if row.split == split] for split in SPLITS}
    return [
        Line(SPLITS[split], split, tuple((float(row.epoch), value(row)) for row in own)) for split, own in found.items() if own
    ]


def told(rows: Sequence[Row], quantity: str, said: Callable[[Row], str]) -> str:
    """First, last and best of a quantity, in a sentence."""
    trained, validated = ([row for row in rows if row.split == split] for split in SPLITS)
    best = best_of(rows)
    assert best is not None
    return (
        f"Training {quantity} goes from {said(trained[0])} to {said(trained[-1])}, validation {quantity} from "
        f"{said(validated[0])} to {said(validated[-1])}; in the best epoch, {best.epoch}, it is {said(best)}."
    )


def table(rows: Sequence[Row]) -> list[dict[str, str]]:
    """One entry an epoch, as text; epochs that were not validated have no figures for that."""
    epochs: dict[int, dict[str, str]] = {}
    for row in rows:
        entry = epochs.setdefault(
            row.epoch, {"epoch": str(row.epoch), "validation_loss": "", "validation_accuracy": "", "data_wait": ""}
        )
        entry |= {f"{row.split}_loss": f"{row.loss:.3f}", f"{row.split}_accuracy": percent(row.accuracy)}
        entry |= {"lr": f"{row.lr:.3g}", "time": clock(row.seconds)}
        if row.data_wait is not None:
            entry["data_wait"] = percent(row.data_wait)
    return list(epochs.values())
