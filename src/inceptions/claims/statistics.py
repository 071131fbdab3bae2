"""From paired figures to a verdict, in one place.

The interval is Student's t on the seeds' paired differences (Student 1908): the seeds are few, and for few a bootstrap's
intervals are too narrow. It says how much the mean would move with other seeds, that is with other splits, first weights and
orders of the images; it says nothing about other data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.stats import t as student

# With five pairs, not even five differences of one sign are significant at 5 % by the sign test (2 / 2⁵ = 6 %); with six they
# are. Below that nothing is decided, whatever the interval: t trusts a few differences that happen to be equal too much.
FEWEST = 6
LEVEL = 0.95


class Verdict(StrEnum):
    """What came of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold here"
    OPEN = "not decidable at this size"
    BROKEN = "no verdict: the experiment is broken"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of paired differences with its 95 % interval.

    Attributes:
        mean: of the differences.
        low: lower end.
        high: upper end.
        n: pairs.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def verdict(self) -> Verdict:
        """The side of zero the interval is on; the predicted one is above."""
        if self.n < FEWEST or not math.isfinite(self.low) or self.low <= 0 <= self.high:
            return Verdict.OPEN
        return Verdict.HOLDS if self.low > 0 else Verdict.FAILS


def estimate(differences: Sequence[float]) -> Estimate:
    """Mean and interval of one difference a seed."""
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    mean = float(values.mean()) if n else math.nan
    if n < 2:
        return Estimate(mean, -math.inf, math.inf, n)
    half = float(student.ppf((1 + LEVEL) / 2, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return Estimate(mean, mean - half, mean + half, n)


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on predictions that have to be right together.

    All intervals on the right side of zero: the claim holds, and no correction for their number is needed (intersection-union,
    Berger 1982). One on the wrong side: it does not.
    """
    for worst in (Verdict.BROKEN, Verdict.FAILS, Verdict.OPEN):
        if worst in verdicts:
            return worst
    return Verdict.HOLDS
