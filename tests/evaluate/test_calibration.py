from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

from inceptions.data import open_evaluation
from inceptions.errors import DataError, UsageError, WeightsError
from inceptions.evaluate import Asker, Protocol, calibrate, evaluate, opened
from inceptions.evaluate.calibration import chosen_threshold, fit, fitted_temperature
from inceptions.evaluate.metrics import outcomes
from inceptions.predict import load
from inceptions.weights import read_weights
from inceptions.weights.calibration import Calibration

CLASSES = ("blue", "red")
ASKER = Asker(workers=0, device="cpu", precision="fp32")


def true_scores(n: int = 4000, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose probabilities are true: the labels are drawn by them."""
    chance = np.random.default_rng(seed)
    scores = 2 * chance.normal(size=(n, classes))
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    labels = (chance.random((n, 1)) > shares.cumsum(1)).sum(1).clip(max=classes - 1)
    return scores.astype(np.float32), labels


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0])
def test_recovers_a_known_factor(factor: float) -> None:
    scores, labels = true_scores()
    found = fit(scores * np.float32(factor), labels.tolist(), 0.9)
    assert found.temperature == pytest.approx(factor, rel=0.06)
    assert found.temperature == pytest.approx(factor * fitted_temperature(scores, labels.tolist()), rel=1e-4)
    assert found.loss[1] <= found.loss[0]
    assert found.calibration_error[1] < 0.03
    assert found.images == 4000


def test_is_the_minimum_that_torch_finds() -> None:
    scores, labels = true_scores(500, 4, 3)
    logarithm = torch.zeros((), dtype=torch.float64, requires_grad=True)
    rows, wanted = torch.from_numpy(2.5 * scores).double(), torch.from_numpy(labels)
    search = torch.optim.LBFGS([logarithm], max_iter=100, line_search_fn="strong_wolfe", tolerance_grad=1e-12)

    def step() -> torch.Tensor:
        search.zero_grad()
        loss = cross_entropy(rows / logarithm.exp(), wanted)
        loss.backward()
        return loss

    search.step(step)
    found = fitted_temperature((2.5 * scores).astype(np.float32), labels.tolist())
    assert found == pytest.approx(float(logarithm.exp().detach()), rel=1e-4)


def test_images_that_decide_nothing() -> None:
    scores, labels = true_scores(100)
    with pytest.raises(DataError, match=r"100 images decide no temperature .* \(100% are answered rightly"):
        fit(scores, scores.argmax(1).tolist(), 0.9)
    with pytest.raises(DataError, match="decide no temperature"):
        fit(scores, scores.argmin(1).tolist(), 0.9)
    for share in (0, 1.1, -1, float("nan")):
        with pytest.raises(UsageError, match="wanted precision"):
            fit(scores, labels.tolist(), share)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**30), st.floats(0.3, 1.0), st.booleans())
def test_threshold_gives_the_wanted_precision_and_most_answers(n: int, seed: int, wanted: float, tied: bool) -> None:
    chance = np.random.default_rng(seed)
    scores = (chance.integers(0, 3, (n, 3)) if tied else chance.normal(size=(n, 3))).astype(np.float32)
    found = outcomes(scores, chance.integers(0, 3, n))
    threshold = chosen_threshold(found, wanted)
    possible = {}
    for one in [0.0, *found.confidence]:
        sure = found.confidence >= one
        if found.right[sure].mean() >= wanted:
            possible[sure.mean()] = one
    if threshold is None:
        assert not possible
    else:
        sure = found.confidence >= threshold
        assert found.right[sure].mean() >= wanted
        assert sure.mean() == max(possible)


def test_says_when_no_threshold_will_do() -> None:
    scores, labels = true_scores(300)
    top = outcomes(scores, labels).confidence.argmax()
    labels[top] = scores[top].argmin()
    found = fit(scores, labels.tolist(), 1.0)
    assert (found.threshold, found.precision, found.coverage) == (None, None, 0.0)


# In the weight file


def test_is_written_into_the_file_and_used(saved, taught, muddled: Path) -> None:
    file = saved(0)
    taught(file, muddled)
    before, _ = read_weights(file)
    plain = load(file, device="cpu")
    images = open_evaluation(muddled, CLASSES)
    found = calibrate(opened([str(file)]), images, ASKER, protocol=Protocol(), precision_wanted=0.55)
    after, card = read_weights(file)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert found.to_dict() == {"weights": str(file), **dict(card.calibration)}
    fitted = Calibration.of(card)
    assert fitted == found.calibration
    assert fitted.images == 20
    assert fitted.threshold is not None

    used = load(file, device="cpu")
    files = [muddled / name for name in images.names]
    answers = list(zip(plain.predict(files, 2), used.predict(files, 2), strict=True))
    for raw, calm in answers:
        assert raw.label == calm.label
        (a, b), (c, d) = [guess.probability for guess in raw.top], [guess.probability for guess in calm.top]
        assert np.log(a / b) / fitted.temperature == pytest.approx(np.log(c / d), rel=1e-3)
        assert raw.sure is None
        assert calm.sure == (c >= fitted.threshold)
    assert np.mean([calm.sure for _, calm in answers]) == pytest.approx(fitted.coverage)
    assert used.predict(files[0], head="mean").sure is None

    scored = evaluate(*_parts(file), images, workers=0, device="cpu", precision="fp32")
    assert scored.loss == pytest.approx(fitted.loss[0], rel=1e-5)
    assert scored.calibrated is not None
    assert scored.calibrated.loss == pytest.approx(fitted.loss[1], rel=1e-5)
    assert scored.calibrated.sure == pytest.approx(fitted.coverage)
    assert scored.calibrated.right_if_sure == pytest.approx(fitted.precision)
    assert json.loads(json.dumps(scored.to_dict()))["calibrated"]["temperature"] == fitted.temperature
    ten = evaluate(*_parts(file), images, protocol=Protocol(crops="10"), workers=0, device="cpu")
    assert ten.calibrated is None, "it was fitted on single crops"


def _parts(file: Path):
    (one,) = opened([str(file)])
    return one.network, one.card


def test_only_into_files_of_ours(saved, contender, muddled: Path, tmp_path: Path) -> None:
    images = open_evaluation(muddled, CLASSES)
    one = contender()
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    content = foreign.read_bytes()
    with pytest.raises(WeightsError, match="was not written by inceptions"):
        calibrate([replace(one, name=str(foreign))], images, ASKER, protocol=Protocol(), precision_wanted=0.9)
    assert foreign.read_bytes() == content
    with pytest.raises(UsageError, match="none on this disk"):
        calibrate([replace(one, name="hf:a/b")], images, ASKER, protocol=Protocol(), precision_wanted=0.9)
    file = str(saved(1))
    for models, protocol in (([file, str(saved(2))], Protocol()), ([file], Protocol(crops="10")), ([file], Protocol(size=64))):
        with pytest.raises(UsageError, match="takes one model"):
            calibrate(opened(models), images, ASKER, protocol=protocol, precision_wanted=0.9)


@pytest.mark.parametrize("change", [{"temperature": 0}, {"temperature": "x"}, {"threshold": 2}, {"more": 1}, {"loss": 1}])
def test_a_calibration_that_means_nothing(contender, change: dict) -> None:
    sound = Calibration(
        temperature=1.5,
        threshold=0.8,
        precision_wanted=0.9,
        precision=0.92,
        coverage=0.5,
        images=10,
        loss=(1.0, 0.9),
        calibration_error=(0.2, 0.1),
    )
    card = replace(contender().card, calibration=sound.to_dict())
    assert Calibration.of(card) == sound
    assert Calibration.of(type(card).from_json(card.to_json(), "here")) == sound
    assert Calibration.of(contender().card) is None
    with pytest.raises(WeightsError, match="calibration"):
        Calibration.of(replace(card, calibration={**sound.to_dict(), **change}))
