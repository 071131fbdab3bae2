from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from inceptions.data import showing
from inceptions.errors import UsageError, WeightsError
from inceptions.network import create_model
from inceptions.predict import Predictor
from inceptions.predict.answers import guesses, probabilities, softmax
from inceptions.predict.predictor import larger_side
from inceptions.weights import Card, Preprocess

LOGITS = arrays.arrays(np.float32, (3, 5), elements=st.floats(-80, 80, width=32))


class Told:
    """An engine that says the mean of each channel, and of its second head the opposite."""

    computed_in = "float32, nothing"

    def __init__(self, heads: tuple[str, ...] = ("main",)) -> None:
        self.heads = heads
        self.asked: list[tuple[int, ...]] = []

    def pixels(self, images: np.ndarray) -> dict[str, np.ndarray]:
        self.asked.append(images.shape)
        means = images.astype(np.float32).mean(axis=(1, 2)) / 16
        return {head: means if head == "main" else -means for head in self.heads}


def card(*, calibration: dict | None = None, sampling: str = "antialiased") -> Card:
    model = create_model("plain_cnn", num_classes=3, width=0.125, device="meta")
    preprocess = Preprocess(size=(20, 24), resize="exact", sampling=sampling)
    options = model.architecture.options
    return Card(
        architecture="plain_cnn",
        variant="tutorial",
        options=options,
        classes=("red", "green", "blue"),
        preprocess=preprocess,
        calibration=calibration,
    )


def picture(*colour: int) -> Image.Image:
    return Image.new("RGB", (40, 30), colour)


@given(logits=LOGITS, temperature=st.floats(0.2, 5))
def test_softmax_is_torchs(logits, temperature):
    expected = (torch.from_numpy(logits).double() / temperature).softmax(1).numpy()
    np.testing.assert_allclose(softmax(logits, temperature), expected, atol=1e-12)


@given(one=LOGITS, two=LOGITS)
def test_mean_and_best_of_two_heads(one, two):
    logits = {"aux": one, "main": two}
    first, second = softmax(one), softmax(two)
    assert np.array_equal(probabilities(logits, "main"), second)
    np.testing.assert_allclose(probabilities(logits, "mean"), (first + second) / 2)
    surer = first.max(1) > second.max(1)
    assert np.array_equal(probabilities(logits, "best"), np.where(surer[:, None], first, second))


def test_of_equally_likely_classes_the_first_comes_first():
    found = guesses(np.array([[0.2, 0.3, 0.3, 0.2]]), tuple("abcd"), 3)
    assert [(guess.label, guess.index) for guess in found[0]] == [("b", 1), ("c", 2), ("a", 0)]


def test_an_engine_is_asked_in_batches_and_answers_like_a_network(monkeypatch):
    monkeypatch.setattr("inceptions.predict.predictor.BATCH", 2)
    told = Told()
    answers = Predictor(told, card()).predict([picture(200, 0, 0), picture(0, 200, 0), b"no image", picture(0, 0, 200)], top=1)
    assert [answer.top[0].label if answer.top else answer.error for answer in answers][:2] == ["red", "green"]
    assert answers[2].error is not None
    assert answers[3].label == "blue"
    assert told.asked == [(2, 20, 24, 3), (1, 20, 24, 3)]


def test_a_calibration_divides_an_engines_logits():
    fitted = {
        "temperature": 2.0,
        "threshold": 0.9,
        "precision_wanted": 0.95,
        "precision": 0.95,
        "coverage": 0.5,
        "images": 10,
        "loss": [1.0, 0.5],
        "calibration_error": [0.2, 0.1],
    }
    told = Told(("aux", "main"))
    plain, fit = Predictor(told, card()), Predictor(told, card(calibration=fitted))
    image = picture(30, 0, 0)
    cooler = softmax(told.pixels(showing(card().preprocess)(image)[None])["main"], 2.0)[0]
    assert fit.predict(image).probability == pytest.approx(cooler[0])
    assert (fit.predict(image).sure, plain.predict(image).sure) == (False, None)
    assert fit.predict(image, head="aux").sure is None
    assert fit.predict(image, head="aux").top == plain.predict(image, head="aux").top


def test_unrounded_pixels_reach_an_engine_as_floats():
    predictor = Predictor(Told(), card(sampling="centres"))
    assert predictor.prepare(picture(1, 2, 3)).dtype == np.float32
    assert len(predictor.answer([predictor.prepare(picture(1, 2, 3))] * 3, top=2)) == 3


def test_what_an_engine_cannot_show():
    predictor = Predictor(Told(), card())
    with pytest.raises(UsageError, match="compiled network"):
        _ = predictor.model
    with pytest.raises(UsageError, match=r"Unknown head of plain_cnn/tutorial 'aux'"):
        predictor.predict(picture(0, 0, 0), head="aux")


def test_an_engine_that_answers_no_number(monkeypatch):
    told = Told()
    monkeypatch.setattr(told, "pixels", lambda images: {"main": np.full((len(images), 3), np.nan, np.float32)})
    with pytest.raises(WeightsError, match="not a number"):
        Predictor(told, card()).predict(picture(0, 0, 0))


def test_scaled_decoding_is_near_and_only_of_large_jpegs(tmp_path):
    rng = np.random.default_rng(0)
    big = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((800, 600), Image.Resampling.BICUBIC)
    large, small = tmp_path / "large.jpg", tmp_path / "small.jpg"
    big.save(large, quality=95)
    big.resize((60, 45)).save(small, quality=95)
    exact, scaled = Predictor(Told(), card()), Predictor(Told(), card(), scaled_decoding=True)
    one, other = exact.prepare(large).astype(int), scaled.prepare(large).astype(int)
    assert 0 < np.abs(one - other).max() <= 5
    assert np.array_equal(exact.prepare(small), scaled.prepare(small))
    floats = [Predictor(Told(), card(sampling="centres"), scaled_decoding=on).prepare(large) for on in (False, True)]
    assert np.array_equal(*floats)


@pytest.mark.parametrize(
    ("resize", "side"), [("shorter_side", 40), ("squeezed", 40), ("exact", 24), ("central", 48)], ids=lambda value: str(value)
)
def test_how_large_an_image_must_be_not_to_be_enlarged(resize, side):
    assert larger_side(Preprocess(size=(20, 24), resize=resize, resize_to=40, fraction=0.5)) == side
