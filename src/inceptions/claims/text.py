"""Claims and results as lines of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from inceptions.claims.claim import Claim, Count
from inceptions.claims.plan import Plan
from inceptions.claims.results import Finding, Result


def list_text(claims: Sequence[Claim]) -> str:
    """The claims, one a line, with their sources."""
    wide = max(len(claim.id) for claim in claims)
    return "\n".join(f"{claim.number:2d}  {claim.id:<{wide}}  {claim.title}  ({claim.source})" for claim in claims)


def described(claim: Claim) -> dict[str, Any]:
    """A claim as plain values, before anything is run."""
    return {
        "number": claim.number,
        "id": claim.id,
        "title": claim.title,
        "statement": claim.statement,
        "source": claim.source,
        "experiment": claim.experiment,
        "published": claim.published,
        "hypotheses": [one.statement for one in claim.hypotheses],
        "command": f"inceptions claims run {claim.id}",
    }


def plan_text(plan: Plan) -> str:
    """What is going to run, in a line."""
    count = len(plan.claims)
    return (
        f"{count} claim{'s' * (count != 1)}, {plan.seeds} seeds each, about {plan.seconds / 60:.0f} minutes of processor time "
        "on the reference machine"
    )


def results_text(results: Sequence[Result]) -> str:
    """The results: a line for each claim with its verdict, and its headline figures below."""
    return "\n".join(line for result in results for line in _lines(result))


def _lines(result: Result) -> Iterator[str]:
    claim = result.claim
    yield f"{claim.number:2d}  {claim.title}: {result.verdict}" + (f" ({result.reason})" if result.reason else "")
    for finding in result.findings[: claim.headline]:
        yield f"      {figure(finding)}  {finding.hypothesis.statement}"
    if not result.findings:
        equal = sum(count.equal for count in result.counts)
        yield f"      {equal} of {len(result.counts)} counts are the published ones"


def figure(finding: Finding) -> str:
    """Mean and interval, with the unit: "+12.1 points [8.0, 16.2]" or "3.1× [2.9, 3.4]"."""
    if not finding.estimate.n:
        return "not measured"
    mean, low, high = finding.shown
    unit = finding.hypothesis.unit
    if finding.hypothesis.ratio:
        return f"{number(mean)}× [{number(low)}, {number(high)}]"
    return f"{number(mean, signed=True)}{' ' * bool(unit)}{unit} [{number(low)}, {number(high)}]"


def counted(count: Count) -> str:
    """Ours and the published figure: "22, published 22"."""
    return f"{number(count.ours)}, published {number(count.published)}"


def number(value: float, *, signed: bool = False) -> str:
    """Three significant digits; whole numbers in full."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    if value == int(value) and abs(value) >= 1000:
        return f"{int(value):,}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 or not value else 3
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    if value == int(value) and not signed:
        text = f"{int(value)}"
    return text.replace("-", "−")
