"""Scores and labels to figures, with 95 % intervals.

Everything is counted from one row an image (`Outcomes`), so the figures of several processes' images are those of the rows one
after the other: exact, whatever the number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inceptions.evaluate.answers import Scores, log_softmax

Interval = tuple[float, float]

BINS = 15
RESAMPLES = 1000
SEED = 0
ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Outcomes:
    """What came of each image: `[n]` each.

    Attributes:
        labels: index of its class.
        answers: index of the likeliest class; of equally likely ones the first.
        ranks: how many classes are ahead of its own, 0 if the answer is right. Of equally likely ones the first is ahead.
        confidence: probability of the answer.
        own: probability of its class.
        losses: cross-entropy in nats.
    """

    labels: NDArray[np.int64]
    answers: NDArray[np.int64]
    ranks: NDArray[np.int64]
    confidence: NDArray[np.float64]
    own: NDArray[np.float64]
    losses: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the answer is the image's class."""
        found: NDArray[np.bool_] = self.ranks == 0
        return found

    @property
    def bins(self) -> NDArray[np.int64]:
        """Which of the equal intervals of confidence each image is in; their upper ends belong to them."""
        found: NDArray[np.int64] = np.clip(np.ceil(self.confidence * BINS) - 1, 0, BINS - 1).astype(np.int64)
        return found


def outcomes(scores: Scores, labels: Sequence[int], temperature: float = 1.0) -> Outcomes:
    """What came of each image.

    Args:
        scores: `[n, classes]`.
        labels: index of each image's class.
        temperature: the scores are divided by it.
    """
    wanted = np.asarray(labels, dtype=np.int64)
    blocks = [_block(scores[i : i + ROWS], wanted[i : i + ROWS], temperature) for i in range(0, len(wanted), ROWS)]
    seen, answers, ranks, confidence, losses = map(np.concatenate, zip(*blocks, strict=True))
    return Outcomes(labels=seen, answers=answers, ranks=ranks, confidence=confidence, own=np.exp(-losses), losses=losses)


def _block(scores: Scores, labels: NDArray[np.int64], temperature: float) -> tuple[NDArray[np.generic], ...]:
    logs = log_softmax(scores.astype(np.float64) / temperature)
    own = logs[np.arange(len(labels)), labels]
    # Ranks are taken from the scores as they came: no arithmetic has made two of them equal yet.
    mine = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    ranks = ((scores > mine) | ((scores == mine) & earlier)).sum(1)
    return labels, scores.argmax(1), ranks, np.exp(logs.max(1)), -own


def top(found: Outcomes, k: int) -> float:
    """Share of images whose class is among the `k` likeliest."""
    return float((found.ranks < k).mean())


def calibration_error(found: Outcomes) -> float:
    """Expected calibration error (Guo et al. 2017): the gap between confidence and accuracy, averaged over 15 equal bins."""
    gaps = np.bincount(found.bins, weights=found.confidence - found.right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(found))


def reliability(found: Outcomes) -> list[tuple[int, float, float]]:
    """Images, mean confidence and accuracy of each bin that has images, by rising confidence."""
    n, confidence, right = (
        np.bincount(found.bins, weights=weights, minlength=BINS) for weights in (None, found.confidence, found.right)
    )
    return [(int(n[i]), confidence[i] / n[i], right[i] / n[i]) for i in range(BINS) if n[i]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PerClass:
    """Figures of each class, `[classes]`; NaN where there is nothing to divide by.

    Attributes:
        precision: of the images answered with it, the share that is of it.
        recall: of its images, the share that is answered with it.
        f1: their harmonic mean.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def per_class(found: Outcomes, classes: int, counts: NDArray[np.int64] | None = None) -> PerClass:
    """Precision, recall and F1 of each class.

    Args:
        found: of each image.
        classes: how many there are.
        counts: how often each image counts; once if None.
    """
    weights = np.ones(len(found)) if counts is None else counts
    right, images, answered = (
        np.bincount(which, weights=values, minlength=classes)
        for which, values in ((found.labels, weights * found.right), (found.labels, weights), (found.answers, weights))
    )
    with np.errstate(invalid="ignore"):
        return PerClass(precision=right / answered, recall=right / images, f1=2 * right / (images + answered))


def resamples(n: int, times: int = RESAMPLES) -> Iterator[NDArray[np.int64]]:
    """How often each of `n` images is drawn when `n` are drawn with replacement; the same each time it is asked."""
    chance = np.random.default_rng(SEED)
    for _ in range(times):
        yield np.bincount(chance.integers(n, size=n), minlength=n)


def limits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the middle 95 % of resampled values `[resamples, ...]` lie between, `[2, ...]`; NaN where none is a number."""
    empty = np.isnan(values).all(axis=0)
    found: NDArray[np.float64] = np.nanpercentile(np.where(empty, 0.0, values), (2.5, 97.5), axis=0)
    return np.where(empty, np.nan, found)


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """The 95 % bootstrap interval of the mean of a figure that each image has, `[n]`."""
    low, high = limits(np.array([counts @ values / len(values) for counts in resamples(len(values))]))
    return float(low), float(high)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Intervals:
    """95 % intervals: from 1,000 resamplings of the images (percentile bootstrap, Efron 1979), always the same ones.

    They say how much the figures would move with other images like these. Where all answers are right (or all wrong), every
    resampling says the same, and the interval has no width.

    Attributes:
        figures: of `top1`, `top5`, `loss` and `calibration_error`.
        precision: of each class, `[2, classes]`; NaN where no resampling has a value.
        recall: likewise.
        f1: likewise.
    """

    figures: dict[str, Interval]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def intervals(found: Outcomes, classes: int) -> Intervals:
    """The intervals of every figure.

    Args:
        found: of each image.
        classes: how many there are.
    """
    n = len(found)
    columns = np.stack([found.right, found.ranks < 5, found.losses])
    gaps, bins = found.confidence - found.right, found.bins
    means: list[list[float]] = []
    each: list[PerClass] = []
    for counts in resamples(n):
        error = np.abs(np.bincount(bins, weights=counts * gaps, minlength=BINS)).sum()
        means.append([*(columns @ counts / n), error / n])
        each.append(per_class(found, classes, counts))
    low, high = limits(np.array(means)).tolist()
    names = ("top1", "top5", "loss", "calibration_error")
    return Intervals(
        figures={name: (low[i], high[i]) for i, name in enumerate(names)},
        precision=limits(np.stack([one.precision for one in each])),
        recall=limits(np.stack([one.recall for one in each])),
        f1=limits(np.stack([one.f1 for one in each])),
    )
