"""Runs that do not look at the validation images after every epoch."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import victim
from safetensors.torch import load_file

from inceptions.evaluate.report.history import table
from inceptions.recipe import Tuning
from inceptions.train import Row, loop
from inceptions.train.progress import Silent
from inceptions.train.run.job import is_finished
from inceptions.train.watch.limits import what_limited
from inceptions.train.watch.plots import picture
from inceptions.weights import load_model

RECIPE = replace(victim.RECIPE, epochs=5, validate_every=2)


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch) -> None:
    monkeypatch.setattr(loop, "draw_history", lambda rows, folder: None)


def rows_of(run) -> list[tuple[int, str]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(row["epoch"], row["split"]) for row in rows]


@pytest.mark.parametrize(
    ("epochs", "every", "stages", "validated"),
    [
        (5, 1, (), [1, 2, 3, 4, 5]),
        (5, 2, (), [2, 4, 5]),
        (6, 3, (), [3, 6]),
        (3, 10, (), [3]),
        (7, 10, ("b", "a"), [1, 4, 7]),
        (7, 3, ("b", "a"), [1, 3, 4, 6, 7]),
        (1, 3, (), [1]),
    ],
)
def test_which_epochs_are_validated(epochs, every, stages, validated) -> None:
    tuning = Tuning(stages=stages) if stages else None
    recipe = replace(RECIPE, epochs=epochs, validate_every=every, tuning=tuning)
    assert [epoch + 1 for epoch in range(epochs) if recipe.validates(epoch)] == validated


def test_a_run_has_rows_for_what_was_validated_and_the_best_is_one_of_them(tmp_path) -> None:
    heard = Heard()
    outcome = victim.go(tmp_path / "run", recipe=RECIPE, reporter=heard, checkpoint_every=60)
    train, held = "train", "validation"
    assert rows_of(outcome.run) == [(1, train), (2, train), (2, held), (3, train), (4, train), (4, held), (5, train), (5, held)]
    assert outcome.best_epoch in (2, 4, 5)
    assert load_model(outcome.run)[1].provenance["epoch"] == outcome.best_epoch
    said = [line for line in heard.lines if line.startswith("epoch ")]
    assert ["validation: " in line for line in said] == [False, True, False, True, True]
    assert is_finished(outcome.run)


def test_it_trains_as_if_it_had_validated_every_epoch(tmp_path) -> None:
    seldom = victim.go(tmp_path / "seldom", recipe=RECIPE, checkpoint_every=60)
    always = victim.go(tmp_path / "always", recipe=replace(RECIPE, validate_every=1), checkpoint_every=60)
    one, other = (load_file(outcome.run / "weights-last.safetensors") for outcome in (seldom, always))
    assert all(one[name].equal(other[name]) for name in other)
    figures = [[(row.epoch, row.split, row.loss, row.accuracy) for row in outcome.rows] for outcome in (seldom, always)]
    assert set(figures[0]) < set(figures[1])


def test_a_resumed_run_goes_on_between_two_validations(tmp_path, monkeypatch) -> None:
    whole = victim.go(tmp_path / "whole", recipe=RECIPE)
    real, calls = loop.Loop.train_epoch, 0

    def killed(self) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(loop.Loop, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        victim.go(tmp_path / "run", recipe=RECIPE)
    # What is written down between two validations has no score.
    card = load_model(tmp_path / "run" / "weights-last.safetensors")[1]
    assert card.provenance["epoch"] == 3
    assert "validation_accuracy" not in card.provenance
    resumed = victim.go(tmp_path / "run", recipe=RECIPE, resume=True)
    assert rows_of(resumed.run) == rows_of(whole.run)
    for name in ("weights.safetensors", "weights-last.safetensors"):
        assert (resumed.run / name).read_bytes() == (whole.run / name).read_bytes()


def test_patience_counts_epochs_and_is_lost_at_a_validation(tmp_path, monkeypatch) -> None:
    recipe = replace(victim.RECIPE, epochs=12, validate_every=3, patience=4)
    monkeypatch.setattr(loop.Best, "beaten_by", lambda *_: False)
    outcome = victim.go(tmp_path / "run", recipe=recipe, checkpoint_every=60)
    assert (outcome.best_epoch, outcome.epochs) == (3, 9), "at the end of epoch 7 its patience is over, and nobody looks"
    rows = (outcome.run / "metrics.jsonl").read_text().splitlines()
    forged = [row | {"accuracy": 1.0 if row["epoch"] == 3 else 0.0} for row in map(json.loads, rows)]
    (outcome.run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in forged))
    assert is_finished(outcome.run)
    assert victim.go(tmp_path / "run", recipe=recipe, resume=True).epochs == 9


def some_rows(trained: dict[int, float], validated: dict[int, float]) -> list[Row]:
    common = {"step": 1, "lr": 0.1, "seconds": 1.0}
    rows = [Row(epoch=epoch, split="train", loss=1 - seen, accuracy=seen, **common) for epoch, seen in trained.items()]
    rows += [Row(epoch=epoch, split="validation", loss=1 - held, accuracy=held, **common) for epoch, held in validated.items()]
    return sorted(rows, key=lambda row: (row.epoch, row.split))


@pytest.mark.parametrize(
    ("trained", "validated", "kind", "says"),
    [
        ({1: 0.4, 2: 0.5, 3: 0.6, 4: 0.7}, {2: 0.5, 4: 0.7}, "epochs", "still rose, to 0.700 in epoch 4 of 4"),
        ({1: 0.6, 2: 0.8, 3: 0.9, 4: 0.99}, {2: 0.75, 4: 0.73}, "overfitting", "best in epoch 2 of 4"),
        ({1: 0.6, 2: 0.7, 3: 0.7, 4: 0.7}, {4: 0.7}, "capacity", "came to rest in epoch 4 of 4"),
    ],
)
def test_what_limited_a_run_is_judged_by_the_epochs_that_were_validated(trained, validated, kind, says) -> None:
    limit = what_limited(some_rows(trained, validated), replace(victim.RECIPE, epochs=len(trained)))
    assert (limit.kind, says in limit.sentence) == (kind, True)


def test_pictures_and_table_have_gaps() -> None:
    rows = some_rows({1: 0.4, 2: 0.5}, {2: 0.5})
    assert picture(rows, "loss") and picture(rows[:1], "accuracy")  # noqa: PT018 (one thing)
    first, second = table(rows)
    assert (first["train_accuracy"], first["validation_accuracy"], first["validation_loss"]) == ("40.0 %", "", "")
    assert second["validation_accuracy"] == "50.0 %"
