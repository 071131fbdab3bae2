"""A dry run: the figures of the run to come, and no trace of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import victim

from inceptions.errors import MachineError, UsageError
from inceptions.train import forecast
from inceptions.train.before.forecast import curve

OPTIONS = {"splits": victim.small_splits(), "width": 0.1, "depth": 0.4, "workers": 0, "device": "cpu", "precision": "fp32"}


def test_what_a_run_will_be(tmp_path) -> None:
    before = torch.random.get_rng_state()
    ahead = forecast(run=tmp_path / "runs" / "a", recipe=victim.RECIPE, **OPTIONS)
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(torch.random.get_rng_state(), before)
    assert ahead.classes == {str(digit): list(victim.small_splits().train.labels).count(digit) for digit in range(10)}
    assert (ahead.validation, ahead.network, ahead.epochs, ahead.steps) == (16, "googlenet/bn", 3, 12)
    assert ahead.rates == tuple(victim.RECIPE.learning_rate(step, 4) for step in range(12))
    assert set(ahead.step_seconds) == {16, 32}, "the first and the last size"
    assert ahead.seconds > 0
    assert ahead.free > ahead.memory > 0
    text = ahead.text()
    assert "3 epochs of 4 steps of 8 images; cpu, fp32, 0 workers" in text
    assert "nothing was written" in text
    assert set(ahead.to_dict()) >= {"classes", "steps", "rates", "memory", "seconds", "parameters"}


def test_it_refuses_what_the_run_would_refuse(tmp_path) -> None:
    with pytest.raises(UsageError, match="Unknown device"):
        forecast(run=tmp_path / "a", recipe=victim.RECIPE, **{**OPTIONS, "device": "gpu"})
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="a file, not a folder"):
        forecast(run=tmp_path / "file" / "a", recipe=victim.RECIPE, **OPTIONS)
    victim.go(tmp_path / "run", recipe=replace(victim.RECIPE, epochs=1), checkpoint_every=60)
    with pytest.raises(UsageError, match="already holds a run"):
        forecast(run=tmp_path / "run", recipe=victim.RECIPE, **OPTIONS)


def test_a_curve_of_bars() -> None:
    assert curve((0.0, 0.5, 1.0)) == "▁▅█"
    assert curve((0.0,)) == "▁"
