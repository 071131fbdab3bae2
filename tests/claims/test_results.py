from __future__ import annotations

import math
from dataclasses import replace

import pytest

from inceptions.claims import CLAIMS
from inceptions.claims.claim import Count, Hypothesis
from inceptions.claims.results import judge
from inceptions.claims.statistics import Verdict

EIGHT = [0.70, 0.71, 0.72, 0.69, 0.70, 0.73, 0.71, 0.70]


def test_verdicts_follow_the_figures(claim, seeds) -> None:
    worse = [value - 0.1 - 0.01 * (i % 3) for i, value in enumerate(EIGHT)]
    mixed = [value + 0.05 * (-1) ** i for i, value in enumerate(EIGHT)]
    assert judge(claim, seeds({"a": EIGHT, "b": worse})).verdict is Verdict.HOLDS
    assert judge(claim, seeds({"a": worse, "b": EIGHT})).verdict is Verdict.FAILS
    assert judge(claim, seeds({"a": EIGHT, "b": mixed})).verdict is Verdict.OPEN


def test_the_figure_is_printed_as_it_is(claim, seeds) -> None:
    result = judge(claim, seeds({"a": EIGHT, "b": [value - 0.1 for value in EIGHT]}))
    mean, low, high = result.findings[0].shown
    assert mean == pytest.approx(10)
    assert low == pytest.approx(10)
    assert high == pytest.approx(10)
    ratio = result.findings[1].shown[0]
    assert ratio == pytest.approx(math.exp(sum(math.log((1 + v) / (0.9 + v)) for v in EIGHT) / 8))


def test_a_margin_is_no_part_of_the_printed_figure(claim, seeds) -> None:
    close = replace(claim, hypotheses=(replace(claim.hypotheses[0], margin=-0.02),))
    result = judge(close, seeds({"a": [value - 0.01 for value in EIGHT], "b": EIGHT}))
    assert result.verdict is Verdict.HOLDS, "one point worse is not two points worse"
    assert result.findings[0].shown[0] == pytest.approx(-1)


def test_arms_that_did_the_same_give_no_verdict(claim, seeds) -> None:
    records = seeds({"a": EIGHT, "b": [value - 0.1 for value in EIGHT]})
    same = [{arm: replace(record, trace=str(i)) for arm, record in one.items()} for i, one in enumerate(records)]
    result = judge(claim, same)
    assert result.verdict is Verdict.BROKEN
    assert "computed exactly the same" in result.reason


def test_seeds_that_did_the_same_give_no_verdict(claim, seeds) -> None:
    records = seeds({"a": EIGHT, "b": [value - 0.1 for value in EIGHT]})
    same = [{arm: replace(record, trace=arm) for arm, record in one.items()} for one in records]
    assert "not independent" in judge(claim, same).reason


def test_what_did_not_learn_decides_nothing(claim, seeds) -> None:
    result = judge(claim, seeds({"a": EIGHT, "b": [0.1, 0.12, 0.09, 0.1, 0.11, 0.1, 0.1, 0.1]}))
    assert result.verdict is Verdict.OPEN
    assert "did not learn" in result.reason


def test_few_seeds_and_failures(claim, seeds) -> None:
    few = judge(claim, seeds({"a": EIGHT[:3], "b": [0.5, 0.51, 0.5]}))
    assert (few.verdict, few.reason[:17]) == (Verdict.OPEN, "3 complete seeds;")
    failed = judge(claim, [], "RuntimeError: boom")
    assert (failed.verdict, failed.reason) == (Verdict.BROKEN, "RuntimeError: boom")
    unreal = judge(claim, seeds({"a": [math.nan] * 8, "b": EIGHT}))
    assert unreal.verdict is Verdict.BROKEN


def test_a_wrong_count_turns_the_verdict(claim, seeds) -> None:
    records = seeds({"a": EIGHT, "b": [value - 0.1 for value in EIGHT]})
    wrong = replace(claim, counts=lambda: (Count(what="layers", ours=21, published=22),))
    assert judge(wrong, records).verdict is Verdict.FAILS
    said = replace(claim, counts=lambda: (Count(what="layers", ours=21, published=22, remark="known"),))
    assert judge(said, records).verdict is Verdict.HOLDS


def test_only_the_headline_decides(claim, seeds) -> None:
    second = Hypothesis(statement="B is better.", quantity="accuracy", more="b", less="a", unit="points")
    both = replace(claim, hypotheses=(claim.hypotheses[0], second))
    records = seeds({"a": EIGHT, "b": [value - 0.1 - 0.001 * i for i, value in enumerate(EIGHT)]})
    assert judge(both, records).verdict is Verdict.HOLDS
    assert judge(replace(both, headline=2), records).verdict is Verdict.FAILS


def test_every_claim_says_what_it_needs() -> None:
    assert [claim.number for claim in CLAIMS] == list(range(1, 19))
    assert len({claim.id for claim in CLAIMS}) == 18
    for claim in CLAIMS:
        assert claim.statement.endswith("."), claim.id
        assert "19" in claim.source or "20" in claim.source, claim.id
        assert claim.panels, claim.id
        for panel in claim.panels:
            assert set(panel.arms) <= set(claim.arms), claim.id
            assert panel.kind == "counts" or panel.label, claim.id
        assert (claim.seconds > 0) == (claim.trial is not None), claim.id
