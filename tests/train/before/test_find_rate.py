"""The learning-rate range test."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import victim
from PIL import Image

from inceptions.errors import DivergedError
from inceptions.train import find_rate, step

OPTIONS = {"splits": victim.small_splits(), "width": 0.1, "depth": 0.4, "workers": 0, "device": "cpu", "precision": "fp32"}
RECIPE = replace(victim.RECIPE, start_size=None, image_size=16, test_size=32)


def test_a_rate_is_found_where_the_loss_falls(tmp_path) -> None:
    found = find_rate(run=tmp_path / "rate", recipe=RECIPE, **OPTIONS)
    assert found.rates[0] == pytest.approx(1e-6)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) <= 100
    ratios = [later / earlier for earlier, later in zip(found.rates, found.rates[1:], strict=False)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios)), "exponential"
    assert found.lowest == found.rates[found.smoothed.index(min(found.smoothed))]
    assert found.suggestion == pytest.approx(found.lowest / 10, rel=0.05)
    assert {path.name for path in (tmp_path / "rate").iterdir()} == {"learning-rate.png", "learning-rate.json"}
    assert json.loads((tmp_path / "rate" / "learning-rate.json").read_text())["suggestion"] == found.suggestion
    with Image.open(found.picture) as picture:
        assert picture.size == (768, 480)
    # The folder is no run yet: training may have it.
    victim.go(tmp_path / "rate", recipe=replace(victim.RECIPE, epochs=1), checkpoint_every=60)


def test_it_stops_where_the_loss_explodes(tmp_path, monkeypatch) -> None:
    real, calls = step.objective, 0

    def exploding(heads, labels, **options):
        nonlocal calls
        calls += 1
        return real(heads, labels, **options) * (float("inf") if calls > 20 else 1)

    monkeypatch.setattr(step, "objective", exploding)
    assert len(find_rate(run=tmp_path / "rate", recipe=RECIPE, **OPTIONS).rates) == 20
    with pytest.raises(DivergedError, match="not finite after 0 updates"):
        find_rate(run=tmp_path / "other", recipe=RECIPE, **OPTIONS)
    assert not (tmp_path / "other").exists()
