"""`--compile`: the same losses, the same run."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace

import pytest
import torch
import victim

from inceptions.train import loop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler on this machine"),
]
# Compiled, dropout draws other numbers from the same seed.
RECIPE = replace(victim.RECIPE, epochs=2, start_size=None, image_size=48, ema=None, dropout=0.0)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(loop, "draw_history", lambda rows, folder: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own, while it compiles
        yield
    torch.compiler.reset()


def go(run, **options):
    splits = victim.small_splits(trained=2 * RECIPE.batch_size, validated=8)
    options = {"splits": splits, "precision": "fp32", "compiled": True, **options}
    return victim.go(run, recipe=RECIPE, model="plain_cnn", **options)


def test_losses_are_those_of_the_network_as_it_is_and_a_run_can_go_on(tmp_path, monkeypatch) -> None:
    plain = go(tmp_path / "plain", compiled=False)
    whole = go(tmp_path / "whole")
    for one, other in zip(plain.rows, whole.rows, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-4)

    real, calls = loop.Loop.update, 0

    def stopped(self, *batch) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        real(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "update", stopped)
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "run")
    torch.compiler.reset()
    resumed = go(tmp_path / "run", resume=True)
    assert [row.loss for row in resumed.rows] == pytest.approx([row.loss for row in whole.rows], rel=1e-6)
