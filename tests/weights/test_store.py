"""Our weight file: what goes in comes out, and nothing else is let in."""

from __future__ import annotations

import errno
import json
import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inceptions.architecture import Options
from inceptions.errors import MachineError, WeightsError
from inceptions.network import Network, create_model
from inceptions.weights import Card, Preprocess, load_model, read_weights, save_weights, store

OPTIONS = Options(num_classes=3, width=0.1)


@pytest.fixture
def model() -> Network:
    return create_model("googlenet", num_classes=3, width=0.1, seed=0)


@pytest.fixture
def card() -> Card:
    return Card(
        architecture="googlenet",
        variant="bn",
        options=OPTIONS,
        classes=("cat", "dög", "<script>"),
        preprocess=Preprocess.standard(64),
        provenance={"recipe": "scratch", "accuracy": 0.5},
        licence="Apache-2.0",
    )


@pytest.fixture
def file(tmp_path: Path, model: Network, card: Card) -> Path:
    save_weights(tmp_path / "weights.safetensors", model, card)
    return tmp_path / "weights.safetensors"


def test_round_trip(file: Path, model: Network, card: Card) -> None:
    loaded, found = load_model(file)
    assert found == card
    assert not loaded.training
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


def test_a_run_folder_stands_for_its_best_weights(file: Path, card: Card) -> None:
    assert read_weights(file.parent)[1] == card


def test_equal_content_gives_equal_bytes(file: Path, tmp_path: Path, model: Network, card: Card) -> None:
    save_weights(tmp_path / "again.safetensors", model, card)
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


def test_a_full_disk_keeps_the_old_file(file: Path, model: Network, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise store.SafetensorError(f"I/O error: No space left on device (os error {errno.ENOSPC})")

    monkeypatch.setattr(store, "save_file", full)
    with pytest.raises(MachineError, match="disk is full"):
        save_weights(file, model, card)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("size", [0, 5, 8, 400, 20_000])
def test_cut_off_files_are_refused(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(WeightsError, match=re.escape(file.name)):
        load_model(file)


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><html><body>Not found</body></html>",
        b"\x80\x04\x95pickle" * 9,
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 4) + b"none",
        struct.pack("<Q", 100_000) + b"[" * 100_000,
        struct.pack("<Q", 2) + b"{}",
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match=r"x\.safetensors"):
        read_weights(tmp_path / "x.safetensors")


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weight file"):
        load_model(tmp_path / "nothing.safetensors")
    with pytest.raises(WeightsError, match=r"holds no weights\.safetensors"):
        load_model(tmp_path)


def test_safetensors_of_somebody_else_are_refused(tmp_path: Path) -> None:
    save_file({"conv.weight": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="not written by inceptions"):
        read_weights(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda state: state.pop("conv_1.conv.weight"), "conv_1.conv.weight is missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "extra is not part of it"),
        (lambda state: state.update({"conv_1.bn.bias": torch.zeros(1)}), r"conv_1.bn.bias is \[1\] instead of \[6\]"),
        (lambda state: state["conv_1.bn.bias"].fill_(torch.nan), "not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path: Path, model: Network, card: Card, spoil, says: str) -> None:
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    spoil(state)
    save_weights(tmp_path / "x.safetensors", state, card)
    with pytest.raises(WeightsError, match=says):
        load_model(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format_version": 2}, "format version 2"),
        ({"architecture": "resnet"}, "network this version does not have"),
        ({"classes": ["one"]}, "names 1 classes for 3 outputs"),
        ({"classes": ["a", "b", "c" * 10_000]}, "not a name"),
        ({"options": {"surprise": 1}}, "does not describe"),
        ({"options": {"num_classes": "3"}}, "num_classes"),
        ({"preprocess": {"size": [64, 64], "resize_to": 1}}, "resize_to"),
        ({"preprocess": {"size": [64, 64], "blur": 1}}, "blur"),
        ({"preprocess": []}, "cannot be read"),
    ],
)
def test_cards_that_make_no_sense_are_explained(tmp_path: Path, model: Network, card: Card, change: dict, says: str) -> None:
    text = json.dumps({**json.loads(card.to_json()), **change})
    save_file(model.state_dict(), tmp_path / "x.safetensors", {"inceptions": text})
    with pytest.raises(WeightsError, match=says):
        load_model(tmp_path / "x.safetensors")


def test_another_networks_tensors_are_refused(tmp_path: Path, model: Network, card: Card) -> None:
    save_weights(tmp_path / "x.safetensors", model, replace(card, variant="paper"))
    with pytest.raises(WeightsError, match="does not fit googlenet/paper"):
        load_model(tmp_path / "x.safetensors")
