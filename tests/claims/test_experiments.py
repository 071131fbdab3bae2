"""Every experiment runs, its arms differ, and the same seed gives the same figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inceptions.claims import CLAIMS
from inceptions.claims.claim import Claim
from inceptions.claims.lab import Lab

MEASURED = [claim for claim in CLAIMS if claim.trial is not None]


def tiny(claim: Claim, seed: int = 5) -> Lab:
    """A lab in which a trial takes a moment; what it finds means nothing."""
    size = replace(claim.small, steps=5, batch=8, train=24, held=20, depth=0.2, width=0.1)
    return Lab(seed=seed, size=size)


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.id)
def test_every_experiment_runs(claim: Claim) -> None:
    assert claim.trial is not None
    records = claim.trial(tiny(claim), claim.arms)
    assert set(records) == set(claim.arms)
    for hypothesis in claim.hypotheses:
        hypothesis.pair(records)
        assert records[hypothesis.more].trace != records[hypothesis.less].trace, "the arms did the same"
    for panel in claim.panels:
        shown = [records[arm] for arm in panel.arms or claim.arms]
        if panel.kind == "curves":
            assert any(record.curves.get(panel.quantity) for record in shown), panel
        if panel.kind == "points":
            assert any(panel.quantity in record.values for record in shown), panel
    for arm in claim.learns:
        assert {"accuracy", "chance"} <= set(records[arm].values)


@pytest.mark.parametrize("number", [3, 5, 12, 16])
def test_the_same_seed_gives_the_same_figures(number: int) -> None:
    claim = CLAIMS[number - 1]
    assert claim.trial is not None
    arms = claim.arms if claim.together else claim.arms[:2]
    first, again, other = (claim.trial(tiny(claim, seed), arms) for seed in (5, 5, 6))
    for arm in arms:
        assert first[arm].trace == again[arm].trace
        assert first[arm].values == again[arm].values
        assert first[arm].trace != other[arm].trace
