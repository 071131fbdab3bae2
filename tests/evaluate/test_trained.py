"""The score of a run's best weights from the answers that it kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
import victim

from inceptions.evaluate import evaluate_trained
from inceptions.train import loop
from inceptions.weights import load_model


def test_the_answers_that_a_run_kept_give_the_figures_of_asking_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(loop, "draw_history", lambda rows, folder: None)
    recipe = replace(victim.RECIPE, epochs=1)
    outcome = victim.go(tmp_path / "run", recipe=recipe, precision="fp32", checkpoint_every=60)
    network, card = load_model(outcome.run)
    kept = evaluate_trained(network, card, outcome.held, outcome.answers, precision="fp32")
    asked = evaluate_trained(network, card, outcome.held, None, precision="fp32", device="cpu", workers=0)
    assert (kept.n, kept.top1, kept.protocol, kept.precision) == (16, outcome.accuracy, asked.protocol, "fp32")
    assert kept.loss == pytest.approx(asked.loss, rel=1e-5)
    assert kept.per_class == asked.per_class
    assert kept.confusion == asked.confusion
    assert kept.indices == asked.indices
    # A run that was resumed behind its best epoch has none.
    again = victim.go(tmp_path / "run", recipe=recipe, precision="fp32", resume=True)
    assert again.answers is None
