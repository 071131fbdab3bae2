"""Checkpoints there and back, damaged, and on a full disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from inceptions.errors import DivergedError, MachineError, WeightsError
from inceptions.network import create_model
from inceptions.recipe import Optim
from inceptions.train.optim import optimiser
from inceptions.train.optim.average import Average
from inceptions.train.run import checkpoint
from inceptions.train.run.checkpoint import Best, Counters, State, found, restore_newest, save

OPTIM = Optim(kind="adamw", lr=0.01, weight_decay=0.1)


def fresh(*, ema: bool = True, seed: int = 0) -> State:
    network = create_model("googlenet", num_classes=2, width=0.1, seed=seed).to(memory_format=torch.channels_last)
    return State(
        network=network,
        optimiser=optimiser.build(network, OPTIM),
        average=Average(network, 0.9) if ema else None,
        counters=Counters(),
    )


def step(state: State) -> None:
    torch.manual_seed(state.counters.step)
    state.optimiser.zero_grad()
    sum(head.square().mean() for head in state.network.heads(torch.randn(2, 3, 32, 32)).values()).backward()
    state.optimiser.step()
    if state.average:
        state.average.update()
    state.counters.step += 1


def same(a: State, b: State) -> bool:
    tensors = [(a.network.state_dict(), b.network.state_dict())]
    if a.average:
        tensors.append((a.average.network.state_dict(), b.average.network.state_dict()))
    tensors.append((optimiser.state_tensors(a.optimiser, a.network), optimiser.state_tensors(b.optimiser, b.network)))
    return a.counters == b.counters and all(
        one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one) for one, other in tensors
    )


@pytest.fixture
def trained() -> State:
    state = fresh()
    for _ in range(2):
        step(state)
    state.counters.epoch, state.counters.batch, state.counters.loss_sum = 1, 2, 0.1 + 0.2
    state.counters.best = Best(epoch=1, accuracy=1 / 3, loss=0.7)
    return state


@pytest.mark.parametrize("ema", [True, False])
def test_there_and_back_and_on(tmp_path, ema) -> None:
    state = fresh(ema=ema)
    step(state)
    save(tmp_path, state)
    other = fresh(ema=ema, seed=1)
    assert restore_newest(tmp_path, other, print)
    assert same(state, other)
    step(state)
    step(other)
    assert same(state, other)


def test_counters_survive_to_the_bit(tmp_path, trained) -> None:
    save(tmp_path, trained)
    other = fresh(seed=1)
    restore_newest(tmp_path, other, print)
    assert other.counters == trained.counters
    assert other.counters.best == Best(epoch=1, accuracy=1 / 3, loss=0.7)


def test_the_last_two_are_kept(tmp_path, trained) -> None:
    for _ in range(4):
        save(tmp_path, trained)
        step(trained)
    assert [path.name for path in found(tmp_path)] == ["step-00000005.safetensors", "step-00000004.safetensors"]


def test_without_a_checkpoint_nothing_is_restored(tmp_path) -> None:
    assert not restore_newest(tmp_path / "none", fresh(), print)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    middle = len(content) * 3 // 4
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def zero_page(content: bytes) -> bytes:
    return content[:-4096] + bytes(4096)


@pytest.mark.parametrize("damage", [cut, flip, zero_page, lambda content: b"", lambda content: b"<html>" + content])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, trained, damage) -> None:
    before = save(tmp_path, trained)
    step(trained)
    newest = save(tmp_path, trained)
    newest.write_bytes(damage(newest.read_bytes()))
    said: list[str] = []
    other = fresh(seed=1)
    assert restore_newest(tmp_path, other, said.append)
    assert other.counters.step == 2
    assert newest.name in said[0]
    assert "the checkpoint before it" in said[0]
    # The damaged one must not be taken for the newest again.
    assert found(tmp_path) == [before]


def test_if_all_are_damaged_it_is_said(tmp_path, trained) -> None:
    for _ in range(2):
        path = save(tmp_path, trained)
        path.write_bytes(cut(path.read_bytes()))
        step(trained)
    with pytest.raises(WeightsError, match="None of the 2 checkpoints"):
        restore_newest(tmp_path, fresh(), lambda line: None)


def test_a_weight_file_is_no_checkpoint(tmp_path, trained) -> None:
    path = tmp_path / "step-00000001.safetensors"
    checkpoint.save_tensors(path, {"a": torch.zeros(1)}, {"format": "something else"})
    with pytest.raises(WeightsError, match="not a checkpoint of this version"):
        checkpoint.restore(path, trained)


def test_a_full_disk_leaves_what_was_there(tmp_path, trained, monkeypatch) -> None:
    before = save(tmp_path, trained)
    content = before.read_bytes()
    step(trained)

    def full(path: Path, tensors, metadata) -> None:
        path.write_bytes(b"half a file")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "save_tensors", full)
    with pytest.raises(MachineError, match="disk is full"):
        save(tmp_path, trained)
    assert [path.name for path in tmp_path.iterdir()] == [before.name]
    assert before.read_bytes() == content


def test_weights_that_are_not_finite_are_not_saved(tmp_path, trained) -> None:
    save(tmp_path, trained)
    with torch.no_grad():
        next(trained.network.parameters())[0, 0, 0, 0] = float("inf")
    trained.counters.step += 1
    with pytest.raises(DivergedError, match="conv_1"):
        save(tmp_path, trained)
    assert len(found(tmp_path)) == 1


@pytest.mark.parametrize(
    ("accuracy", "loss", "wins"), [(0.6, 9.0, True), (0.4, 0.1, False), (0.5, 0.6, True), (0.5, 0.7, False), (0.5, 0.8, False)]
)
def test_the_best_is_more_accurate_or_as_accurate_at_a_lower_loss(accuracy, loss, wins) -> None:
    assert Best(epoch=1, accuracy=0.5, loss=0.7).beaten_by(accuracy, loss) is wins
