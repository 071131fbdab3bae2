"""Whether probabilities can be taken at their word: the reliability diagram and what it comes to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from inceptions.evaluate.evaluation import ClassScore, Evaluation
from inceptions.evaluate.metrics import BINS, Interval

# Mean confidence less accuracy, from which on a network counts as too sure or too unsure of itself.
NOTABLE = 0.02
SURE = 1.959964
"""Standard deviations on either side that hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same confidence.

    Attributes:
        low: smallest confidence.
        high: largest.
        n: answers.
        confidence: their mean confidence.
        accuracy: the share that is right.
        interval: 95 % interval of that share.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    interval: Interval


def bins(reliability: Sequence[tuple[int, float, float]]) -> list[Bin]:
    """The bins that have answers, by rising confidence."""
    found = []
    for n, confidence, accuracy in reliability:
        place = min(max(math.ceil(confidence * BINS - 1e-9) - 1, 0), BINS - 1)
        found.append(Bin(place / BINS, (place + 1) / BINS, n, confidence, accuracy, wilson(accuracy, n)))
    return found


def wilson(share: float, n: int) -> Interval:
    """The 95 % interval of a share of `n` (Wilson 1927), which has a width even where all are right."""
    square = SURE**2 / n
    middle = (share + square / 2) / (1 + square)
    half = SURE * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def recall_interval(one: ClassScore) -> Interval:
    """The 95 % interval of a class's recall: Wilson's where resampling gives one without width."""
    low, high = one.intervals.get("recall", (0.0, 0.0))
    return (low, high) if high > low else wilson(one.correct / one.n, one.n)


def mean_confidence(evaluation: Evaluation) -> float | None:
    """Of all answers; None if the bins are not known."""
    total = sum(n for n, _, _ in evaluation.reliability)
    return sum(n * confidence for n, confidence, _ in evaluation.reliability) / total if total else None


def sureness(evaluation: Evaluation) -> str:
    """One of "right", "over" (it is surer than it is right), "under", and "" if it is not known."""
    confidence = mean_confidence(evaluation)
    if confidence is None:
        return ""
    gap = confidence - evaluation.top1
    return "right" if abs(gap) < NOTABLE else "over" if gap > 0 else "under"
