from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inceptions.data import open_evaluation
from inceptions.errors import DataError, MachineError, UsageError
from inceptions.evaluate import evaluate, write_text
from inceptions.evaluate.evaluation import score
from inceptions.evaluate.text import percent
from inceptions.network import Network, create_model
from inceptions.predict import Predictor
from inceptions.weights import Card, Preprocess

PREPROCESS = Preprocess(size=(64, 64), resize="exact")


@pytest.fixture
def model() -> Network:
    return create_model("plain_cnn", num_classes=2, width=0.125, seed=3)


@pytest.fixture
def card(model: Network) -> Card:
    return Card(
        architecture="plain_cnn",
        variant="tutorial",
        options=model.architecture.options,
        classes=("blue", "red"),
        preprocess=PREPROCESS,
    )


def counted(logits: list[list[float]], labels: list[int]):
    classes = tuple("abcdefghij"[: len(logits[0])])
    return score(np.array(logits, dtype=np.float32), labels, classes, protocol="once", precision="fp32")


def test_counts_by_hand() -> None:
    found = counted([[3.0, 1, 0], [0, 2, 1], [5, 0, 0], [0, 9, 0]], [0, 0, 0, 1])
    assert (found.n, found.top1, found.top5) == (4, 0.75, 1.0)
    assert [(one.name, one.n, one.correct, one.accuracy, one.mistaken_for) for one in found.per_class] == [
        ("a", 3, 2, 2 / 3, "b"),
        ("b", 1, 1, 1.0, None),
        ("c", 0, 0, None, None),
    ]
    assert [one.name for one in found.hardest_first] == ["a", "b"]
    expected = [math.log(1 + math.exp(-2) + math.exp(-3)), math.log(1 + math.exp(2) + math.exp(1))]
    expected += [math.log(1 + 2 * math.exp(-5)), math.log(1 + 2 * math.exp(-9))]
    assert found.loss == pytest.approx(sum(expected) / 4)


def test_top5_looks_at_five() -> None:
    logits = torch.arange(7.0).expand(7, 7).tolist()
    assert counted(logits, list(range(7))).top5 == 5 / 7


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 9), st.integers(1, 30), st.integers(0, 2**30))
def test_shares_fit_together(classes: int, n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits, labels = torch.randn(n, classes, generator=generator), torch.randint(classes, (n,), generator=generator)
    found = counted(logits.tolist(), labels.tolist())
    assert found.top1 == int((logits.argmax(1) == labels).sum()) / n
    ranks = (logits > logits.gather(1, labels[:, None])).sum(1)
    assert found.top5 == int((ranks < 5).sum()) / n
    assert sum(one.n for one in found.per_class) == n
    assert sum(one.correct for one in found.per_class) == round(found.top1 * n)


def test_is_what_prediction_says(model: Network, card: Card, photos: Path) -> None:
    images = open_evaluation(photos, card.classes)
    found = evaluate(model, card, images, batch_size=7, workers=0, device="cpu", precision="fp32")
    answers = Predictor(model, card, device="cpu").predict([photos / name for name in images.names])
    right = sum(answer.top[0].index == label for answer, label in zip(answers, images.labels, strict=True))
    assert (found.n, found.top1) == (20, right / 20)
    assert found.precision == "fp32"


@pytest.mark.parametrize("batch_size", [1, 6, 64])
def test_batches_change_nothing(model: Network, card: Card, photos: Path, batch_size: int) -> None:
    images = open_evaluation(photos, card.classes)
    found = evaluate(model, card, images, batch_size=batch_size, workers=0, device="cpu", precision="fp32")
    whole = evaluate(model, card, images, batch_size=20, workers=0, device="cpu", precision="fp32")
    assert (found.n, found.top1) == (whole.n, whole.top1)
    assert found.loss == pytest.approx(whole.loss, abs=1e-5)


def test_unreadable_images_are_named_and_not_counted(model: Network, card: Card, photos: Path) -> None:
    (photos / "red" / "9.png").write_bytes(b"")
    found = evaluate(model, card, open_evaluation(photos, card.classes), workers=0, device="cpu")
    assert found.n == 19
    assert found.skipped == (("red/9.png", "it is empty"),)
    assert found.to_dict()["skipped"] == [{"path": "red/9.png", "error": "it is empty"}]
    for i in range(3):
        (photos / "blue" / f"{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match="4 of 20 images"):
        evaluate(model, card, open_evaluation(photos, card.classes), workers=0, device="cpu")


def test_a_class_the_weights_lack_is_refused(card: Card, photos: Path) -> None:
    (photos / "red").rename(photos / "green")
    with pytest.raises(DataError, match="green"):
        open_evaluation(photos, card.classes)


def test_options_that_mean_nothing(model: Network, card: Card, photos: Path) -> None:
    images = open_evaluation(photos, card.classes)
    with pytest.raises(UsageError, match="Unknown precision 'fp7'"):
        evaluate(model, card, images, precision="fp7")
    with pytest.raises(UsageError, match="workers must be"):
        evaluate(model, card, images, workers=-1)
    if not torch.cuda.is_available():
        with pytest.raises(MachineError, match="no cuda"):
            evaluate(model, card, images, device="cuda")


def test_keys_are_stable() -> None:
    document = counted([[3.0, 1, 0], [0, 2, 1]], [0, 0]).to_dict()
    assert {"n", "top1", "top5", "loss", "protocol", "per_class"} <= set(document)
    assert {"class", "n", "correct", "accuracy"} <= set(document["per_class"][0])


def test_text() -> None:
    out = io.StringIO()
    write_text(counted([[3.0, 1, 0], [0, 2, 1], [5, 0, 0], [0, 9, 0]], [0, 0, 0, 1]), out)
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["images  4", "top-1   75.0 %  (25.0 – 100.0)"]
    assert not any(line.startswith("top-5") for line in lines)
    assert lines[-3:] == [
        "class  images    right  accuracy  precision      F1  taken for",
        "a           3        2    66.7 %    100.0 %  80.0 %  b",
        "b           1        1   100.0 %     50.0 %  66.7 %",
    ]


def test_only_all_is_a_hundred_per_cent() -> None:
    assert [percent(share) for share in (0, 0.00001, 0.5, 0.99999, 1)] == ["0.0 %", "0.1 %", "50.0 %", "99.9 %", "100.0 %"]
