"""Every family's own container and names, there and back: each tensor bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from inceptions.cli import execute
from inceptions.errors import UsageError, WeightsError
from inceptions.network import Network, create_model
from inceptions.weights import Card, Preprocess, open_any, read_weights, save_weights
from inceptions.weights.containers import read
from inceptions.weights.families.members import MEMBERS, Member
from inceptions.weights.home import ENDINGS, FAMILIES, write_home

WRITTEN = [one for one in MEMBERS if one.family in FAMILIES]
ENDING = {container: ending for ending, container in reversed(ENDINGS.items())}
MAKE_GRAPH = """
import sys, numpy, tensorflow as tf
source, target = sys.argv[1:]
with tf.Graph().as_default() as graph:
    for name, values in numpy.load(source).items():
        tf.constant(values, name=name)
open(target, "wb").write(graph.as_graph_def().SerializeToString())
"""


def trained(member: Member, classes: int) -> Network:
    """The network with statistics as after training, scales of 1 where the family has no place for others."""
    model = create_model(member.network, num_classes=classes, aux=member.aux, seed=1)
    scaled = {pair.ours for pair in member.map().pairs if pair.written}
    generator = torch.Generator().manual_seed(2)
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            if f"{name}.weight" in scaled:
                nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.uniform_(module.bias, -0.5, 0.5, generator=generator)
            nn.init.uniform_(module.running_mean, -1, 1, generator=generator)
            nn.init.uniform_(module.running_var, 0.5, 3, generator=generator)
    return model


def card(model: Network, classes: int) -> Card:
    declared = model.architecture
    return Card(
        architecture=declared.name,
        variant=declared.variant,
        options=declared.options,
        classes=tuple(map(str, range(classes))),
        preprocess=Preprocess.standard(declared.input_size[0]),
    )


@pytest.mark.slow
@pytest.mark.parametrize("member", WRITTEN, ids=lambda one: f"{one.family}-{one.network}")
def test_there_and_back(member: Member, tmp_path: Path) -> None:
    classes = (member.outputs or (1000,))[0]
    model = trained(member, classes)
    path = tmp_path / f"theirs{ENDING[member.container]}"
    written = write_home(path, model.state_dict(), card(model, classes), member.family)
    opened = open_any(path, background="keep", preprocess="tensorflow", classes="numbered")
    assert opened.report is not None
    assert (opened.report.family, f"{opened.card.architecture}/{opened.card.variant}") == (member.family, member.network)
    assert set(read(path).tensors) == set(written)
    state = model.state_dict()
    assert set(opened.tensors) == set(state)
    assert all(torch.equal(opened.tensors[name], state[name]) for name in state)


@pytest.mark.slow
def test_the_frozen_graph_of_2015(tmp_path: Path) -> None:
    member = next(one for one in MEMBERS if one.family == "graph_2015" and one.container == "graphdef")
    model = trained(member, 1008)
    theirs = member.map().to_theirs(model.state_dict())
    np.savez(tmp_path / "constants.npz", **{name: tensor.numpy() for name, tensor in theirs.items()})
    frozen = tmp_path / "classify_image_graph_def.pb"
    subprocess.run(
        [sys.executable, "-c", MAKE_GRAPH, str(tmp_path / "constants.npz"), str(frozen)],
        check=True,
        capture_output=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )
    opened = open_any(frozen)
    assert opened.card.variant == "fid"
    assert opened.card.preprocess.sampling == "corners"
    assert opened.card.classes[1] == "2015 class 1"
    state = model.state_dict()
    assert all(torch.equal(opened.tensors[name], state[name]) for name in state)
    (tmp_path / "imagenet_2012_challenge_label_map_proto.pbtxt").write_text(
        'entry {\n  target_class: 449\n  target_class_string: "n01440764"\n}\n'
    )
    named = open_any(frozen)
    assert named.card.classes == ("tench",)
    assert torch.equal(named.tensors["main.logits.linear.bias"], state["main.logits.linear.bias"][449:450])


@pytest.fixture(scope="module")
def tensorflows() -> tuple[dict[str, Tensor], Card]:
    model = create_model("googlenet/slim", num_classes=2, device="cpu", seed=0)
    return dict(model.state_dict()), card(model, 2)


def test_what_a_family_cannot_hold_is_refused(tensorflows: tuple[dict[str, Tensor], Card], tmp_path: Path) -> None:
    tensors, about = tensorflows
    scaled = {**tensors, "conv_1.bn.weight": tensors["conv_1.bn.weight"] * 2}
    with pytest.raises(WeightsError, match=r"cannot hold conv_1\.bn\.weight"):
        write_home(tmp_path / "x.npz", scaled, about, "slim")
    with pytest.raises(UsageError, match="timm has no googlenet/slim; it has inception_resnet_v2"):
        write_home(tmp_path / "x.npz", tensors, about, "timm")
    with pytest.raises(UsageError, match="Did you mean 'keras'"):
        write_home(tmp_path / "x.npz", tensors, about, "keros")
    assert not list(tmp_path.iterdir())


def test_one_family_s_file_can_go_to_another_s(tensorflows: tuple[dict[str, Tensor], Card], tmp_path: Path) -> None:
    tensors, about = tensorflows
    with pytest.raises(UsageError, match="googlenet/slim but computes otherwise"):
        write_home(tmp_path / "theirs.pth", tensors, about, "torchvision")
    willing = replace(about, variant="bn", options=replace(about.options, aux=False))
    write_home(tmp_path / "theirs.pth", tensors, willing, "torchvision")
    opened = open_any(tmp_path / "theirs.pth", variant="slim", preprocess="tensorflow", classes="numbered")
    assert (opened.card.variant, opened.report is not None and opened.report.family) == ("slim", "torchvision")
    assert all(torch.equal(opened.tensors[name], tensors[name]) for name in tensors)
    save_weights(tmp_path / "ours.safetensors", opened.tensors, opened.card)
    assert open_any(tmp_path / "ours.safetensors").card == opened.card


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """torchvision's GoogLeNet with ten classes, but for its auxiliary heads: what its own tutorial's way of tuning leaves."""
    network = torchvision.models.googlenet(weights=None, init_weights=False, num_classes=1000)
    network.fc = torch.nn.Linear(1024, 10)
    path = tmp_path_factory.mktemp("small") / "tuned.pth"
    torch.save(network.state_dict(), path)
    return path


ASKED = ("--preprocess", "torchvision", "--classes", "numbered")


def test_heads_that_do_not_fit_are_left_out_with_their_counters(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "ours.safetensors"
    assert execute(["convert", str(small), "-o", str(out), *ASKED]) == 0
    _, card = read_weights(out)
    assert (len(card.classes), card.options.aux) == (10, False)


def test_the_file_that_is_read_is_not_written(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = small.read_bytes()
    assert execute(["convert", str(small), "-o", str(small), "--to", "torchvision", *ASKED]) == 2
    assert "it would be lost" in capsys.readouterr().err
    assert small.read_bytes() == before


@pytest.mark.parametrize(("name", "sentence"), [("ours.h5", "call it ours.safetensors"), (".", "is a folder")])
def test_endings_and_folders(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, sentence: str) -> None:
    assert execute(["convert", str(small), "-o", str(tmp_path / name), *ASKED]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_family_that_computes_otherwise_is_refused(tmp_path: Path) -> None:
    network = create_model("inception_v3", aux=False, seed=0)
    card = Card(
        architecture="inception_v3",
        variant="torchvision",
        options=network.architecture.options,
        classes=tuple(map(str, range(1000))),
        preprocess=Preprocess.standard(299),
    )
    with pytest.raises(UsageError, match=r"answers would change\..*--variant tensorflow"):
        write_home(tmp_path / "v3.h5", network.state_dict(), card, "keras")


def test_a_negative_variance_is_damage(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = torch.load(small, weights_only=True)
    state["inception4a.branch1.bn.running_var"][3] = -1
    torch.save(state, tmp_path / "bad.pth")
    assert execute(["convert", str(tmp_path / "bad.pth"), "-o", str(tmp_path / "o.safetensors"), *ASKED]) == 4
    assert "negative variance" in capsys.readouterr().err


def test_a_single_output_is_not_a_choice(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = torch.load(small, weights_only=True)
    state |= {name: state[name][:1] for name in ("fc.weight", "fc.bias")}
    torch.save(state, tmp_path / "sigmoid.pth")
    assert execute(["convert", str(tmp_path / "sigmoid.pth"), "-o", str(tmp_path / "o.safetensors"), *ASKED]) == 4
    assert "a single output" in capsys.readouterr().err
    assert not (tmp_path / "o.safetensors").exists()
