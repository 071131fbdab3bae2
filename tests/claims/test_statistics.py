from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from inceptions.claims.statistics import FEWEST, Estimate, Verdict, estimate, together

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=30)


@settings(deadline=None)
@given(VALUES)
def test_the_interval_is_students(values: list[float]) -> None:
    found = estimate(values)
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), max(stats.sem(values), 1e-300))
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


@settings(deadline=None)
@given(VALUES)
def test_the_opposite_prediction_has_the_opposite_verdict(values: list[float]) -> None:
    turned = {Verdict.HOLDS: Verdict.FAILS, Verdict.FAILS: Verdict.HOLDS, Verdict.OPEN: Verdict.OPEN}
    assert estimate([-value for value in values]).verdict is turned[estimate(values).verdict]


def test_few_seeds_decide_nothing() -> None:
    assert estimate([1.0] * (FEWEST - 1)).verdict is Verdict.OPEN
    assert estimate([1.0] * FEWEST).verdict is Verdict.HOLDS
    for values in ([], [1.0]):
        assert estimate(values).verdict is Verdict.OPEN


def test_verdicts() -> None:
    assert Estimate(1, 0.1, 2, 8).verdict is Verdict.HOLDS
    assert Estimate(-1, -2, -0.1, 8).verdict is Verdict.FAILS
    assert Estimate(1, -0.1, 2, 8).verdict is Verdict.OPEN
    assert Estimate(0, 0, 0, 8).verdict is Verdict.OPEN
    assert Estimate(math.nan, math.nan, math.nan, 8).verdict is Verdict.OPEN


def test_several_predictions_hold_only_together() -> None:
    assert together([Verdict.HOLDS, Verdict.HOLDS]) is Verdict.HOLDS
    assert together([Verdict.HOLDS, Verdict.OPEN]) is Verdict.OPEN
    assert together([Verdict.OPEN, Verdict.FAILS]) is Verdict.FAILS
    assert together([Verdict.FAILS, Verdict.BROKEN]) is Verdict.BROKEN
    assert together([]) is Verdict.HOLDS


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    chance = np.random.default_rng(3)
    inside = sum(found.low <= 0.3 <= found.high for found in (estimate(chance.normal(0.3, 1, 8).tolist()) for _ in range(1000)))
    assert 0.93 <= inside / 1000 <= 0.97
