from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from PIL import Image

import inceptions
from inceptions.data import ImageError, evaluation, normalise
from inceptions.errors import UsageError, WeightsError
from inceptions.network import create_model
from inceptions.predict import Guess, Prediction, Predictor, load
from inceptions.weights import Card, Preprocess, save_weights

CLASSES = ("ant", "bee", "cat")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fresh weights of a small network, without training."""
    model = create_model("plain_cnn", num_classes=3, width=0.125, seed=1)
    preprocess = Preprocess(size=(64, 64), resize="exact")
    card = Card(
        architecture="plain_cnn",
        variant="tutorial",
        options=model.architecture.options,
        classes=CLASSES,
        preprocess=preprocess,
    )
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_weights(path, model, card)
    return path


@pytest.fixture(scope="module")
def predictor(weights: Path) -> Predictor:
    return load(weights, device="cpu")


def picture(shade: int) -> Image.Image:
    image = Image.radial_gradient("L").resize((90, 70)).convert("RGB")
    image.paste((shade, 255 - shade, 80), (10, 20, 50, 60))
    return image


def saved(folder: Path, shade: int) -> Path:
    path = folder / f"{shade}.png"
    picture(shade).save(path)
    return path


def test_is_the_networks_softmax(predictor: Predictor) -> None:
    pixels = evaluation(predictor.preprocess)(picture(30))
    with torch.inference_mode():
        expected = predictor.model(normalise(pixels[None], predictor.preprocess)).softmax(1)[0]
    top = predictor.predict(picture(30), top=3).top
    assert [guess.index for guess in top] == expected.argsort(descending=True).tolist()
    torch.testing.assert_close(torch.tensor([guess.probability for guess in top]), expected.sort(descending=True).values)
    assert all(guess.label == CLASSES[guess.index] for guess in top)


def test_every_kind_of_image_gets_the_same_answer(predictor: Predictor, tmp_path: Path) -> None:
    path = saved(tmp_path, 200)
    content = path.read_bytes()
    kinds = [path, str(path), content, io.BytesIO(content), picture(200)]
    answers = [predictor.predict(kind, top=2) for kind in kinds]
    assert len({answer.top for answer in answers}) == 1
    assert [answer.path for answer in answers] == [str(path), str(path), None, None, None]
    assert answers[0].label == answers[0].top[0].label
    assert answers[0].probability == answers[0].top[0].probability


def test_a_list_is_answered_in_order_whatever_the_batches(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [saved(tmp_path, shade) for shade in range(0, 250, 25)]
    alone = [predictor.predict(path, top=3) for path in paths]
    for batch in (1, 3, 64):
        monkeypatch.setattr("inceptions.predict.predictor.BATCH", batch)
        together = predictor.predict(paths, top=3)
        assert [one.path for one in together] == [str(path) for path in paths]
        for one, other in zip(alone, together, strict=True):
            assert [guess.index for guess in one.top] == [guess.index for guess in other.top]
            assert [guess.probability for guess in one.top] == pytest.approx(
                [guess.probability for guess in other.top], abs=1e-5
            )
    assert predictor.predict([]) == []


def test_top_is_never_more_than_the_classes(predictor: Predictor) -> None:
    assert len(predictor.predict(picture(0), top=1).top) == 1
    top = predictor.predict(picture(0), top=99).top
    assert len(top) == 3
    assert sum(guess.probability for guess in top) == pytest.approx(1)
    with pytest.raises(UsageError, match="top must be at least 1, not 0"):
        predictor.predict(picture(0), top=0)


def test_unreadable_images(predictor: Predictor, tmp_path: Path) -> None:
    good, broken, missing = saved(tmp_path, 10), tmp_path / "broken.jpg", tmp_path / "missing.jpg"
    broken.write_text("<!doctype html>")
    answers = predictor.predict([broken, good, missing])
    assert [answer.error is None for answer in answers] == [False, True, False]
    assert answers[0].to_dict() == {"path": str(broken), "error": "it is a web page"}
    assert set(answers[1].to_dict()) == {"path", "top"}
    assert set(answers[1].to_dict()["top"][0]) == {"class", "index", "probability"}
    with pytest.raises(ImageError, match="there is no such file"):
        predictor.predict(missing)
    with pytest.raises(ImageError, match="a web page"):
        _ = answers[0].label


def test_abandoned_halfway(predictor: Predictor, tmp_path: Path) -> None:
    path = saved(tmp_path, 10)
    stream = predictor.stream(path for _ in range(1000))
    assert next(stream).error is None
    stream.close()


def test_load(weights: Path, tmp_path: Path) -> None:
    assert inceptions.load(str(weights)).classes == CLASSES
    assert inceptions.load(weights.parent).classes == CLASSES
    with pytest.raises(WeightsError, match="no weight file"):
        load(tmp_path / "nothing.safetensors")
    with pytest.raises(UsageError, match=r"Unknown device 'cup'\. Did you mean 'cpu'\?"):
        load(weights, device="cup")


def test_a_prediction_is_plain_data() -> None:
    guess = Guess("cat", 2, 0.75)
    answer = Prediction(path="x.jpg", top=(guess,))
    assert answer.to_dict() == {"path": "x.jpg", "top": [{"class": "cat", "index": 2, "probability": 0.75}]}


HEADS = ("aux_4a", "aux_4d", "main")


@pytest.fixture(scope="module")
def three_heads() -> Predictor:
    model = create_model("googlenet", num_classes=3, width=0.125, seed=0)
    card = Card(
        architecture="googlenet",
        variant="bn",
        options=model.architecture.options,
        classes=CLASSES,
        preprocess=Preprocess(size=(32, 32), resize="exact"),
    )
    return Predictor(model, card, device="cpu")


def test_every_head_may_be_asked(three_heads: Predictor) -> None:
    images = [picture(shade) for shade in range(0, 250, 12)]

    def ask(head: str) -> torch.Tensor:
        """Probabilities, `[images, classes]`, in the order of the classes."""
        answers = three_heads.predict(images, top=3, head=head)
        return torch.tensor([[g.probability for g in sorted(one.top, key=lambda g: g.index)] for one in answers])

    pixels = torch.stack([evaluation(three_heads.preprocess)(image) for image in images])
    with torch.inference_mode():
        logits = three_heads.model.heads(normalise(pixels, three_heads.preprocess))
    for name in HEADS:
        torch.testing.assert_close(ask(name), logits[name].softmax(1), atol=1e-4, rtol=1e-4)
    every = torch.stack([ask(name) for name in HEADS])
    torch.testing.assert_close(ask("mean"), every.mean(0))
    assert three_heads.predict(images[0]).top == three_heads.predict(images[0], head="main").top


def test_the_best_head_is_the_surest_of_each_image(three_heads: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = {
        "aux_4a": [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0]],
        "aux_4d": [[0.4, 0.3, 0.3], [0.1, 0.7, 0.2], [0.0, 1.0, 0.0]],
        "main": [[0.0, 0.2, 0.8], [0.3, 0.3, 0.4], [0.0, 0.0, 1.0]],
    }
    logits = {name: torch.tensor(rows).log() for name, rows in shares.items()}
    monkeypatch.setattr(three_heads.model, "heads", lambda batch: logits)
    answers = three_heads.predict([picture(0)] * 3, head="best")
    # All are equally sure of the last image: the deepest answers.
    assert [(answer.label, round(answer.probability, 4)) for answer in answers] == [("ant", 0.9), ("bee", 0.7), ("cat", 1.0)]


def test_an_unknown_head(three_heads: Predictor, predictor: Predictor) -> None:
    with pytest.raises(
        UsageError, match=r"Unknown head of googlenet/bn 'aux_4b'\. Did you mean .* Known: aux_4a, aux_4d, main, best"
    ):
        three_heads.predict(picture(0), head="aux_4b")
    with pytest.raises(UsageError, match=r"Known: main, best, mean\."):
        predictor.predict(picture(0), head="aux_4a")


@pytest.mark.parametrize("head", ["best", "mean"])
def test_of_one_head_the_best_and_the_mean_are_main(predictor: Predictor, head: str) -> None:
    assert predictor.predict(picture(30), top=3, head=head) == predictor.predict(picture(30), top=3)
