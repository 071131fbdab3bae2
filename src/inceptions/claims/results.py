"""From the cells to what is said of a claim: estimates, counts, a verdict, and the reason where there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inceptions.claims.cells import Settings, cells, kept
from inceptions.claims.claim import Claim, Count, Hypothesis, Record, Records
from inceptions.claims.statistics import FEWEST, Estimate, Verdict, estimate, together

# An arm has learned something if its accuracy is above chance by this much, at the lower end of its interval.
LEARNED = 0.05


@dataclass(frozen=True)
class Finding:
    """A hypothesis, its estimate and the verdict on it."""

    hypothesis: Hypothesis
    estimate: Estimate
    verdict: Verdict

    @property
    def shown(self) -> tuple[float, float, float]:
        """Mean and interval as they are printed: without the margin; ratios as factors, shares as points."""
        one = self.hypothesis
        if one.ratio:
            lift = math.log1p(one.margin)
            mean, low, high = (_exp(value + lift) for value in (self.estimate.mean, self.estimate.low, self.estimate.high))
            return mean, low, high
        factor = 100 if one.unit == "points" else 1
        return tuple(  # type: ignore[return-value]  # three of them
            factor * (value + one.margin) for value in (self.estimate.mean, self.estimate.low, self.estimate.high)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        mean, low, high = self.shown
        one = self.hypothesis
        return {
            "statement": one.statement,
            "more": one.more,
            "less": one.less,
            "quantity": one.quantity,
            "unit": "ratio" if one.ratio else one.unit,
            "published": one.published,
            "mean": _plain(mean),
            "low": _plain(low),
            "high": _plain(high),
            "margin": one.margin,
            "pairs": self.estimate.n,
            "timed": one.timed,
            "verdict": self.verdict.value,
        }


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a claim.

    Attributes:
        claim: the claim.
        verdict: on it.
        findings: of its hypotheses.
        counts: what is counted.
        seeds: the records of each seed that is complete.
        seconds: processor time spent.
        reason: why there is no verdict, "" if there is one.
    """

    claim: Claim
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    counts: tuple[Count, ...] = ()
    seeds: tuple[Records, ...] = field(default=(), repr=False)
    seconds: float = 0.0
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The stable document of one claim in `--json`."""
        claim = self.claim
        return {
            "number": claim.number,
            "id": claim.id,
            "title": claim.title,
            "statement": claim.statement,
            "source": claim.source,
            "published": claim.published,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "hypotheses": [finding.to_dict() for finding in self.findings],
            "counts": [
                {"what": one.what, "ours": one.ours, "published": one.published, "equal": one.equal, "remark": one.remark}
                for one in self.counts
            ],
            "arms": {arm: _means(self.seeds, arm) for arm in claim.arms},
            "seeds": len(self.seeds),
            "seconds": round(self.seconds, 1),
        }


def results(
    folder: Path, claims: Sequence[Claim], seeds: int, settings: Settings, broken: Mapping[str, str] | None = None
) -> list[Result]:
    """Judge what is in a folder.

    Args:
        folder: where the cells are.
        claims: what is judged.
        seeds: of how many; those that are not complete are left out.
        settings: data, seed and size.
        broken: what went wrong, by claim.
    """
    found = []
    for claim in claims:
        by_seed: dict[int, dict[str, Record]] = {}
        for cell in cells(claim, seeds):
            records = kept(folder, cell, settings)
            if records is not None:
                by_seed.setdefault(cell.index, {}).update(records)
        complete = [by_seed[index] for index in sorted(by_seed) if set(by_seed[index]) == set(claim.arms)]
        found.append(judge(claim, complete, (broken or {}).get(claim.id, "")))
    return found


def judge(claim: Claim, seeds: Sequence[Records], failure: str = "") -> Result:
    """The verdict on a claim from its seeds' records.

    Args:
        claim: the claim.
        seeds: the records of each seed, by arm.
        failure: what went wrong in computing them, "" if nothing.
    """
    counts = claim.counts() if claim.counts is not None else ()
    findings = tuple(_finding(one, seeds) for one in claim.hypotheses)
    seconds = sum(record.seconds for records in seeds for record in records.values())
    broken = failure or _broken(claim, seeds)
    reason = broken or _unfit(claim, seeds)
    if broken:
        verdict = Verdict.BROKEN
    elif not all(one.equal for one in counts if not one.remark):
        verdict = Verdict.FAILS
    elif reason:
        verdict = Verdict.OPEN
    else:
        verdict = together([finding.verdict for finding in findings[: claim.headline]])
    return Result(
        claim=claim,
        verdict=verdict,
        findings=findings,
        counts=counts,
        seeds=tuple(seeds),
        seconds=seconds,
        reason=reason,
    )


def _finding(hypothesis: Hypothesis, seeds: Sequence[Records]) -> Finding:
    found = estimate([hypothesis.pair(records) for records in seeds])
    same = bool(seeds) and all(records[hypothesis.more].trace == records[hypothesis.less].trace for records in seeds)
    return Finding(hypothesis, found, Verdict.BROKEN if same else found.verdict)


def _broken(claim: Claim, seeds: Sequence[Records]) -> str:
    """What shows that an experiment is not what it says, "" if nothing does."""
    for one in claim.hypotheses:
        if seeds and all(records[one.more].trace == records[one.less].trace for records in seeds):
            return f"“{one.more}” and “{one.less}” computed exactly the same: one of them is not what it is called."
        values = [records[arm].values.get(one.quantity, math.nan) for records in seeds for arm in (one.more, one.less)]
        if not all(map(math.isfinite, values)):
            return f"{one.quantity} is not a number in every seed."
    traces = {tuple(records[arm].trace for arm in claim.arms) for records in seeds}
    if len(seeds) > 1 and len(traces) == 1 and not claim.together:
        return "every seed computed exactly the same: they are not independent."
    return ""


def _unfit(claim: Claim, seeds: Sequence[Records]) -> str:
    """Why no verdict is possible although nothing is broken, "" if one is."""
    if claim.hypotheses and len(seeds) < FEWEST:
        return f"{len(seeds)} complete seeds; fewer than {FEWEST} decide nothing."
    for arm in claim.learns:
        above = estimate([records[arm].values["accuracy"] - records[arm].values["chance"] for records in seeds])
        if not above.low > LEARNED:
            return f"“{arm}” did not learn to tell the classes apart."
    return ""


def _means(seeds: Sequence[Records], arm: str) -> dict[str, float | None]:
    if not seeds:
        return {}
    names = seeds[0][arm].values
    return {name: _plain(sum(records[arm].values[name] for records in seeds) / len(seeds)) for name in names}


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def _plain(value: float) -> float | None:
    """A number that JSON has."""
    return round(value, 6) if math.isfinite(value) else None
