"""No claim holds by a broken experiment: a fault is planted in the factory or in the training, and the verdict turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from inceptions.architecture import Architecture
from inceptions.architecture.declaration import Chain
from inceptions.architecture.nodes import Residual
from inceptions.claims import chosen
from inceptions.claims.claim import Claim, Size
from inceptions.claims.lab import Lab, build
from inceptions.claims.networks import unnormalised
from inceptions.claims.results import Result, judge
from inceptions.claims.statistics import FEWEST, Verdict
from inceptions.claims.training import fit
from inceptions.network import Network

# How many seeds the smaller effects need.
SEEDS = {17: 12}

Change = Callable[[Lab], Lab]


def without_batch_norm(lab: Lab) -> Lab:
    return replace(lab, factory=lambda declared, seed: build(unnormalised(declared), seed))


def with_disconnected_heads(lab: Lab) -> Lab:
    def factory(declared: Architecture, seed: int) -> Network:
        model = build(declared, seed)
        for head in declared.heads[:-1]:
            model.get_submodule(head.name).register_forward_pre_hook(lambda _, given: tuple(one.detach() for one in given))
        return model

    return replace(lab, factory=factory)


def with_ignored_scale(lab: Lab) -> Lab:
    def factory(declared: Architecture, seed: int) -> Network:
        nodes = tuple(replace(node, scale=1.0) if isinstance(node, Residual) else node for node in declared.trunk.nodes)
        return build(replace(declared, trunk=Chain("trunk", nodes)), seed)

    return replace(lab, factory=factory)


def with_ignored_smoothing(lab: Lab) -> Lab:
    return replace(lab, fit=lambda model, sample, training, seed: fit(model, sample, replace(training, smoothing=0.0), seed))


def without_augmentation(lab: Lab) -> Lab:
    return replace(lab, fit=lambda model, sample, training, seed: fit(model, sample, replace(training, augment=None), seed))


FAULTS = {
    8: without_batch_norm,
    6: with_disconnected_heads,
    15: with_ignored_scale,
    12: with_ignored_smoothing,
    17: without_augmentation,
}


def result(number: int, change: Change = lambda lab: lab, *, size: Size | None = None, seeds: int = FEWEST) -> Result:
    """The headline of a claim alone, on as few seeds as can decide."""
    (claim,) = chosen([str(number)])
    claim = alone(claim)
    assert claim.trial is not None
    records = []
    for seed in range(seeds):
        lab = change(Lab(seed=seed, size=size or claim.small))
        records.append(claim.trial(lab, claim.arms))
    return judge(claim, records)


def alone(claim: Claim) -> Claim:
    headline = claim.hypotheses[: claim.headline]
    arms = {arm for one in headline for arm in (one.more, one.less)}
    kept = tuple(arm for arm in claim.arms if arm in arms)
    panels = ()
    return replace(
        claim, arms=kept, hypotheses=headline, panels=panels, learns=tuple(arm for arm in claim.learns if arm in kept)
    )


@pytest.mark.parametrize("number", [12, 15, 17])
def test_a_fault_that_makes_the_arms_the_same_is_found(number: int) -> None:
    """These faults leave no difference at all, at any size: that alone ends the experiment."""
    (claim,) = chosen([str(number)])
    size = replace(claim.small, steps=2, batch=4, train=12, held=12)
    found = result(number, FAULTS[number], size=size)
    assert found.verdict is Verdict.BROKEN
    assert "computed exactly the same" in found.reason
    assert found.findings[0].estimate.verdict is not Verdict.HOLDS, "nor would the figures have said that it holds"


@pytest.mark.slow
@pytest.mark.parametrize("number", FAULTS)
def test_the_claim_holds_where_nothing_is_broken(number: int) -> None:
    assert result(number, seeds=SEEDS.get(number, FEWEST)).verdict is Verdict.HOLDS


@pytest.mark.slow
@pytest.mark.parametrize("number", FAULTS)
def test_a_fault_turns_the_verdict(number: int) -> None:
    assert result(number, FAULTS[number], seeds=SEEDS.get(number, FEWEST)).verdict is not Verdict.HOLDS


@pytest.mark.slow
def test_a_fault_turns_the_verdict_where_the_arms_differ_by_chance() -> None:
    """Smoothing ignored, and other first weights in one arm: the traces differ, and only the statistics are left."""

    def change(lab: Lab) -> Lab:
        broken = with_ignored_smoothing(lab)
        calls: list[int] = []

        def factory(declared: Architecture, seed: int) -> Network:
            calls.append(seed)
            return build(declared, seed + 50_000 * len(calls))

        return replace(broken, factory=factory)

    found = result(12, change)
    assert found.verdict is not Verdict.HOLDS
    assert found.verdict is not Verdict.BROKEN
