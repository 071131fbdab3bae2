"""Every family's own container and names, there and back: each tensor bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inceptions.errors import UsageError, WeightsError
from inceptions.network import Network, create_model
from inceptions.weights import Card, Preprocess, open_any, save_weights
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
    write_home(tmp_path / "theirs.pth", tensors, about, "torchvision")
    opened = open_any(tmp_path / "theirs.pth", variant="slim", preprocess="tensorflow", classes="numbered")
    assert (opened.card.variant, opened.report is not None and opened.report.family) == ("slim", "torchvision")
    assert all(torch.equal(opened.tensors[name], tensors[name]) for name in tensors)
    save_weights(tmp_path / "ours.safetensors", opened.tensors, opened.card)
    assert open_any(tmp_path / "ours.safetensors").card == opened.card
