"""How sure is sure: a temperature that makes probabilities true, and a threshold below which an answer is not given as sure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from inceptions.data import Images
from inceptions.errors import DataError, UsageError
from inceptions.evaluate.answers import Scores
from inceptions.evaluate.contenders import Contender
from inceptions.evaluate.kept import Asker
from inceptions.evaluate.metrics import Outcomes, calibration_error, outcomes
from inceptions.evaluate.protocol import Protocol
from inceptions.weights import read_weights, save_weights
from inceptions.weights.calibration import Calibration
from inceptions.weights.store import locate

COLDEST, HOTTEST = 0.02, 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A calibration that was written.

    Attributes:
        file: the weight file that holds it.
        calibration: what it says.
    """

    file: Path
    calibration: Calibration

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"weights": str(self.file), **self.calibration.to_dict()}


def fit(scores: Scores, labels: Sequence[int], precision_wanted: float) -> Calibration:
    """Fit a temperature by likelihood, and choose the threshold that leaves most answers sure.

    Args:
        scores: of the main head, `[n, classes]`, for images that the network did not learn from.
        labels: index of each image's class.
        precision_wanted: share of the sure answers that are to be right, above 0 and at most 1.

    Raises:
        UsageError: no such share.
        DataError: the images do not decide the temperature.
    """
    if not 0 < precision_wanted <= 1:
        raise UsageError(f"The wanted precision lies above 0 and at most at 1, not at {precision_wanted}.")
    temperature = fitted_temperature(scores, labels)
    before, after = outcomes(scores, labels), outcomes(scores, labels, temperature)
    threshold = chosen_threshold(after, precision_wanted)
    sure = np.zeros(len(after), bool) if threshold is None else after.confidence >= threshold
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        precision_wanted=precision_wanted,
        precision=None if threshold is None else float(after.right[sure].mean()),
        coverage=float(sure.mean()),
        images=len(after),
        loss=(float(before.losses.mean()), float(after.losses.mean())),
        calibration_error=(calibration_error(before), calibration_error(after)),
    )


def fitted_temperature(scores: Scores, labels: Sequence[int]) -> float:
    """The temperature of the smallest mean cross-entropy. That is convex in 1 / temperature, so there is one.

    Raises:
        DataError: it lies beyond the temperatures that make sense, as when every answer is right.
    """
    rows: NDArray[np.float64] = scores.astype(np.float64)
    own = rows[np.arange(len(rows)), np.asarray(labels)]

    def loss(logarithm: float) -> float:
        cold = math.exp(-logarithm)
        return float((logsumexp(rows * cold, axis=1) - own * cold).mean())

    bounds = (math.log(COLDEST), math.log(HOTTEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-7})
    if not found.success or min(found.x - bounds[0], bounds[1] - found.x) < 1e-3:
        right = float((scores.argmax(1) == np.asarray(labels)).mean())
        raise DataError(
            f"These {len(rows)} images decide no temperature between {COLDEST} and {HOTTEST:g} ({right:.0%} are answered "
            "rightly; without mistakes, or without knowledge, there is nothing to fit). Name more images, new to the network."
        )
    return math.exp(found.x)


def chosen_threshold(found: Outcomes, precision_wanted: float) -> float | None:
    """The threshold with most answers at or above it of which the wanted share is right; None if there is none.

    It lies in the middle between two images' probabilities, so that rounding moves none across it.
    """
    order = np.argsort(-found.confidence, kind="stable")
    confidence, right = found.confidence[order], found.right[order]
    share = np.cumsum(right) / np.arange(1, len(right) + 1)
    following = np.append(confidence[1:], 0.0)
    enough = np.flatnonzero((share >= precision_wanted) & (confidence > following))
    if not len(enough):
        return None
    last = enough[-1]
    return 0.0 if last == len(right) - 1 else float((confidence[last] + following[last]) / 2)


def calibrate(
    contenders: Sequence[Contender], images: Images, asker: Asker, *, protocol: Protocol, precision_wanted: float
) -> Fitted:
    """Fit a model's calibration on images, and write it into its weight file in place of an older one.

    Args:
        contenders: the model, and no other.
        images: labelled, and not those that it learnt from.
        asker: asks the model.
        protocol: how images are shown: once, as `predict` shows them.
        precision_wanted: as for `fit`.

    Raises:
        UsageError: several models, another protocol, or weights that are not in a file on this disk.
        WeightsError: the file is not ours.
        DataError: the images do not decide the temperature.
        MachineError: the file cannot be written; it is as it was.
    """
    if len(contenders) != 1 or protocol.crops != "1" or protocol.size is not None:
        raise UsageError("--calibrate takes one model, and shows images as `inceptions predict` does: once, at their size.")
    (one,) = contenders
    if not Path(one.name).exists():
        raise UsageError(f"A calibration is written into the weight file, and {one.name} is none on this disk. Save it first.")
    file = locate(Path(one.name))
    tensors, card = read_weights(file)  # refuses other people's files before the network is asked
    found = asker.ask(one.asked, one.card, images, protocol=protocol, heads=False)
    fitted = fit(found.main, [images.labels[i] for i in found.indices], precision_wanted)
    if asker.leads:
        save_weights(file, tensors, replace(card, calibration=fitted.to_dict()))
    return Fitted(file=file, calibration=fitted)
