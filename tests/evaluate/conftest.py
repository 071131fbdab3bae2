"""Two small networks for the red and blue photographs, and a cache of predictions of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from inceptions.data import evaluation, normalise
from inceptions.evaluate import Contender, images_for, opened
from inceptions.network import create_model
from inceptions.weights import Card, Preprocess, save_weights


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Predictions are kept in the test's own folder."""
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def contender():
    """Make a model of some seed and classes."""

    def make(
        seed: int = 0, classes: tuple[str, ...] = ("blue", "red"), name: str = "plain_cnn", size: int = 48, **options: object
    ) -> Contender:
        network = create_model(name, num_classes=len(classes), seed=seed, **{"width": 0.125, **options}).eval()
        card = Card(
            architecture=network.architecture.name,
            variant=network.architecture.variant,
            options=network.architecture.options,
            classes=classes,
            preprocess=Preprocess.standard(size),
        )
        return Contender(f"model {seed}", network, card)

    return make


@pytest.fixture
def saved(contender, tmp_path: Path):
    """Write such a model into a weight file."""

    def write(seed: int = 0, **how: object) -> Path:
        one = contender(seed, **how)
        path = tmp_path / f"{seed}.safetensors"
        save_weights(path, one.network, one.card)
        return path

    return write


@pytest.fixture
def muddled(photos: Path) -> Path:
    """The photographs, of which some are in the wrong folder, so that nobody answers them all rightly."""
    for i in range(0, 10, 3):
        (photos / "red" / f"{i}.png").rename(photos / "blue" / f"x{i}.png")
        (photos / "blue" / f"{i}.png").rename(photos / "red" / f"x{i}.png")
    return photos


@pytest.fixture
def taught():
    """Let the network in a weight file tell red from blue."""

    def teach(path: Path, photos: Path) -> None:
        (one,) = opened([str(path)])
        images = images_for([one], str(photos))
        show = evaluation(one.card.preprocess)
        shown = torch.stack([show(images.open(i)) for i in range(len(images))])
        labels = (shown[:, 0].float().mean((1, 2)) > shown[:, 2].float().mean((1, 2))).long()
        for _ in range(30):
            cross_entropy(one.network(normalise(shown, one.card.preprocess)), labels).backward()
            for parameter in one.network.parameters():
                assert parameter.grad is not None
                parameter.data.sub_(0.05 * parameter.grad)
                parameter.grad = None
        save_weights(path, one.network, one.card)

    return teach
