"""Exports: written, read again by the program they are for, compared, named; and what is refused."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from inceptions.cli import execute
from inceptions.data.showing import showing
from inceptions.deploy.about import About
from inceptions.deploy.agreement import TOP1, Agreement
from inceptions.deploy.engines import openvino
from inceptions.deploy.export import export, formats, parity
from inceptions.deploy.export.exporting import default_output
from inceptions.deploy.exported import entering, open_exported
from inceptions.deploy.graph import Conv, Dense
from inceptions.deploy.lower import lower
from inceptions.deploy.onnx_metadata import read_metadata
from inceptions.deploy.quantise import quantise
from inceptions.errors import DataError, MachineError, UsageError, WeightsError
from inceptions.network import create_model
from inceptions.weights import Card, Preprocess, load_model, save_weights

NAMES = ("cat", 'döner "x" <y> & z\n', "日本")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = create_model("googlenet/bn", num_classes=3, width=0.1, depth=0.1, seed=0)
    generator = torch.Generator().manual_seed(4)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    card = Card(
        architecture="googlenet",
        variant="bn",
        options=model.architecture.options,
        classes=NAMES,
        preprocess=Preprocess(size=(48, 52), resize="exact", mean=(0.4, 0.5, 0.3), std=(0.2, 0.25, 0.3), channels="BGR"),
        provenance={"recipe": "none"},
        licence="CC0-1.0",
    )
    save_weights(path, model, card)
    return path


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 48, 52, 3), np.uint8)


def wanted(weights: Path, pixels: np.ndarray, head: str = "main") -> np.ndarray:
    model, card = load_model(weights)
    with torch.inference_mode():
        return model.heads(torch.from_numpy(entering(pixels, card.preprocess, pixels=False)))[head].numpy()


@pytest.mark.parametrize(
    ("to", "precision", "inside"),
    [
        ("onnx", "float32", False),
        ("onnx", "float32", True),
        ("onnx", "fp16", True),
        ("openvino", "float32", True),
        ("openvino", "bf16", False),
        ("torch-export", "float32", True),
        ("torch-export", "bf16", False),
    ],
)
def test_comes_back_with_its_card_and_its_answers(
    to: formats.Format, precision: str, inside: bool, weights: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    output = tmp_path / f"out{formats.FORMATS[to]}"
    report = export(weights, output, to=to, precision=precision, with_preprocessing=inside, heads=("aux_4a", "main"))
    assert report.files[-1] == output
    assert all(path.is_file() for path in report.files)
    assert sorted(tmp_path.iterdir()) == sorted(report.files)
    opened = open_exported(output, batch=4)
    _, card = load_model(weights)
    assert opened.card.classes == NAMES
    assert (opened.card.preprocess, opened.card.licence) == (card.preprocess, "CC0-1.0")
    assert opened.card.provenance == {"recipe": "none", "export": {"format": to, "precision": precision}}
    assert (opened.about.precision, opened.about.pixels, opened.about.heads) == (precision, inside, ("aux_4a", "main"))
    found = opened.run(pixels)
    limit = 1e-4 if precision == "float32" else 0.1
    for head in ("aux_4a", "main"):
        exact = wanted(weights, pixels, head)
        assert np.abs(found[head] - exact).max() <= limit * np.abs(exact).max()
        assert np.allclose(opened.run(pixels[2:3])[head], found[head][2:3], atol=limit * np.abs(exact).max())


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_weights_of_ours(precision: str, weights: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    output = tmp_path / "again.safetensors"
    export(weights, output, to="safetensors", precision=precision)
    exact, found = wanted(weights, pixels), wanted(output, pixels)
    assert np.abs(found - exact).max() <= (0 if precision == "float32" else 0.1) * np.abs(exact).max()
    assert (output.stat().st_size < 0.6 * weights.stat().st_size) == (precision == "bf16")
    kinds = {tensor.ndim > 1: tensor.dtype for tensor in load_file(output).values() if tensor.is_floating_point()}
    assert kinds == {False: torch.float32, True: torch.float32 if precision == "float32" else torch.bfloat16}


@pytest.mark.parametrize("name", ["googlenet/bn", "bn_inception/slim"])  # the latter begins with a convolution in groups
def test_openvino_in_bf16_holds_what_the_processor_would_round_to(name: str) -> None:
    graph = lower(create_model(name, num_classes=3, width=0.1, depth=0.1, seed=0).eval())
    held = openvino.read_model(graph)
    openvino.hold_bf16(held)
    rounded = [
        node.input_value(1).get_node().input_value(0).get_node()
        for node in held.get_ordered_ops()
        if node.get_type_name() in ("Convolution", "GroupConvolution", "MatMul")
    ]
    layers = [op for op in graph.ops if isinstance(op, Conv | Dense)]
    assert len(rounded) == len(layers) > 15
    found = sorted(constant.data.view(np.int16).tobytes() for constant in rounded)
    expected = [torch.from_numpy(np.ascontiguousarray(op.weight)).to(torch.bfloat16).view(torch.int16) for op in layers]
    assert found == sorted(one.numpy().tobytes() for one in expected)


@pytest.mark.parametrize(
    ("precision", "difference", "images", "margins", "fault"),
    [
        ("float32", 0.9e-4, 200, [], ""),
        ("float32", 1.1e-4, 200, [], "logits differ from float32 by 0.00011 of the largest, more than 0.0001"),
        ("float32", float("inf"), 200, [], "no numbers"),
        ("bf16", 0.05, 200, [0.2, 0.2], ""),
        ("bf16", 0.05, 200, [0.001, 0.001, 0.001], "3 of 200 images get another class than in float32"),
        ("bf16", 0.05, 150, [0.001, 0.001], "2 of 150 images"),
        # Of few images one may change, where float32 has the two classes as close as rounding; a second may not.
        ("bf16", 0.05, 20, [0.009], ""),
        ("bf16", 0.05, 20, [0.011], "1 of 20 images"),
        ("bf16", 0.05, 20, [0.001, 0.001], "2 of 20 images"),
        ("float32", 0.9e-4, 20, [0.00002], "1 of 20 images"),
        ("int8", 0.5, 200, [0.2] * 4, ""),
        ("int8", float("inf"), 200, [], "no numbers"),
        ("int8", 0.5, 200, [0.2] * 5, "5 of 200 images"),
    ],
)
def test_what_is_too_much(precision: str, difference: float, images: int, margins: list[float], fault: str) -> None:
    changed = len(margins)
    found = Agreement(difference, 1 - changed / images, images, tuple(margins))
    photographs, others = (parity.Parity(agreement=found, source="", photographs=one, runtime="") for one in (True, False))
    said = photographs.fault(precision)
    assert fault in said if fault else not said
    if changed:
        assert not others.fault(precision)


def test_at_another_size(weights: Path, tmp_path: Path) -> None:
    export(weights, tmp_path / "out.onnx", to="onnx", size=64)
    opened = open_exported(tmp_path / "out.onnx")
    assert opened.card.preprocess.size == (64, 64)
    assert opened.run(np.zeros((1, 64, 64, 3), np.uint8))["main"].shape == (1, 3)
    with pytest.raises(UsageError, match=r"takes images of 64×64 pixels in RGB.* not \[1, 48, 52, 3\]"):
        opened.run(np.zeros((1, 48, 52, 3), np.uint8))


def test_both_programs_read_onnx(weights: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    export(weights, output, to="onnx")
    engines = [open_exported(output, engine=one).engine for one in ("onnxruntime", "openvino")]
    assert [engine.name for engine in engines] == ["onnxruntime", "openvino"]
    with pytest.raises(UsageError, match="run by onnxruntime or openvino, not by torch"):
        open_exported(output, engine="torch")
    with pytest.raises(UsageError, match=r"float32: export it again with --precision fp16"):
        open_exported(output, precision="fp16")
    with pytest.raises(UsageError, match=r"float32: let OpenVINO run it"):
        open_exported(output, precision="bf16")
    with pytest.raises(UsageError, match=r"was exported in float32: export it again with --precision int8"):
        open_exported(output, engine="openvino", precision="int8")


def test_without_torch(weights: Path, photos: Path, tmp_path: Path) -> None:
    for to in ("onnx", "openvino"):
        export(weights, tmp_path / f"out{formats.FORMATS[to]}", to=to, with_preprocessing=to == "onnx")
    photo = photos / "red" / "0.png"
    script = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from inceptions.data.showing import showing
from inceptions.deploy.exported import open_exported
opened = open_exported(Path(sys.argv[1]))
pixels = showing(opened.card.preprocess)(Image.open(sys.argv[2]).convert("RGB"))
print(opened.run(np.stack([pixels]))["main"].tolist())
assert not {"torch", "torchvision", "scipy", "sklearn", "onnx", "nncf"} & set(sys.modules), sorted(sys.modules)
"""
    _, card = load_model(weights)
    exact = wanted(weights, showing(card.preprocess)(Image.open(photo).convert("RGB"))[None])
    for name in ("out.onnx", "out.xml"):
        words = [sys.executable, "-c", script, str(tmp_path / name), str(photo)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert np.allclose(json.loads(done.stdout), exact, atol=1e-4)


def test_a_file_that_answers_otherwise_gets_no_name(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.onnx"
    output.write_text("the old one")
    answers = formats.answers
    monkeypatch.setattr(formats, "answers", lambda *a, **k: {head: 1.01 * one for head, one in answers(*a, **k).items()})
    assert execute(["export", str(weights), "--to", "onnx", "-o", str(output), "--quiet"]) == 4
    said = capsys.readouterr().err
    assert "out.onnx was not written: through ONNX Runtime in float32, logits differ from float32 by 0.01 of" in said
    assert said.count("\n") == 1
    assert [path.read_text() for path in tmp_path.iterdir()] == ["the old one"]


def test_int8(weights: Path, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The answers of a network without training are ties: they are not to be compared here.
    monkeypatch.setattr("inceptions.deploy.export.exporting.quantise", _ready)
    monkeypatch.setitem(TOP1, "int8", 0.0)
    for to in ("onnx", "openvino"):
        output = tmp_path / f"out{formats.FORMATS[to]}"
        report = export(weights, output, to=to, precision="int8", images=photos)
        assert report.to_dict()["precision"] == "int8"
        assert report.to_dict()["parity"]["images"] == 10
        assert open_exported(output).about.precision == "int8"
        with pytest.raises(UsageError, match="int8: export it again with --precision float32"):
            open_exported(output, precision="float32")


def _ready(*arguments: object, **options: object) -> object:
    return quantise(*arguments, **{**options, "tolerance": 1.0, "threads": 1})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"to": "onnx", "output": "x.pt"}, UsageError, r"whose files end in \.onnx: call it x\.onnx"),
        ({"to": "onnx", "precision": "bf16"}, UsageError, "onnx keeps float32, fp16, int8, not bf16.*--to openvino or torch-"),
        ({"to": "safetensors", "with_preprocessing": True}, UsageError, "always described in it"),
        ({"to": "openvino", "precision": "int8"}, DataError, "name a folder of them with --images"),
        ({"to": "onnx", "images": Path("nowhere")}, DataError, "no folder nowhere"),
        ({"to": "onnx", "size": 8}, UsageError, "at least"),
        ({"to": "onnx", "size": 0}, UsageError, "cannot be shown at 0×0"),
        ({"to": "onnx", "heads": ("aux_9",)}, UsageError, "Unknown head"),
        ({"to": "onnx", "output": "."}, UsageError, "is a folder"),
    ],
)
def test_refuses(options: dict, error: type, message: str, weights: Path, tmp_path: Path) -> None:
    options = dict(options)
    output = tmp_path / options.pop("output", f"out{formats.FORMATS[options['to']]}")
    with pytest.raises(error, match=message):
        export(weights, output, **options)
    assert not list(tmp_path.iterdir())


def test_refuses_to_replace_what_it_reads(weights: Path) -> None:
    with pytest.raises(UsageError, match="is the file that is read"):
        export(weights, weights, to="safetensors")


def test_refuses_to_replace_what_it_reads_with_openvinos_second_file(weights: Path, tmp_path: Path) -> None:
    own = tmp_path / "net.bin"
    own.write_bytes(weights.read_bytes())
    with pytest.raises(UsageError, match=r"net\.bin is the file that is read"):
        export(own, tmp_path / "net.xml", to="openvino")
    assert own.read_bytes() == weights.read_bytes()


def test_refuses_bytes_where_images_are_none(weights: Path, tmp_path: Path) -> None:
    model, card = load_model(weights)
    preprocess = Preprocess(size=(48, 52), resize="exact", sampling="corners")
    other = Card(architecture="googlenet", variant="bn", options=card.options, classes=NAMES, preprocess=preprocess)
    save_weights(tmp_path / "w.safetensors", model, other)
    with pytest.raises(UsageError, match="not whole numbers after resizing"):
        export(tmp_path / "w.safetensors", tmp_path / "o.onnx", to="onnx", with_preprocessing=True)


def test_what_a_killed_export_left_is_removed(weights: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    ).stdout.strip()
    names = {"dead": f".out.onnx.{dead}.x.partial", "ours": ".out.onnx.1.y.partial", "other": f".out2.onnx.{dead}.x.partial"}
    for name in names.values():
        (tmp_path / name).mkdir()
        (tmp_path / name / "network.onnx").write_text("half")
    export(weights, output, to="onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([names["ours"], names["other"], "out.onnx"])


def test_a_full_disk(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(formats, "write", full)
    with pytest.raises(MachineError, match="disk is full"):
        export(weights, tmp_path / "out.onnx", to="onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.onnx", "out.xml", "out.pt2"])
def test_damaged_files_are_one_sentence(name: str, weights: Path, tmp_path: Path) -> None:
    to = next(one for one, ending in formats.FORMATS.items() if name.endswith(ending))
    path = tmp_path / name
    export(weights, path, to=to)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:20], b"", b"\x00" * 100, b"<html></html>"):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=rf"{name} ") as caught:
            open_exported(path)
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(WeightsError, match="There is no file"):
        open_exported(path)


def test_openvino_without_its_weights(weights: Path, tmp_path: Path) -> None:
    export(weights, tmp_path / "out.xml", to="openvino")
    bin_file = tmp_path / "out.bin"
    bin_file.write_bytes(bin_file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"out\.xml"):
        open_exported(tmp_path / "out.xml").run(np.zeros((1, 48, 52, 3), np.uint8))
    bin_file.unlink()
    with pytest.raises(WeightsError, match=r"out\.xml cannot be read by OpenVINO: .*bin file cannot be found\. Export"):
        open_exported(tmp_path / "out.xml")


def test_somebody_elses_file_says_so(weights: Path, tmp_path: Path) -> None:
    import onnx
    import openvino

    export(weights, tmp_path / "out.onnx", to="onnx")
    model = onnx.load(tmp_path / "out.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    openvino.save_model(openvino.Core().read_model(tmp_path / "other.onnx"), tmp_path / "other.xml")
    for name in ("other.onnx", "other.xml"):
        with pytest.raises(WeightsError, match=rf"{name} was not exported by inceptions"):
            open_exported(tmp_path / name)


def test_metadata_is_read_without_the_weights(weights: Path, tmp_path: Path) -> None:
    import onnx

    export(weights, tmp_path / "out.onnx", to="onnx")
    read = read_metadata(tmp_path / "out.onnx")
    assert read == {one.key: one.value for one in onnx.load(tmp_path / "out.onnx").metadata_props}
    assert About.from_metadata(read, tmp_path).card.classes == NAMES
    with pytest.raises(WeightsError, match="does not say how it is run"):
        About.from_metadata({**read, "inceptions_export": "{}"}, tmp_path)


def test_a_file_that_says_of_itself_what_is_not_so(weights: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    import onnx

    export(weights, tmp_path / "out.onnx", to="onnx")
    read = read_metadata(tmp_path / "out.onnx")
    model = onnx.load(tmp_path / "out.onnx")
    card = json.loads(read["inceptions"])
    card["classes"].append("x")
    card["options"]["num_classes"] = 4
    more = {**read, "inceptions": json.dumps(card)}
    other = {**read, "inceptions_export": read["inceptions_export"].replace('["main"]', '["aux_4a"]')}
    for changed in (more, other):
        assert changed != read
        onnx.helper.set_model_props(model, changed)
        onnx.save(model, tmp_path / "changed.onnx")
        with pytest.raises(WeightsError, match=r"changed\.onnx answers .* and says of itself"):
            open_exported(tmp_path / "changed.onnx").run(pixels)
    with pytest.raises(WeightsError, match="does not say how it is run"):
        About.from_metadata({**read, "inceptions_export": read["inceptions_export"].replace('["main"]', '"main"')}, tmp_path)


def test_where_files_go(weights: Path, tmp_path: Path) -> None:
    assert default_output(tmp_path, "openvino") == tmp_path / "weights.xml"
    assert default_output(weights, "onnx") == Path("small.onnx")
    assert default_output("hf:somebody/net", "torch-export") == Path("somebody-net.pt2")


def test_the_command_answers_in_json(weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.xml"
    words = ["export", weights, "--to", "openvino", "-o", output, "--images", photos, "--heads", "aux_4a", "main", "--json"]
    assert execute([str(word) for word in words]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["output"] == str(output)
    assert document["heads"] == ["aux_4a", "main"]
    assert document["parity"]["images"] == 20
    assert document["parity"]["relative_diff"] < 1e-4
    assert "comparing on 20 images" in said.err
