"""Averages that are still cold when a run is over."""

from __future__ import annotations

from dataclasses import replace

import pytest
import victim

from inceptions.network import create_model
from inceptions.recipe import Tuning
from inceptions.train.optim.knobs import set_knobs
from inceptions.train.progress import Silent
from inceptions.train.watch.warming import REMEMBERED, cold


@pytest.fixture(scope="module")
def network():
    return create_model("googlenet", variant="bn", num_classes=2, width=0.1, depth=0.4, aux=False)


def said(network, steps_per_epoch: int, **changes) -> str:
    recipe = replace(victim.RECIPE, epochs=2, **changes)
    set_knobs(network, recipe)
    return cold(network, recipe, steps_per_epoch)


def test_the_share_that_is_left_and_the_value_that_fits(network) -> None:
    line = said(network, 500, bn_momentum=0.0003)
    assert "bn_momentum of 0.0003" in line
    assert f"to {(1 - 0.0003) ** 1000:.0%} what they began with after the 1,000 batches" in line
    fits = float(line.rsplit("bn_momentum=", 1)[1].split()[0])
    assert (1 - fits) ** 1000 <= REMEMBERED < (1 - fits / 2) ** 1000
    assert said(network, 500, bn_momentum=fits) == ""


def test_long_runs_and_quick_averages_are_warm(network) -> None:
    assert said(network, 50_000, bn_momentum=0.0003) == ""
    assert said(network, 2, bn_momentum=0.1) == ""
    assert said(network, 5, bn_momentum=0.01) != ""
    assert said(network, 5, bn_momentum=0.01, tuning=Tuning()) == ""


def test_a_run_says_it_even_where_little_is_said(tmp_path, monkeypatch) -> None:
    class Heard(Silent):
        lines: tuple[str, ...] = ()

        def warn(self, line: str) -> None:
            self.lines = (*self.lines, line)

    heard = Heard()
    recipe = replace(victim.RECIPE, epochs=1, bn_momentum=0.001)
    victim.go(tmp_path / "run", recipe=recipe, checkpoint_every=60, reporter=heard)
    assert [line for line in heard.lines if "bn_momentum=" in line]
