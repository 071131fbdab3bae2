from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, precision_recall_fscore_support, top_k_accuracy_score
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_confusion_matrix

from inceptions.errors import WeightsError
from inceptions.evaluate.evaluation import pairs, score
from inceptions.evaluate.metrics import (
    calibration_error,
    intervals,
    mean_interval,
    outcomes,
    per_class,
    reliability,
    resamples,
    top,
)

CASES = given(st.integers(2, 9), st.integers(1, 40), st.integers(0, 2**30), st.booleans())


def case(classes: int, n: int, seed: int, tied: bool) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels; `tied` ones have few values, so that many are equal. Classes may be absent."""
    chance = np.random.default_rng(seed)
    scores = chance.integers(0, 3, (n, classes)) if tied else 3 * chance.normal(size=(n, classes))
    return scores.astype(np.float32), chance.integers(0, max(1, classes - 1), n)


def probabilities(scores: np.ndarray) -> np.ndarray:
    return torch.from_numpy(scores).double().softmax(1).numpy()


@settings(max_examples=60, deadline=None)
@CASES
def test_top_k_is_scikit_learns(classes: int, n: int, seed: int, tied: bool) -> None:
    """Of equal scores scikit-learn puts the last class ahead and we the first: its answer to the classes in reverse is ours."""
    scores, labels = case(classes, n, seed, tied)
    found = outcomes(scores, labels)
    every = np.arange(classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has an opinion on k = classes
        for k in {1, min(5, classes)}:
            if classes == 2:
                expected = 1.0 if k > 1 else float((scores.argmax(1) == labels).mean())
            else:
                expected = top_k_accuracy_score(classes - 1 - labels, scores[:, ::-1], k=k, labels=every)
            assert top(found, k) == pytest.approx(expected, abs=1e-15)
    assert top(found, 5) == 1 or classes > 5
    assert (found.right == (found.answers == labels)).all()


@settings(max_examples=60, deadline=None)
@CASES
def test_per_class_is_scikit_learns(classes: int, n: int, seed: int, tied: bool) -> None:
    scores, labels = case(classes, n, seed, tied)
    found = outcomes(scores, labels)
    mine = per_class(found, classes)
    theirs = precision_recall_fscore_support(labels, scores.argmax(1), labels=np.arange(classes), zero_division=np.nan)
    for ours, expected in zip((mine.precision, mine.recall, mine.f1), theirs, strict=False):
        np.testing.assert_allclose(ours, expected, rtol=1e-12)
    matrix = multiclass_confusion_matrix(torch.from_numpy(scores).argmax(1), torch.from_numpy(labels), num_classes=classes)
    assert dict(pairs(found)) == {(i, j): int(matrix[i, j]) for i, j in matrix.nonzero().tolist()}


@settings(max_examples=60, deadline=None)
@CASES
def test_losses_and_calibration_error(classes: int, n: int, seed: int, tied: bool) -> None:
    scores, labels = case(classes, n, seed, tied)
    found = outcomes(scores, labels)
    shares = probabilities(scores)
    assert float(found.losses.mean()) == pytest.approx(log_loss(labels, shares, labels=np.arange(classes)), rel=1e-9)
    np.testing.assert_allclose(found.confidence, shares.max(1), rtol=1e-12)
    expected = multiclass_calibration_error(torch.from_numpy(shares), torch.from_numpy(labels), num_classes=classes, n_bins=15)
    assert calibration_error(found) == pytest.approx(float(expected), abs=2e-6)
    bins = reliability(found)
    assert sum(one[0] for one in bins) == n
    assert sum(m * abs(confidence - right) for m, confidence, right in bins) / n == pytest.approx(calibration_error(found))


def test_upper_ends_belong_to_their_bins() -> None:
    found = outcomes(np.array([[50.0, -50.0], [0.0, 0.0]], np.float32), [0, 1])
    assert found.confidence.tolist() == [1.0, 0.5]
    assert found.bins.tolist() == [14, 7]


def test_temperature() -> None:
    scores, labels = case(4, 20, 3, False)
    cooled = outcomes(scores, labels, 0.5)
    assert cooled.losses == pytest.approx(outcomes(2 * scores, labels).losses)
    assert (cooled.ranks == outcomes(scores, labels).ranks).all()


def test_bootstrap_is_what_resampled_images_give() -> None:
    """The weights of a resampling say the same as the images drawn and counted."""
    scores, labels = case(4, 60, 5, False)
    found = outcomes(scores, labels)
    spans = intervals(found, 4)
    drawn = [np.repeat(np.arange(60), counts) for counts in resamples(60)]
    for name, figure in (("top1", lambda one: top(one, 1)), ("calibration_error", calibration_error)):
        values = [figure(outcomes(scores[rows], labels[rows])) for rows in drawn]
        assert spans.figures[name] == pytest.approx(np.percentile(values, (2.5, 97.5)).tolist())
    recalls = np.stack([per_class(outcomes(scores[rows], labels[rows]), 4).recall for rows in drawn[:50]])
    assert np.isnan(recalls[:, 3]).all(), "no image is of the last class"
    assert np.isnan(spans.recall[:, 3]).all()
    assert spans.recall[0, 0] <= per_class(found, 4).recall[0] <= spans.recall[1, 0]


def test_bootstrap_covers_as_often_as_it_says() -> None:
    """Of many sets of images whose accuracy is known, about 95 % have it in their interval."""
    chance = np.random.default_rng(0)
    spans = [mean_interval((chance.random(150) < 0.7).astype(float)) for _ in range(60)]
    assert 0.85 <= np.mean([low <= 0.7 <= high for low, high in spans]) <= 1.0
    low, high = mean_interval(np.arange(150) % 10 < 7.0)
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.21 / 150), rel=0.15)


def test_intervals_are_the_same_each_time_and_one_image_has_one() -> None:
    scores, labels = case(3, 30, 1, False)
    assert intervals(outcomes(scores, labels), 3).figures == intervals(outcomes(scores, labels), 3).figures
    one = intervals(outcomes(scores[:1], labels[:1]), 3)
    assert one.figures["top1"][0] == one.figures["top1"][1]


def test_answers_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(WeightsError, match="For 1 of 2 images"):
        score(np.array([[0, 1], [np.nan, 0]], np.float32), [0, 1], ("a", "b"), protocol="once", precision="bf16")


def test_document_is_json(recwarn: pytest.WarningsRecorder) -> None:
    import json

    scores, labels = case(7, 12, 2, True)
    document = score(scores, labels, tuple("abcdefg"), protocol="once", precision="fp32").to_dict()
    again = json.loads(json.dumps(document, allow_nan=False))
    assert again["intervals"].keys() == {"top1", "top5", "loss", "calibration_error"}
    assert sum(one["n"] for one in again["confusion"]) == 12
    absent = again["per_class"][6]
    assert (absent["n"], absent["recall"], absent["accuracy"]) == (0, None, None)
    assert "recall" not in absent["intervals"]
    assert not recwarn.list
