"""Engines on a network whose answers mean something: the real trunk of 2015, and the nearest of ten classes of photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inceptions.data import evaluation, normalise
from inceptions.deploy.agreement import EXACT, agreement, same
from inceptions.deploy.compile import compile
from inceptions.deploy.engines import catalogue
from inceptions.deploy.lower import lower
from inceptions.deploy.rewrites import ALL, rewrite
from inceptions.network import Network
from inceptions.weights import Card, load_trunk

PHOTOGRAPHS = 200
KNOWN = 5
AT_ONCE = 10


@pytest.fixture(scope="module")
def classifier(shared: Path) -> tuple[Network, Card, np.ndarray, np.ndarray]:
    """The trunk with a classifier that scores by the distance to each class's mean features; photographs and their classes."""
    model, card = load_trunk(shared / "weights/inception_v3_2015_trunk.safetensors")
    show = evaluation(card.preprocess)

    def shown(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return show(image.convert("RGB")).permute(1, 2, 0).numpy()

    folders = sorted((shared / "data/imagenette_mini/train").iterdir())
    model.reset_classifier(len(folders))
    features: list[torch.Tensor] = []
    with torch.inference_mode():
        for folder in folders:
            known = torch.from_numpy(np.stack([shown(path) for path in sorted(folder.iterdir())[:KNOWN]]))
            maps = model.features(normalise(known.permute(0, 3, 1, 2), card.preprocess), ["mixed_8"])["mixed_8"]
            features.append(maps.mean((0, 2, 3)))
    centres = torch.stack(features)
    logits = model.main.logits.linear  # type: ignore[union-attr]
    with torch.no_grad():
        logits.weight.copy_(2 * centres)  # type: ignore[union-attr]
        logits.bias.copy_(-(centres**2).sum(dim=1))  # type: ignore[union-attr]
    each = PHOTOGRAPHS // len(folders)
    validation = sorted((shared / "data/imagenette_mini/validation").iterdir())
    images = np.stack([shown(path) for folder in validation for path in sorted(folder.iterdir())[:each]])
    return model, card, images, np.repeat(np.arange(len(folders)), each)


@pytest.mark.slow
def test_float32_and_bf16(
    classifier: tuple[Network, Card, np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path))
    model, card, images, labels = classifier
    exact: list[np.ndarray] = []
    with torch.inference_mode():
        for start in range(0, len(images), AT_ONCE):
            piece = torch.from_numpy(images[start : start + AT_ONCE]).permute(0, 3, 1, 2)
            exact.append(model.eval()(normalise(piece, card.preprocess)).numpy())
    expected = {"main": np.concatenate(exact)}
    assert (expected["main"].argmax(axis=1) == labels).mean() > 0.75
    for name in catalogue.installed():
        for precision in catalogue.precisions(name):
            if name in catalogue.SLOW:
                continue
            made = compile(
                model, engine=name, precision=precision, batch=AT_ONCE, preprocess=card.preprocess, images=images[:40]
            )
            found = agreement(expected, made.pixels(images))
            print(f"{name} {precision}: {found}")
            assert (made.engine, made.precision) == (name, precision)
            assert found.difference <= (1e-4 if precision == "float32" else 0.05)
            assert found.top1 >= (1 if precision == "float32" else 0.99)


@pytest.mark.slow
def test_every_rewrite(classifier: tuple[Network, Card, np.ndarray, np.ndarray]) -> None:
    model, card, images, _ = classifier
    graph = lower(model, preprocess=card.preprocess)
    for name in ALL:
        new, done = ALL[name](graph)
        found = same(graph, new, images[:4])
        print(f"{name}: {done.count} places, {found}")
        assert found.difference <= EXACT
    new, _ = rewrite(graph, engine="eager", only=frozenset(ALL))
    for start in range(0, len(images), AT_ONCE):
        assert same(graph, new, images[start : start + AT_ONCE]).difference <= EXACT
