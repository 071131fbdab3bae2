from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import inceptions
from inceptions.cli import execute
from inceptions.deploy.export import export
from inceptions.deploy.opening import answerer, is_exported, load, opener
from inceptions.deploy.serve.running import loader
from inceptions.errors import UsageError, WeightsError
from inceptions.network import Network, create_model
from inceptions.weights import Card, Preprocess, save_weights

CLASSES = ("ant", "bee", "cat")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What engines measured is kept in the test's own folder."""
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = create_model("googlenet", num_classes=3, width=0.125, seed=3)
    architecture = model.architecture
    card = Card(
        architecture=architecture.name,
        variant=architecture.variant,
        options=architecture.options,
        classes=CLASSES,
        preprocess=Preprocess.standard(64),
    )
    path = tmp_path_factory.mktemp("opening") / "net.safetensors"
    save_weights(path, model, card)
    return path


@pytest.fixture(scope="module")
def onnx(weights: Path) -> Path:
    pytest.importorskip("onnxruntime")
    path = weights.with_suffix(".onnx")
    export(weights, path, to="onnx", with_preprocessing=True, heads=("aux_4a", "aux_4d", "main"))
    return path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for label, colour in (("ant", (200, 30, 60)), ("bee", (20, 90, 220)), ("cat", (40, 200, 40))):
        (folder / label).mkdir()
        for i in range(2):
            image = Image.radial_gradient("L").resize((90 + i, 70)).convert("RGB")
            image.paste(colour, (10 + 9 * i, 20, 60, 60))
            image.save(folder / label / f"{i}.jpg")
    return folder


def test_an_exported_file_answers_as_its_weights(weights: Path, onnx: Path, photographs: Path) -> None:
    files = sorted(photographs.glob("*/*.jpg"))
    for head in ("main", "aux_4a", "mean", "best"):
        expected = inceptions.load(weights, device="cpu").predict(files, head=head)
        found = inceptions.load(onnx).predict(files, head=head)
        assert [one.path for one in found] == [one.path for one in expected]
        for one, other in zip(found, expected, strict=True):
            assert [guess.index for guess in one.top] == [guess.index for guess in other.top]
            assert [guess.probability for guess in one.top] == pytest.approx([g.probability for g in other.top], abs=1e-5)


def test_the_exported_way_imports_no_torch(onnx: Path, photographs: Path) -> None:
    photograph = photographs / "ant" / "0.jpg"
    code = (
        "import sys\nfrom inceptions.cli import execute\n"
        f"code = execute(['predict', {str(onnx)!r}, {str(photograph)!r}, '--json'])\n"
        "heavy = {'torch', 'torchvision', 'accelerate', 'matplotlib', 'sklearn', 'sympy'} & set(sys.modules)\n"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert {guess["class"] for guess in row["top"]} == set(CLASSES)


def test_evaluate_counts_an_exported_file_and_an_engine_as_the_weights(
    weights: Path, onnx: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for words in ([weights], [onnx], [weights, "--engine", "onnxruntime"]):
        path, *options = map(str, words)
        command = ["evaluate", path, str(photographs), *options, "--device", "cpu", "--json", "--no-cache", "--quiet"]
        assert execute([*command, "--precision", "fp32"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert [one["precision"] for one in found] == ["fp32", "float32, onnxruntime", "float32, onnxruntime"]
    for one in found[1:]:
        assert (one["n"], one["top1"], one["confusion"]) == (6, found[0]["top1"], found[0]["confusion"])
        assert one["loss"] == pytest.approx(found[0]["loss"], rel=1e-4)


def test_weights_on_an_engine(weights: Path, photographs: Path) -> None:
    pytest.importorskip("onnxruntime")
    notes: list[str] = []
    predictor = load(weights, engine="onnxruntime", precision="fp32", every_head=True, say=notes.append)
    photograph = photographs / "bee" / "0.jpg"
    for head in ("main", "best"):
        expected = load(weights, device="cpu").predict(photograph, head=head)
        assert predictor.predict(photograph, head=head).probability == pytest.approx(expected.probability, abs=1e-4)
    assert any("onnxruntime" in note for note in notes)


def test_without_an_engine_weights_are_the_network_itself(weights: Path) -> None:
    opened, card = answerer(weights)
    assert isinstance(opened, Network)
    assert card.classes == CLASSES
    assert isinstance(load(weights, device="cpu").model, Network)


def test_only_what_we_exported_is_an_exported_file(weights: Path, onnx: Path, tmp_path: Path) -> None:
    assert is_exported(onnx)
    assert not is_exported(weights)
    assert not is_exported(tmp_path / "missing.onnx")
    # Of an engine's file OpenVINO's ending says enough.
    (tmp_path / "x.xml").write_text("<nothing/>")
    with pytest.raises(WeightsError):
        load(tmp_path / "x.xml")


def test_what_does_not_go_together(weights: Path, onnx: Path) -> None:
    with pytest.raises(UsageError, match=r"Unknown engine 'openvin'\. Did you mean 'openvino'"):
        load(weights, engine="openvin")
    with pytest.raises(UsageError, match="Unknown precision 'half'"):
        load(weights, precision="half")
    with pytest.raises(UsageError, match="eager is for weights"):
        load(onnx, engine="eager")
    with pytest.raises(UsageError, match="computes on the CPU"):
        load(onnx, device="cuda")
    with pytest.raises(UsageError, match=r"int8 is calibrated on images: `inceptions export"):
        load(weights, precision="int8")
    opened = opener(engine=None, precision="int8", device="auto", every_head=False, say=print)
    with pytest.raises(UsageError, match="computes in no int8"):
        opened(str(weights))
    assert execute(["evaluate", str(onnx), "nowhere", "--report", "x.html"]) == 3


def test_one_head_of_several_cannot_be_the_surest(weights: Path, photographs: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    export(weights, tmp_path / "main.onnx", to="onnx")
    photograph = photographs / "ant" / "0.jpg"
    for predictor in (load(tmp_path / "main.onnx"), load(weights, engine="onnxruntime", precision="fp32")):
        assert predictor.predict(photograph).top
        for head in ("best", "mean"):
            with pytest.raises(UsageError, match=f"main alone answers here, so there is no {head} of several"):
                predictor.predict(photograph, head=head)


@pytest.mark.parametrize("command", ["explain", "doctor", "export"])
def test_what_looks_inside_says_that_an_exported_file_has_none(
    command: str, onnx: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photograph = str(photographs / "ant" / "0.jpg")
    words = ["--to", "onnx", "--output", str(tmp_path / "again.onnx")] if command == "export" else [photograph]
    assert execute([command, str(onnx), *words]) == 2
    assert re.search(
        r"is an exported file: it answers, but (shows nothing of its inside|is not exported again)", capsys.readouterr().err
    )


def test_evaluate_and_serve_ask_the_main_head(weights: Path, photographs: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "aux.onnx"
    export(weights, path, to="onnx", heads=("aux_4a",))
    assert load(path).predict(photographs / "ant" / "0.jpg", head="aux_4a").top
    with pytest.raises(UsageError, match="answers by aux_4a only, and the main head is asked here"):
        opener(engine=None, precision="auto", device="auto", every_head=False, say=print)(str(path))
    with pytest.raises(UsageError, match="answers by aux_4a only"):
        loader(device="auto", engine=None, precision="auto", batch=1)(str(path))
