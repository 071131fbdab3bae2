"""The benchmark: what it compares, not how fast anything is."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inceptions.cli import execute
from inceptions.deploy.bench import asked, benching, ceilings, roofline, systems, turns
from inceptions.deploy.bench.benching import bench, difference
from inceptions.deploy.bench.ceilings import Ceilings
from inceptions.deploy.bench.memory import SCRIPTS, Alone, Files
from inceptions.deploy.bench.rows import Row, table
from inceptions.deploy.bench.subjects import subjects
from inceptions.deploy.bench.turns import in_turn, ratio
from inceptions.deploy.bench.unmodified import OURS, packages, theirs, to_onnx, unmodified, without_heads
from inceptions.deploy.engines import catalogue
from inceptions.errors import UsageError
from inceptions.network import Network, create_model

SIZE = (48, 50)


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(catalogue, "installed", lambda: ["eager"])
    monkeypatch.setattr(catalogue, "precisions", lambda _: ["float32"])
    monkeypatch.setattr(turns, "TURN", 0.0)
    for name, value in {"CHANNELS": 4, "SIDE": 4, "IMAGES": 1, "MATRIX": 8, "COPIED": 64}.items():
        monkeypatch.setattr(ceilings, name, value)


@pytest.fixture(scope="module")
def small() -> Network:
    return without_heads(create_model("googlenet", num_classes=5, seed=3, width=0.05, depth=0.1))


def images(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((number, 3, *size), dtype=np.float32)


def answers(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return module(torch.from_numpy(x)).numpy()


def test_systems_have_their_turns_round_by_round() -> None:
    came: list[str] = []
    found = in_turn({"a": lambda: came.append("a"), "b": lambda: came.append("b")}, rounds=20)
    assert [len(times) for times in found.values()] == [20, 20]
    beforehand, rounds = came[:4], ["".join(came[i : i + 2]) for i in range(4, len(came), 2)]
    assert beforehand == [*"aabb"]
    assert {*rounds} == {"ab", "ba"}, "none always comes behind the other"


def test_rounds_end_when_the_time_is_over_but_never_before_the_third() -> None:
    told: list[int] = []
    in_turn({"a": lambda: None}, rounds=9, seconds=0.0, tell=told.append)
    assert told == [1, 2, 3]


def test_a_ratio_is_taken_within_rounds() -> None:
    # The machine slowed down to a tenth: the ratio did not.
    found = ratio([0.1, 1.0, 0.1], [0.2, 2.0, 0.3])
    assert found.median == pytest.approx(2.0)
    assert (found.low, found.high) == (pytest.approx(2.0), pytest.approx(3.0))
    alone = ratio([0.5], [1.0])
    assert (alone.low, alone.median, alone.high) == (2.0, 2.0, 2.0)


def test_a_difference_that_is_no_number_is_none() -> None:
    expected = np.array([[1.0, 2.0], [4.0, 3.0]], np.float32)
    assert difference(expected, expected + np.array([[0.0, 0.5], [0.0, 1.5]], np.float32)) == (1.5, 0.5)
    assert difference(expected, np.full_like(expected, np.nan))[0] is None


def test_torchvision_has_our_weights_and_answers_alike() -> None:
    network = without_heads(create_model("googlenet", num_classes=3, seed=1))
    assert packages(network) == ["torchvision"]
    whose = unmodified(network)
    assert (whose.owner, whose.remark) == ("torchvision", "")
    x = images(2)
    assert np.abs(answers(whose.module, x) - answers(network, x)).max() < 1e-4
    network.get_parameter("main.logits.linear.bias").add_(1)
    assert np.abs(answers(whose.module, x) - answers(network, x)).max() > 0.5, "they share no memory"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inception_v3", "inception_v4", "inception_resnet_v2"])
def test_timm_has_our_weights_and_answers_alike(name: str) -> None:
    network = without_heads(create_model(name, num_classes=3, seed=1))
    assert "timm" in packages(network)
    x = images(1, (96, 96))
    expected = answers(network, x)
    assert np.abs(answers(theirs(network, "timm"), x) - expected).max() < 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, on torch
def test_keras_has_our_weights_and_answers_as_our_variant_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("keras")
    network = without_heads(create_model("inception_v3", num_classes=3, seed=1))
    found = systems.keras(network, (80, 80), None)
    assert found is not None
    assert found.reference is not None
    x = images(2, (80, 80))
    expected = found.answers(x, 2, found.reference)
    assert np.abs(found.answers(x, 2) - expected).max() < 1e-4 * max(1, np.abs(expected).max())


def test_what_nobody_else_has_is_compared_with_our_own(small: Network) -> None:
    whose = unmodified(small)
    assert whose.owner == OURS
    assert whose.module is small
    assert "neither torchvision nor timm has googlenet/bn" in whose.remark
    assert packages(create_model("googlenet", variant="paper", device="meta")) == []


def test_exported_as_it_is_the_peers_run_it(small: Network) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    content = to_onnx(small, (3, *SIZE))
    x = images(3)
    found = systems.onnxruntime("x", content, 1)
    assert np.abs(found.answers(x, 2) - answers(small, x)).max() < 1e-4
    pytest.importorskip("openvino")
    other = systems.openvino("x", content, "float32", x[:2], 1)
    assert np.abs(other.answers(x, 2) - answers(small, x)).max() < 1e-4


def test_all_images_are_answered_in_whole_batches() -> None:
    seen: list[int] = []

    def run(x: np.ndarray) -> np.ndarray:
        seen.append(len(x))
        return x[:, :, 0, 0]

    x = images(5)
    found = systems.System("x", "float32", run).answers(x, 2)
    assert seen == [2, 2, 2]
    assert np.array_equal(found, x[:, :, 0, 0])


def test_rows_and_picture(small: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benching, "subjects", lambda *_: [benching.Subject(small, SIZE)])
    picture = tmp_path / "roofline.png"
    found = bench(against=(), batches=(2,), precisions=("fp32",), engines=("eager",), rounds=1, threads=1, picture=picture)
    base, ours = found.rows
    assert (base.system, base.ratio, base.max_abs_diff, base.top1_agreement) == (f"{OURS}, eager", 1.0, 0.0, 1.0)
    assert (ours.system, ours.precision, ours.batch) == ("inceptions, eager", "float32", 2)
    assert ours.max_abs_diff is not None
    assert 0 < ours.max_abs_diff < 1e-4
    assert ours.low <= ours.ratio <= ours.high
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = found.to_text()
    assert "### googlenet/bn, batch 2" in text
    assert len({len(line) for line in text.splitlines() if line.startswith("|")}) == 1, "columns are aligned"
    assert any("says little" in remark for remark in found.remarks)


def test_modules_share_all_the_work(small: Network) -> None:
    from inceptions.architecture import cost

    found = roofline.measure(small, "eager", "float32", 1, SIZE, threads=1)
    assert sum(one.flops for one in found.modules) == 2 * cost(small.architecture, SIZE).macs
    assert found.modules[0].name == "conv_1 + pool_1"
    assert found.modules[-1].stage == "classifier"
    assert all(one.seconds > 0 and one.traffic > 0 for one in found.modules)


def test_lost_time_is_beyond_the_roof() -> None:
    one = roofline.Module(name="a", stage="a", flops=100.0, traffic=10.0, seconds=5.0)
    assert roofline.lost(one, top=50.0, bandwidth=100.0) == pytest.approx(3.0)
    assert roofline.lost(one, top=50.0, bandwidth=2.5) == pytest.approx(1.0)


def test_stages() -> None:
    names = ["conv_2", "inception_4b", "mixed_6a", "block35_12", "main"]
    assert [roofline.stage(name) for name in names] == [
        "single convolutions", "inception_4", "mixed_6", "block35", "classifier"
    ]  # fmt: skip


def test_a_ceiling_never_falls() -> None:
    found = Ceilings(1)
    found.measure(["float32"])
    found.flops["float32"], found.found["float32"] = 1e18, "a faster day"
    found.measure(["float32"])
    assert found.flops["float32"] == 1e18
    assert "a faster day" in found.text()


def test_what_is_calibrated_with_is_not_judged_by(photos: Path) -> None:
    (subject,) = subjects(["googlenet"], (32, 32), None, photos, calibrate=True)
    assert subject.calibration is not None
    assert subject.images is not None
    assert (len(subject.images), len(subject.calibration)) == (10, 10)
    assert not any((image == subject.calibration).all(axis=(1, 2, 3)).any() for image in subject.images)
    (plain,) = subjects(["googlenet"], (32, 32), None, photos)
    assert plain.images is not None
    assert plain.images.shape[1:] == (3, 32, 32)
    assert len(plain.images) == 20
    assert plain.calibration is None


def test_memory_is_a_column_where_it_was_measured() -> None:
    row = Row(
        system="a", model="m", precision="int8", batch=1, images_per_second=1.0, ratio=1.0, low=1.0, high=1.0, max_abs_diff=0.0,
        top1_agreement=1.0, compared=4, gflops=1.0, ceiling_share=None,
    )  # fmt: skip
    assert "peak memory" not in table([row])
    measured = replace(row, peak_memory=1500 * 2**20, ceiling_share=0.5)
    text = table([row, measured])
    assert "| peak memory |" in text
    assert "1,500 MiB |" in text
    assert len({len(line) for line in text.splitlines()}) == 1


def test_the_peak_of_a_process_of_its_own(small: Network) -> None:
    with Files(small, SIZE, b"") as files:
        found = files.peak(Alone("plain", {"threads": 1}), 2)
    assert found is not None
    assert 50 * 2**20 < found < 2**32
    assert Alone("plain", {"threads": 1}).peak(Path("nowhere"), (1, 3, *SIZE)) is None


@pytest.mark.slow
def test_every_script_runs() -> None:
    network = without_heads(create_model("googlenet", num_classes=3, seed=1))
    options = {
        "theirs": {"package": "torchvision"},
        "plain": {},
        "ours": {"engine": "eager", "precision": "float32"},
        "onnxruntime": {},
        "openvino": {"hint": "f32", "goal": "LATENCY", "piece": 1},
    }
    assert options.keys() == SCRIPTS.keys()
    with Files(network, (64, 64), to_onnx(network, (3, 64, 64))) as files:
        for script, asked in options.items():
            assert files.peak(Alone(script, {"threads": 1, **asked}), 2), script


@pytest.mark.slow
def test_the_peers_in_int8_and_compiled(small: Network) -> None:
    x = images(16)
    found = systems.openvino("x", to_onnx(small, (3, *SIZE)), "int8", x[:2], 1, x)
    assert "NNCF" in found.name
    assert np.isfinite(found.answers(x, 2)).all()
    compiled = systems.frozen(OURS, small, "float32", x[:2], 1)
    assert np.abs(compiled.answers(x, 2) - answers(small, x)).max() < 1e-4


def test_int8_wants_photographs() -> None:
    with pytest.raises(UsageError, match="int8 is calibrated on photographs"):
        bench(precisions=("int8",))


def test_a_missing_peer_is_a_line_and_an_unknown_one_a_mistake(small: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(asked, "find_spec", lambda name: None if name == "timm" else real(name))
    monkeypatch.setattr(benching, "subjects", lambda *_: [benching.Subject(small, SIZE)])
    found = bench(against=("timm",), batches=(1,), precisions=("float32",), engines=("eager",), rounds=1)
    assert "timm: not installed: pip install timm." in found.remarks
    for wrong in ({"against": ("tim",)}, {"precisions": ("int4",)}, {"engines": ("fast",)}, {"batches": (0,)}, {"rounds": 0}):
        with pytest.raises(UsageError):
            bench(**wrong)


@pytest.mark.parametrize(
    "words",
    [
        ("googlenet", "--weights", "a.safetensors"),
        ("googlenet", "--batch", "many"),
        ("googlenet", "--against", "caffe"),
        ("gogglenet",),
    ],
)
def test_the_command_says_what_is_wrong(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["bench", *words, "--quiet"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("inceptions: ")
    assert said.err.count("\n") == 1


def test_the_command(
    small: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benching, "subjects", lambda *_: [benching.Subject(small, SIZE)])
    words = ["--against", "", "--batch", "1", "--precision", "float32", "--engine", "eager", "--rounds", "1"]
    assert execute(["bench", *words, "--markdown", str(tmp_path / "a.md"), "--json"]) == 0
    said = capsys.readouterr()
    keys = {"system", "model", "precision", "batch", "images_per_second", "ratio", "low", "high", "ceiling_share"}
    assert all(keys | {"max_abs_diff", "top1_agreement"} <= row.keys() for row in json.loads(said.out))
    assert "ceilings" in said.err
    assert (tmp_path / "a.md").read_text().startswith("### googlenet/bn, batch 1\n\n| system")
