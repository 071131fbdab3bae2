from __future__ import annotations

import pytest

from inceptions.claims import CLAIMS, chosen, minutes, plan
from inceptions.claims.plan import CORES, MOST
from inceptions.claims.statistics import FEWEST
from inceptions.errors import UsageError


@pytest.mark.parametrize(("text", "wanted"), [("30m", 30), ("1h", 60), ("90s", 1.5), ("2.5m", 2.5)])
def test_budgets(text: str, wanted: float) -> None:
    assert minutes(text) == wanted


@pytest.mark.parametrize("text", ["", "30", "m", "-5m", "0m", "1d", "30 m x"])
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(UsageError, match="30m, 1h or 90s"):
        minutes(text)


def test_more_budget_is_more_seeds_and_never_fewer() -> None:
    seeds = [plan(CLAIMS, budget).seeds for budget in (15, 30, 60, 120, 1000)]
    assert seeds == sorted(seeds)
    assert seeds[-1] == MOST
    assert min(seeds) >= FEWEST


def test_an_hour_pays_for_what_it_plans() -> None:
    found = plan(CLAIMS, 60)
    assert found.seconds <= 60 * 60 * CORES
    for claim in CLAIMS:
        assert claim.seconds * found.seeds <= found.seconds / 4, f"{claim.id} takes more than a quarter of what there is"


def test_too_small_a_budget_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Give at least --budget (\d+)m") as error:
        plan(CLAIMS, 0.1)
    least = float(str(error.value).split("--budget ")[1].split("m")[0])
    assert plan(CLAIMS, least).seeds >= FEWEST


def test_counted_claims_need_no_budget() -> None:
    assert plan(chosen(["4"]), 0.1).seconds == 0


def test_choosing() -> None:
    assert [claim.number for claim in chosen(["batch-norm", "1", "8"])] == [1, 8]
    with pytest.raises(UsageError, match="Did you mean 'batch-norm'"):
        chosen(["batch_norm"])
