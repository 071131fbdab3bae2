"""One call, and the same answers."""

from __future__ import annotations

import gc
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inceptions.data import normalise
from inceptions.deploy import choosing
from inceptions.deploy import compile as room
from inceptions.deploy.agreement import agreement
from inceptions.deploy.choosing import Candidate, smooth
from inceptions.deploy.compile import candidates, compile
from inceptions.deploy.engines import catalogue
from inceptions.deploy.graph import Conv, Graph
from inceptions.deploy.keeping import trim
from inceptions.errors import MachineError, UsageError
from inceptions.network import Network, create_model
from inceptions.weights import Preprocess

SIZE = (96, 99)
PREPROCESS = Preprocess(size=SIZE, resize_to=99, channels="BGR", mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def _without_optional_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "installed", lambda: ["eager"])


@pytest.fixture
def model() -> Network:
    return create_model("googlenet", num_classes=5, seed=3, width=0.05, depth=0.1)


def shown(number: int = 3) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (number, *SIZE, 3), np.uint8)


def close(found: Any, expected: torch.Tensor, limit: float = 1e-4) -> bool:
    return float((torch.as_tensor(found) - expected).abs().max()) <= limit * float(expected.abs().max())


def test_answers_are_compared_in_batches_as_they_will_come() -> None:
    class Mean:
        name, precision = "mean", "float32"

        def __init__(self) -> None:
            self.sizes: list[int] = []

        def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
            self.sizes.append(len(images))
            return {"main": images.mean((1, 2, 3), keepdims=True)[:, :, 0, 0]}

    images = np.random.default_rng(0).normal(size=(7, 3, 4, 4)).astype(np.float32)
    for batch, sizes in ((1, [1] * 7), (3, [3, 3, 3]), (16, [16])):
        engine = Mean()
        assert np.array_equal(choosing.asked(engine, images, batch)["main"], engine.run(images)["main"])
        assert engine.sizes[:-1] == sizes


def test_answers_for_tensors_and_for_pixels(model: Network) -> None:
    made = compile(model, precision="float32", preprocess=PREPROCESS)
    assert model.training
    images = shown()
    x = normalise(torch.from_numpy(images).permute(0, 3, 1, 2), PREPROCESS)
    with torch.inference_mode():
        expected = model.eval()(x)
    assert close(made(x), expected)
    assert close(made.pixels(images)["main"], expected)
    # Where the preprocessing does not round, pixels are no bytes.
    assert close(made.pixels(images.astype(np.float32))["main"], expected)
    assert (made.engine, made.precision, made.heads) == ("eager", "float32", ("main",))
    assert any(note.startswith("Taken: eager") for note in made.notes)
    assert any("batch norms folded" in note for note in made.notes)


def test_answers_stay_when_the_network_changes(model: Network) -> None:
    compile(model, precision="float32", preprocess=PREPROCESS)
    # The choice is known by now, so that no engine is made ready before it is asked.
    made = compile(model, precision="float32", preprocess=PREPROCESS)
    images = shown()
    x = normalise(torch.from_numpy(images).permute(0, 3, 1, 2), PREPROCESS)
    with torch.inference_mode():
        expected = model.eval()(x)
    assert close(made(x), expected)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(0.5)
    assert close(made(x), expected)
    assert close(made.pixels(images)["main"], expected)


def test_the_network_and_what_engines_are_made_of_are_let_go_of() -> None:
    def graphs() -> list[object]:
        gc.collect()
        return [one for one in gc.get_objects() if type(one) in (Graph, Conv, Network)]

    before = graphs()
    made = compile(create_model("inception_resnet_v1", seed=0, width=0.05, depth=0.1), precision="float32", size=SIZE)
    made(torch.zeros(1, 3, *SIZE))
    known = set(map(id, before))
    assert not [one for one in graphs() if id(one) not in known], "the engine has its own copy of the weights"
    assert "eager" in made.computed_in


def test_pixels_that_are_not_rounded(model: Network) -> None:
    preprocess = replace(PREPROCESS, sampling="centres")
    images = shown(4).astype(np.float32) + np.float32(0.3)
    made = compile(model, precision="float32", preprocess=preprocess, images=images)
    with torch.inference_mode():
        expected = model.eval()(normalise(torch.from_numpy(images).permute(0, 3, 1, 2), preprocess))
    assert close(made.pixels(images)["main"], expected)
    with pytest.raises(UsageError, match="uint8"):
        compile(model, precision="float32", preprocess=PREPROCESS, images=images)


def test_heads_in_depth_order(model: Network) -> None:
    made = compile(model, precision="float32", size=SIZE, heads=("main", "aux_4a"))
    x = torch.randn(2, 3, *SIZE)
    with torch.inference_mode():
        expected = model.eval().heads(x)
    found = made.logits(x)
    assert list(found) == list(made.heads) == ["aux_4a", "main"]
    assert all(close(found[head], expected[head]) for head in found)
    alone = compile(model, precision="float32", size=SIZE, heads=("aux_4a",))
    with pytest.raises(UsageError, match="aux_4a"):
        alone(x)


def test_one_channel(model: Network) -> None:
    grey = create_model("googlenet", num_classes=5, seed=3, width=0.05, depth=0.1, in_channels=1)
    preprocess = Preprocess(size=SIZE, resize_to=99, channels="L", mean=(0.4,), std=(0.2,))
    made = compile(grey, precision="float32", preprocess=preprocess)
    images = shown()
    with torch.inference_mode():
        expected = grey.eval()(normalise(torch.from_numpy(images).permute(0, 3, 1, 2), preprocess))
    assert close(made.pixels(images)["main"], expected)


def test_the_choice_is_kept_for_the_same_weights(model: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compile(model, size=SIZE)
    (kept,) = (tmp_path / "home").rglob("*.json")
    assert json.loads(kept.read_text())["taken"]["engine"] == "eager"
    monkeypatch.setattr(room, "choose", lambda *arguments, **options: pytest.fail("measured again"))
    assert "Taken: eager" in " ".join(compile(model, size=SIZE).notes)
    monkeypatch.undo()
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path / "home"))
    kept.write_text("{ not json")
    assert compile(model, size=SIZE, engine="eager").engine == "eager"
    with torch.no_grad():
        next(model.parameters()).add_(1)
    assert compile(model, size=SIZE, engine="eager").engine == "eager"
    assert len(list((tmp_path / "home").rglob("*.json"))) > 1


def test_what_was_measured_on_a_busy_machine_is_measured_again_on_a_quiet_one(
    model: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(choosing, "load", lambda: 3.0)
    monkeypatch.setattr(catalogue, "precisions", lambda name: ["float32"])
    monkeypatch.setattr(catalogue, "installed", lambda: ["eager", "onnxruntime"])
    assert any("The machine was busy (3.0 processes for each core)" in note for note in compile(model, size=SIZE).notes)
    measured: list[int] = []
    choose = room.choose

    def counted(*arguments: Any, **options: Any) -> Any:
        measured.append(1)
        return choose(*arguments, **options)

    monkeypatch.setattr(room, "choose", counted)
    compile(model, size=SIZE)
    assert not measured, "it is as busy as before"
    monkeypatch.setattr(choosing, "load", lambda: 0.1)
    assert not any("busy" in note for note in compile(model, size=SIZE).notes)
    monkeypatch.setattr(choosing, "load", lambda: 3.0)
    compile(model, size=SIZE)
    monkeypatch.setattr(choosing, "load", lambda: 0.1)
    compile(model, size=SIZE)
    assert len(measured) == 1, "what was measured in quiet stays"


def test_prepared_engines_do_not_grow_without_end(tmp_path: Path) -> None:
    for name, age in (("old.pt2", 500), ("older.blob", 900), ("young.pt2", 100), ("now.pt2", 0), ("x.lock", 900)):
        (tmp_path / name).write_bytes(bytes(1000))
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    assert trim(tmp_path, most=4000) == ""
    assert trim(tmp_path, most=2500).startswith("2 files of prepared engines that nobody used for longest were deleted")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["now.pt2", "x.lock", "young.pt2"]
    trim(tmp_path, most=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["now.pt2", "x.lock"], "what is in use stays"
    assert trim(tmp_path / "nowhere") == ""


class Wrong:
    """An engine that is fast and wrong."""

    def __init__(self, right: Any, factor: float) -> None:
        self.name, self.precision, self.right, self.factor = "wrong", "bf16", right, factor

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        return {head: logits * self.factor for head, logits in self.right.run(images).items()}


@pytest.mark.parametrize("factor", [1.5, np.nan])
def test_wrong_answers_are_not_taken_and_it_says_why(model: Network, monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    make = catalogue.make

    def broken(name: str, graph: Any, **options: Any) -> Any:
        made = make(name, graph, **options)  # type: ignore[arg-type]
        return Wrong(made, factor) if options["precision"] == "bf16" else made

    monkeypatch.setattr(catalogue, "make", broken)
    monkeypatch.setattr(catalogue, "precisions", lambda name: ["bf16", "float32"])
    for precision in ("auto", "bf16"):
        made = compile(model, precision=precision, size=SIZE)  # type: ignore[arg-type]
        assert made.precision == "float32"
        assert any(note.startswith("Not taken: eager in bf16: logits ") for note in made.notes)
    monkeypatch.setattr(catalogue, "make", lambda name, graph, **options: Wrong(make(name, graph, **options), factor))
    with pytest.raises(MachineError, match="No engine"):
        compile(model, precision="float32", size=SIZE, batch=2)


def test_what_cannot_be_made_ready_is_passed_over(model: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    make = catalogue.make

    def missing(name: str, graph: Any, **options: Any) -> Any:
        if name == "openvino":
            raise MachineError("OpenVINO cannot prepare this network: no reason.")
        return make(name, graph, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(catalogue, "make", missing)
    monkeypatch.setattr(catalogue, "installed", lambda: ["openvino", "eager"])
    monkeypatch.setattr(catalogue, "precisions", lambda name: ["float32"])
    made = compile(model, size=SIZE)
    assert made.engine == "eager"
    assert any("openvino in float32: OpenVINO cannot prepare" in note for note in made.notes)


def test_classes_are_compared_on_real_images_only() -> None:
    logits = np.eye(100, 5, dtype=np.float32)
    changed = logits.copy()
    changed[:4] = logits[:4][:, ::-1]
    found = agreement({"main": logits}, {"main": changed})
    assert "logits differ" in found.fault("bf16", meaningful=False)
    near = logits + 1
    flipped = near.copy()
    flipped[:, 0] += 0.01
    flipped[10:14, 1] += 0.02
    tie = near[:50].copy()
    tie[0, :2] = tie[0, 1::-1]
    expected = near[:50].copy()
    expected[0, 1] = expected[0, 0] - 0.01
    tie[0] = expected[0]
    tie[0, :2] = expected[0, 1::-1]
    assert agreement({"main": expected}, {"main": tie}).fault("bf16", meaningful=True) == ""
    expected[0, 1] -= 0.05
    tie[0, :2] = expected[0, 1::-1]
    assert "1 of 50 images get another class" in agreement({"main": expected}, {"main": tie}).fault("bf16", meaningful=True)
    assert agreement({"main": near}, {"main": flipped}).fault("bf16", meaningful=False) == ""
    assert "get another class" in agreement({"main": near}, {"main": flipped}).fault("bf16", meaningful=True)


def test_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "installed", lambda: ["openvino", "eager", "onnxruntime", "compiled"])
    able: dict[str, list[str]] = {"onnxruntime": ["float32"]}
    monkeypatch.setattr(catalogue, "precisions", lambda name: able.get(name, ["bf16", "float32"]))
    first, second = candidates("auto", "auto")
    assert first == [Candidate("openvino", "bf16"), Candidate("eager", "bf16")]
    assert second == [Candidate(name, "float32") for name in ("openvino", "eager", "onnxruntime")]  # type: ignore[arg-type]
    assert candidates("compiled", "bf16") == [[Candidate("compiled", "bf16")], [Candidate("compiled", "float32")]]
    assert candidates("auto", "int8")[0] == [Candidate("openvino", "int8")]
    assert candidates("onnxruntime", "auto") == [[Candidate("onnxruntime", "float32")]]
    with pytest.raises(MachineError, match="bf16"):
        candidates("onnxruntime", "bf16")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"engine": "eagre"}, UsageError, "Did you mean 'eager'"),
        ({"engine": "openvino"}, MachineError, r"pip install 'inceptions\[openvino\]'"),
        ({"engine": "compiled"}, MachineError, r"C\+\+ compiler"),
        ({"precision": "half"}, UsageError, "precision"),
        ({"precision": "int8"}, MachineError, "int8 needs OpenVINO"),
        ({"batch": 0}, UsageError, "at least 1"),
        ({"heads": ("aux_9z",)}, UsageError, "head"),
        ({"size": (2, 2)}, UsageError, "at least"),
    ],
)
def test_refusals(model: Network, options: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        compile(model, **options)


def test_int8_wants_images(model: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "installed", lambda: ["openvino", "eager"])
    with pytest.raises(UsageError, match="images="):
        compile(model, precision="int8")


def test_images_of_another_shape_are_refused(model: Network) -> None:
    made = compile(model, precision="float32", size=SIZE)
    with pytest.raises(UsageError, match=r"\[batch, 3, 96, 99\], not \[2, 3, 96, 96\]"):
        made(torch.zeros(2, 3, 96, 96))
    with pytest.raises(UsageError, match="preprocess"):
        made.pixels(shown())


def test_images_of_nothing() -> None:
    for pixels in (False, True):
        made = smooth((3, 40, 50), 3, pixels=pixels)
        assert made.shape == ((3, 40, 50, 3) if pixels else (3, 3, 40, 50))
        assert np.abs(made[0].astype(float) - made[1]).max() > 0.1
    assert choosing.repeated(made, 7).shape[0] == 7
