"""Foreign files opened and converted: what is used, asked, refused and said. Small widths do not exist there, so few files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import inceptions
from inceptions.architecture import Options
from inceptions.cli import execute
from inceptions.errors import UsageError, WeightsError
from inceptions.network import create_model
from inceptions.weights import Card, Preprocess, foreign, load_trunk, open_any, save_weights, unsaid
from inceptions.weights.families import onnx
from inceptions.weights.published.catalogue import find
from inceptions.weights.published.checkpoint import Published

CLASSES = 5


@pytest.fixture(scope="module")
def googlenet() -> dict[str, Tensor]:
    """torchvision's GoogLeNet for five classes, without auxiliary heads."""
    torch.manual_seed(0)
    model = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False, num_classes=CLASSES)
    return dict(model.state_dict())


@pytest.fixture
def file(googlenet: dict[str, Tensor], tmp_path: Path) -> Path:
    torch.save(googlenet, tmp_path / "mine.pth")
    return tmp_path / "mine.pth"


def save(tensors: object, path: Path) -> Path:
    torch.save(tensors, path)
    return path


def test_what_a_file_does_not_say_is_asked_for_in_one_sentence(file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_any(file)
    said = str(caught.value)
    assert "torchvision's googlenet (googlenet/bn, with 5 outputs)" in said
    assert "add --preprocess with one of torchvision, imagenet, timm" in said
    assert "torchvision_in1k" in said
    assert "add --classes with a file" in said


def test_a_fine_tuned_file_becomes_ours(file: Path, googlenet: dict[str, Tensor], tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("ant\nbee\ncat\ndog\neel\n")
    opened = open_any(file, preprocess="imagenet", classes=str(names))
    assert opened.card.classes == ("ant", "bee", "cat", "dog", "eel")
    assert opened.card.preprocess == Preprocess.standard(224)
    assert opened.card.provenance["source"]["family"] == "torchvision"
    assert len(opened.card.provenance["source"]["sha256"]) == 64
    assert torch.equal(opened.tensors["conv_1.conv.weight"], googlenet["conv1.conv.weight"])
    assert opened.report is not None
    assert opened.report.used == len(googlenet)
    save_weights(tmp_path / "ours.safetensors", opened.tensors, opened.card)
    assert inceptions.load(tmp_path / "ours.safetensors", device="cpu").classes[1] == "bee"


def test_every_tensor_is_used_once_or_named(googlenet: dict[str, Tensor], tmp_path: Path) -> None:
    asked = {"preprocess": "torchvision", "classes": "numbered"}
    extra = save({**googlenet, "projector.weight": torch.zeros(3)}, tmp_path / "extra.pth")
    with pytest.raises(WeightsError, match=r"1 tensors have no place in it \(projector.weight\). Add --partial"):
        open_any(extra, **asked)
    opened = open_any(extra, partial=True, **asked)
    assert opened.report is not None
    assert opened.report.unexpected == ("projector.weight",)
    less = dict(googlenet)
    del less["inception4c.branch1.bn.bias"]
    cut = save(less, tmp_path / "cut.pth")
    with pytest.raises(
        WeightsError, match=r"missing \(inception4c.branch1.bn.bias\). Add --partial to convert it up to inception_4b"
    ):
        open_any(cut, **asked)
    opened = open_any(cut, partial=True, **asked)
    assert opened.card.options.until == "inception_4b"
    assert opened.card.classes == ()
    assert not any(name.startswith(("main", "inception_4c")) for name in opened.tensors)


def test_a_trunk_needs_no_names_of_classes(file: Path) -> None:
    with pytest.raises(UsageError, match="how images are shown to it") as caught:
        load_trunk(file)
    assert "--classes" not in str(caught.value)
    network, card = load_trunk(file, preprocess="torchvision")
    assert (network.architecture.full_name, card.classes) == ("googlenet/bn", ("0", "1", "2", "3", "4"))


def test_half_precision_is_converted_and_said(googlenet: dict[str, Tensor], tmp_path: Path) -> None:
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in googlenet.items()}
    opened = open_any(save(half, tmp_path / "half.pth"), preprocess="torchvision", classes="numbered")
    assert opened.report is not None
    assert opened.report.converted == {"float16": sum(tensor.is_floating_point() for tensor in googlenet.values())}
    assert opened.tensors["conv_1.conv.weight"].dtype == torch.float32
    assert "converted from float16" in opened.report.text()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda state: state.update({"conv1.bn.bias": torch.full((64,), torch.nan)}), "values that are not finite"),
        (
            lambda state: state.update({"conv1.conv.weight": torch.zeros(64, 3, 5, 5)}),
            r"\[64, 3, 5, 5\] instead of our \[64, 3, 7, 7\]",
        ),
        (lambda state: state.update({"conv1.conv.weight": torch.zeros(64, 3, 7, 7, dtype=torch.int8)}), "quantised"),
    ],
)
def test_broken_values_are_refused(googlenet: dict[str, Tensor], tmp_path: Path, spoil: object, says: str) -> None:
    state = dict(googlenet)
    spoil(state)  # type: ignore[operator]
    with pytest.raises(WeightsError, match=says):
        open_any(save(state, tmp_path / "bad.pth"), preprocess="torchvision", classes="numbered")


def test_a_width_multiplier_is_refused_with_its_reason(tmp_path: Path) -> None:
    from inceptions.weights.families import torchvision as names

    narrow = create_model("googlenet", width=0.5, num_classes=CLASSES, aux=False)
    theirs = names.googlenet(narrow.architecture).to_theirs(narrow.state_dict())
    with pytest.raises(WeightsError, match=r"0\.5 times as wide: a network with a width multiplier"):
        open_any(save(theirs, tmp_path / "narrow.pth"), preprocess="torchvision", classes="numbered")


def test_another_number_of_colours_needs_a_preprocessing_for_it(googlenet: dict[str, Tensor], tmp_path: Path) -> None:
    grey = {**googlenet, "conv1.conv.weight": googlenet["conv1.conv.weight"][:, :1]}
    path = save(grey, tmp_path / "grey.pth")
    with pytest.raises(UsageError, match="takes images of 1 channels"):
        open_any(path, preprocess="torchvision", classes="numbered")
    settings = tmp_path / "grey.json"
    settings.write_text(json.dumps(Preprocess(size=(224, 224), resize_to=256, channels="L", mean=(0.5,), std=(0.5,)).to_dict()))
    assert open_any(path, preprocess=str(settings), classes="numbered").card.options.in_channels == 1


def test_a_file_with_a_published_checksum_needs_no_question(
    googlenet: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(googlenet, tmp_path / "mine.pth")
    known = find("torchvision_in1k", "googlenet")
    digest = foreign._digest(path)
    assert known.checksum is not None
    this = replace(known, outputs=CLASSES, classes="none", checksum=replace(known.checksum, digest=digest[:8]))

    def listed(_network: str | None = None) -> Iterator[Published]:
        yield this

    monkeypatch.setattr(unsaid, "published", listed)
    opened = open_any(path)
    assert opened.report is not None
    assert opened.report.preprocess_why == "mine.pth is the published googlenet.torchvision_in1k"
    assert opened.card.provenance["source"]["published"] == "googlenet.torchvision_in1k"


def test_a_published_checkpoint_by_its_name_needs_no_question(googlenet: dict[str, Tensor], tmp_path: Path) -> None:
    path = save({**googlenet, "fc.weight": torch.zeros(1000, 1024), "fc.bias": torch.zeros(1000)}, tmp_path / "x.pth")
    known = find("torchvision_in1k", "googlenet")
    opened = open_any(path, known=known)
    assert opened.card.preprocess == known.preprocess
    assert opened.card.classes[0] == "tench"


def test_foreign_files_load_without_conversion(googlenet: dict[str, Tensor], tmp_path: Path) -> None:
    state = {**googlenet, "fc.weight": torch.randn(1000, 1024) * 0.1, "fc.bias": torch.zeros(1000)}
    path = save(state, tmp_path / "theirs.pth")
    predictor = inceptions.load(path, device="cpu")
    assert len(predictor.predict(Image.new("RGB", (260, 240), "red"), top=3).top) == 3
    model = inceptions.create_model("googlenet", weights=path, num_classes=4, aux=False)
    assert torch.equal(model.state_dict()["conv_1.conv.weight"], state["conv1.conv.weight"])


def test_files_of_ours_say_everything_themselves(tmp_path: Path) -> None:
    model = create_model("plain_cnn", num_classes=2, width=0.25)
    options = model.architecture.options
    card = Card(architecture="plain_cnn", variant=model.architecture.variant, options=options, classes=("a", "b"),
                preprocess=Preprocess.standard(32))  # fmt: skip
    save_weights(tmp_path / "ours.safetensors", model, card)
    assert open_any(tmp_path / "ours.safetensors").report is None
    with pytest.raises(UsageError, match="says its own preprocess"):
        open_any(tmp_path / "ours.safetensors", preprocess="timm")


def test_the_trunk_of_2015(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = shared / "weights/inception_v3_2015_trunk.safetensors"
    target = tmp_path / "trunk.safetensors"
    assert execute(["convert", str(source), "-o", str(target)]) == 4
    said = capsys.readouterr().err
    for absent in ("mixed_9/tower_1/conv_1/weight", "mixed_10/tower_1/conv_1/weight", "softmax/weight", "--partial"):
        assert absent in said
    assert execute(["convert", str(source), "-o", str(target), "--partial", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["family"], document["architecture"], document["variant"]) == ("graph_2015", "inception_v3", "fid")
    assert document["until"] == "mixed_7a"
    assert len(document["missing"]) == 3
    assert document["unexpected"] == []
    assert document["used"] == 152
    graph = load_file(source)
    for path in (source, target):
        network, card = load_trunk(path)
        assert card.classes == ()
        assert card.preprocess.mean == (128 / 255,) * 3
        assert network.architecture.taps[-1] == "mixed_7a"
        assert torch.equal(network.state_dict()["mixed_7a.branch_2.3x3.conv.weight"], graph["mixed_8/tower_1/conv_3/weight"])
    with pytest.raises(WeightsError, match="has no classifier, only the features of inception_v3/fid"):
        inceptions.load(target)


def test_the_command_converts_and_goes_home(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, home = tmp_path / "ours.safetensors", tmp_path / "home.pth"
    asked = ["--preprocess", "torchvision", "--classes", "numbered"]
    assert execute(["convert", str(file), "-o", str(ours), *asked, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"family", "architecture", "variant", "classes", "preprocess", "used", "missing", "unexpected"} <= set(document)
    assert (document["family"], document["architecture"], document["variant"]) == ("torchvision", "googlenet", "bn")
    assert document["classes"] == CLASSES
    assert execute(["convert", str(ours), "-o", str(home), "--to", "torchvision"]) == 0
    before, after = torch.load(file, weights_only=True), torch.load(home, weights_only=True)
    assert set(before) == set(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    capsys.readouterr()
    assert execute(["convert", str(ours), "-o", str(home), "--to", "torchvison"]) == 2
    assert "Did you mean 'torchvision'?" in capsys.readouterr().err
    assert execute(["convert", str(ours), "-o", str(home), "--to", "keras"]) == 2
    assert "keras has no googlenet/bn" in capsys.readouterr().err
    resnet = save({"layer1.0.conv1.weight": torch.zeros(1)}, tmp_path / "r.pth")
    assert execute(["convert", str(resnet), "-o", str(ours)]) == 4
    assert "is not an Inception: it seems to hold a ResNet" in capsys.readouterr().err


def test_layers_of_a_graph_in_order_tell_the_network_and_its_pools_the_variant() -> None:
    for variant, counted in (("torchvision", 1), ("tensorflow", 0)):
        model = create_model(f"inception_v3/{variant}", num_classes=3, aux=False, device="meta")
        nodes = [
            {"op": "AveragePool" if pool.kind == "average" else "MaxPool", "inputs": ["x"], "outputs": ["y"],
             "attributes": {"kernel_shape": [3, 3], "strides": [pool.stride] * 2,
                            "count_include_pad": counted if pool.kind == "average" else 0}}
            for pool in onnx._pools(model.architecture)
        ]  # fmt: skip
        options = Options(num_classes=3, aux=False)
        declared = {
            kind: inceptions.declare(f"inception_v3/{kind}", None, options) for kind in ("torchvision", "tensorflow", "fid")
        }
        wrong = {kind: onnx.disagreement(one, nodes) for kind, one in declared.items()}
        assert wrong[variant] == 0
        assert min(wrong[kind] for kind in wrong if kind != variant) > 0


@pytest.mark.slow
@pytest.mark.parametrize("exporter", ["dynamo", "script"])
@pytest.mark.filterwarnings("ignore")
def test_onnx_files_of_torch(tmp_path: Path, exporter: str) -> None:
    torch.manual_seed(1)
    model = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False, num_classes=7)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    x = torch.randn(1, 3, 224, 224)
    path = tmp_path / "model.onnx"
    torch.onnx.export(model.eval(), (x,), path, dynamo=exporter == "dynamo", external_data=False)
    opened = open_any(path, preprocess="torchvision", classes="numbered")
    assert opened.card.architecture == "googlenet"
    ours = inceptions.create_model("googlenet", num_classes=7, aux=False).eval()
    ours.load_state_dict(opened.tensors)
    with torch.inference_mode():
        theirs = model(x)
        assert ((ours(x) - theirs).abs().max() / theirs.abs().max()).item() <= 1e-4


def test_nothing_written_is_a_pickle_of_ours(file: Path, tmp_path: Path) -> None:
    opened = open_any(file, preprocess="torchvision", classes="numbered")
    save_weights(tmp_path / "a.safetensors", opened.tensors, opened.card)
    assert set(load_file(tmp_path / "a.safetensors")) == set(opened.tensors)
    assert np.isfinite(opened.tensors["main.logits.linear.weight"].numpy()).all()
