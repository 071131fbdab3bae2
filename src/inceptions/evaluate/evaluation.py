"""How good answers are: what was found, and how it is counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inceptions.errors import WeightsError
from inceptions.evaluate.answers import Scores
from inceptions.evaluate.metrics import (
    Interval,
    Outcomes,
    calibration_error,
    intervals,
    outcomes,
    per_class,
    reliability,
    top,
)
from inceptions.weights.calibration import Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """One class.

    Attributes:
        name: of the class.
        n: its images.
        correct: those answered rightly.
        accuracy: their share (the recall of the class); None without images.
        mistaken_for: the most frequent wrong answer; None if there is none.
        precision: of the images answered with this class, the share that is of it; None if there are none.
        f1: harmonic mean of precision and recall; None without images and answers.
        intervals: 95 % intervals of "recall", "precision" and "f1", as far as they have values.
    """

    name: str
    n: int
    correct: int
    accuracy: float | None
    mistaken_for: str | None
    precision: float | None = None
    f1: float | None = None
    intervals: dict[str, Interval] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "class": self.name,
            "n": self.n,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "precision": self.precision,
            "recall": self.accuracy,
            "f1": self.f1,
            "mistaken_for": self.mistaken_for,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What a weight file's temperature and threshold make of the answers.

    Attributes:
        temperature: the scores were divided by it.
        loss: mean cross-entropy in nats.
        calibration_error: as `Evaluation.calibration_error`.
        threshold: probability below which an answer is not sure; None if the file has none.
        sure: share of the images that get a sure answer; None without a threshold.
        right_if_sure: share of those that is right; None without any.
    """

    temperature: float
    loss: float
    calibration_error: float
    threshold: float | None
    sure: float | None
    right_if_sure: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The score of weights, or of several together, on labelled images.

    Attributes:
        n: images counted: every one that could be read, each once.
        top1: share whose likeliest class is right; of equally likely classes the first counts as likelier.
        top5: share whose class is among the five likeliest (always 1 with five classes or fewer).
        loss: mean cross-entropy in nats, without label smoothing.
        protocol: how each image was shown to the network.
        precision: "fp32", "bf16" or "fp16".
        per_class: in the order of the network's outputs.
        skipped: images that could not be read, with the reason.
        calibration_error: expected calibration error, 15 bins.
        intervals: 95 % intervals of `top1`, `top5`, `loss` and `calibration_error` (`metrics.Intervals`).
        confusion: (class, answer, images) for each pair that occurs, right answers included.
        reliability: (images, mean confidence, accuracy) for each bin of confidence that has images.
        calibrated: what the weight file's calibration changes; None without one, or if its protocol is another.
        models: with several models, each by its name.
        heads: each head by its name, if asked for, and "mean" and "best" of all.
        outcomes: what came of each image, in the order of the images that could be read.
        indices: of those images.
    """

    n: int
    top1: float
    top5: float
    loss: float
    protocol: str
    precision: str
    per_class: tuple[ClassScore, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    calibration_error: float | None = None
    intervals: dict[str, Interval] = field(default_factory=dict)
    confusion: tuple[tuple[str, str, int], ...] = ()
    reliability: tuple[tuple[int, float, float], ...] = ()
    calibrated: Calibrated | None = None
    models: dict[str, Evaluation] = field(default_factory=dict)
    heads: dict[str, Evaluation] = field(default_factory=dict)
    outcomes: Outcomes | None = None
    indices: tuple[int, ...] = ()

    @property
    def hardest_first(self) -> list[ClassScore]:
        """The classes that have images, the least accurate first."""
        return sorted((one for one in self.per_class if one.n), key=lambda one: (one.correct / one.n, one.name))

    def figures(self) -> dict[str, Any]:
        """The figures of all images together, as plain values."""
        found: dict[str, Any] = {
            "n": self.n,
            "top1": self.top1,
            "top5": self.top5,
            "loss": self.loss,
            "calibration_error": self.calibration_error,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "protocol": self.protocol,
            "precision": self.precision,
        }
        if self.calibrated is not None:
            found["calibrated"] = {name: getattr(self.calibrated, name) for name in Calibrated.__slots__}
        if self.heads:
            found["heads"] = {name: one.figures() for name, one in self.heads.items()}
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        found = self.figures()
        if self.models:
            found["models"] = [{"weights": name, **one.figures()} for name, one in self.models.items()]
        bins = [{"n": n, "confidence": confidence, "accuracy": right} for n, confidence, right in self.reliability]
        return {
            **found,
            "per_class": [score.to_dict() for score in self.per_class],
            "confusion": [{"class": name, "answer": answer, "n": n} for name, answer, n in self.confusion],
            "reliability": bins,
            "skipped": [{"path": name, "error": reason} for name, reason in self.skipped],
        }


def score(
    scores: Scores,
    labels: Sequence[int],
    classes: tuple[str, ...],
    *,
    protocol: str,
    precision: str,
    skipped: tuple[tuple[str, str], ...] = (),
    calibration: Calibration | None = None,
    models: dict[str, Evaluation] | None = None,
    heads: dict[str, Evaluation] | None = None,
    indices: tuple[int, ...] = (),
) -> Evaluation:
    """Count answers.

    Args:
        scores: `[n, classes]`, at least one row.
        labels: index of each image's class.
        classes: name of each output.
        protocol: how the images were shown.
        precision: what was computed in.
        skipped: images that gave no answer, with the reason.
        calibration: of the weights, if it is for this protocol.
        models: the scores of the models whose answers these are together.
        heads: the scores of each head.
        indices: of the images.

    Raises:
        WeightsError: scores that are no numbers.
    """
    if np.isnan(scores).any():
        raise WeightsError(
            f"For {int(np.isnan(scores).any(1).sum())} of {len(scores)} images the network's answer is no number (computed in "
            f"{precision}). Try --precision fp32; if that is no better, the weights are damaged."
        )
    found = outcomes(scores, labels)
    spans = intervals(found, len(classes))
    return Evaluation(
        n=len(found),
        top1=top(found, 1),
        top5=top(found, 5),
        loss=float(found.losses.mean()),
        protocol=protocol,
        precision=precision,
        per_class=class_scores(found, classes, {name: getattr(spans, name) for name in ("recall", "precision", "f1")}),
        skipped=skipped,
        calibration_error=calibration_error(found),
        intervals=spans.figures,
        confusion=tuple((classes[label], classes[answer], n) for (label, answer), n in pairs(found)),
        reliability=tuple(reliability(found)),
        calibrated=None if calibration is None else calibrated(scores, labels, calibration),
        models=models or {},
        heads=heads or {},
        outcomes=found,
        indices=indices,
    )


def pairs(found: Outcomes) -> list[tuple[tuple[int, int], int]]:
    """((class, answer), images) for each pair that occurs, sorted."""
    both, counts = np.unique(np.stack([found.labels, found.answers]), axis=1, return_counts=True)
    return [((label, answer), n) for label, answer, n in zip(*both.tolist(), counts.tolist(), strict=True)]


def class_scores(found: Outcomes, classes: tuple[str, ...], spans: dict[str, Any]) -> tuple[ClassScore, ...]:
    """The figures of each class, with intervals `[2, classes]` by the figure's name."""
    each = per_class(found, len(classes))
    correct = dict.fromkeys(range(len(classes)), 0)
    mistaken: dict[int, tuple[int, int]] = {}
    for (label, answer), n in pairs(found):
        if label == answer:
            correct[label] = n
        elif n > mistaken.get(label, (0, 0))[0]:
            mistaken[label] = n, answer
    images = np.bincount(found.labels, minlength=len(classes)).tolist()
    return tuple(
        ClassScore(
            name=name,
            n=images[i],
            correct=correct[i],
            accuracy=number(each.recall[i]),
            mistaken_for=classes[mistaken[i][1]] if i in mistaken else None,
            precision=number(each.precision[i]),
            f1=number(each.f1[i]),
            intervals={what: (float(low[i]), float(high[i])) for what, (low, high) in spans.items() if not math.isnan(low[i])},
        )
        for i, name in enumerate(classes)
    )


def calibrated(scores: Scores, labels: Sequence[int], calibration: Calibration) -> Calibrated:
    """What a temperature and a threshold make of answers."""
    found = outcomes(scores, labels, calibration.temperature)
    sure = None if calibration.threshold is None else found.confidence >= calibration.threshold
    return Calibrated(
        temperature=calibration.temperature,
        loss=float(found.losses.mean()),
        calibration_error=calibration_error(found),
        threshold=calibration.threshold,
        sure=None if sure is None else float(sure.mean()),
        right_if_sure=float(found.right[sure].mean()) if sure is not None and sure.any() else None,
    )


def number(value: float) -> float | None:
    """None for what is not a number."""
    return None if math.isnan(value) else float(value)
