from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inceptions.data import normalise, open_evaluation
from inceptions.errors import UsageError
from inceptions.evaluate import Asker, Contender, Protocol, evaluate_models
from inceptions.evaluate.answers import ask
from inceptions.network import Network
from inceptions.weights import Preprocess


class Wrapped:
    """An engine that is the network after all."""

    computed_in = "float32, wrapped"

    def __init__(self, network: Network, preprocess: Preprocess) -> None:
        self.heads = tuple(head.name for head in network.architecture.heads)
        self._network, self._preprocess = network, preprocess

    @torch.inference_mode()
    def pixels(self, images: np.ndarray) -> dict[str, np.ndarray]:
        assert images.flags.c_contiguous
        batch = normalise(torch.from_numpy(images).permute(0, 3, 1, 2), self._preprocess)
        return {name: logits.numpy() for name, logits in self._network.heads(batch).items()}


@pytest.mark.parametrize("crops", ["1", "10"])
def test_an_engine_is_judged_as_its_network(contender, photos: Path, crops: str, tmp_path: Path) -> None:
    one = contender(0)
    engine = Contender("engine", Wrapped(one.network, one.card.preprocess), one.card)
    images = open_evaluation(str(photos), one.card.classes)
    asker = Asker(device="cpu", precision="fp32", cache=tmp_path / "kept", batch_size=7)
    protocol = Protocol(crops=crops)
    found = [evaluate_models([each], images, asker, protocol=protocol, heads=True) for each in (one, engine)]
    assert found[0].precision == "fp32"
    assert found[1].precision == "float32, wrapped"
    assert found[0].top1 == found[1].top1
    assert found[0].loss == pytest.approx(found[1].loss, rel=1e-4)
    assert list(found[0].heads) == list(found[1].heads)
    assert len(list((tmp_path / "kept").iterdir())) == 1  # what the engine said is not there


def test_an_engine_has_no_inside(contender) -> None:
    one = contender(0)
    engine = Contender("model.onnx", Wrapped(one.network, one.card.preprocess), one.card)
    with pytest.raises(UsageError, match=r"model\.onnx is run by an engine"):
        _ = engine.network


def test_time_spent_waiting_for_images_is_said(contender, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, said = contender(0), []

    class Listening:
        def show(self, activity: str, done: int, total: int, note: str) -> None:
            said.append(note)

        def say(self, text: str) -> None: ...

    images = open_evaluation(str(photos), one.card.classes)
    monkeypatch.setattr("inceptions.evaluate.answers.NOTED", -1.0)
    ask(one.network, one.card.preprocess, images, device="cpu", precision="fp32", reporter=Listening())
    assert said
    assert all(note.endswith("waiting for images") for note in said)
