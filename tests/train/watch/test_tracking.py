"""Trackers that Accelerate knows: told the figures, and never the end of a run."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

import pytest
import victim

from inceptions.errors import MachineError, UsageError
from inceptions.train import loop
from inceptions.train.progress import Silent
from inceptions.train.watch.tracking import check_trackers, plain

RECIPE = replace(victim.RECIPE, epochs=2)


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch) -> None:
    monkeypatch.setattr(loop, "draw_history", lambda rows, folder: None)


@pytest.fixture
def tensorboard(monkeypatch) -> None:
    """TensorBoard, which must not load TensorFlow into this process where that is there."""
    compat = pytest.importorskip("tensorboard.compat")
    stub = ModuleType("tensorboard.compat.notf")
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", stub)
    monkeypatch.setattr(compat, "notf", stub, raising=False)


def test_tensorboard_gets_every_figure(tmp_path, tensorboard) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    outcome = victim.go(tmp_path / "run", recipe=RECIPE, track=("tensorboard",), checkpoint_every=60)
    events = EventAccumulator(str(next((outcome.run / "tracking").rglob("events*")).parent)).Reload()
    losses = [(event.step, event.value) for event in events.Scalars("validation/loss")]
    expected = [(row.step, row.loss) for row in outcome.rows if row.split == "validation"]
    assert losses == [(step, pytest.approx(loss)) for step, loss in expected]
    assert [event.step for event in events.Scalars("step/lr")] == list(range(1, 9))
    assert "tensorflow" not in sys.modules
    assert {"step/gradient_norm", "step/loss", "train/accuracy", "train/data_wait"} <= set(events.Tags()["scalars"])


def test_a_tracker_that_fails_does_not_end_the_run(tmp_path, monkeypatch, tensorboard) -> None:
    def full(*arguments, **options) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("accelerate.Accelerator.log", full)
    heard = Heard()
    outcome = victim.go(tmp_path / "run", recipe=RECIPE, track=("tensorboard",), reporter=heard, checkpoint_every=60)
    assert outcome.epochs == 2
    assert [line for line in heard.lines if "Tracking" in line] == [
        "Tracking stopped (OSError: no space left). The run goes on without it."
    ]


def test_unknown_and_missing_trackers(monkeypatch) -> None:
    check_trackers(())
    with pytest.raises(UsageError, match="Did you mean 'tensorboard'"):
        check_trackers(["tensorbord"])
    monkeypatch.setattr("inceptions.train.watch.tracking.get_available_trackers", list)
    with pytest.raises(MachineError, match=r"pip install 'inceptions\[track\]'"):
        check_trackers(["tensorboard"])
    with pytest.raises(MachineError, match="pip install 'wandb'"):
        check_trackers(["wandb"])


def test_settings_are_flat() -> None:
    assert plain({"a": 1, "b": {"c": [1, 2], "d": "x"}}) == {"a": 1, "b.c": "[1, 2]", "b.d": "x"}
