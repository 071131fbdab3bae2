"""All chance of the papers' recipes follows from the run's seeds and counters: stopped and resumed, the same to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import victim
from safetensors.torch import load_file

from inceptions.errors import Interrupted
from inceptions.recipe import Recipe, override
from inceptions.train import loop
from inceptions.train.loop import Loop

EVERYTHING = [
    "ema=none",
    "polyak=0.7",
    "dropout=0.3",
    "optim.kind=rmsprop_tf",
    "optim.momentum=0.9",
    "optim.eps=1",
    "augment.crop=random_resized",
    "augment.interpolation=random",
    "augment.colour_order=random",
    "augment.brightness=0.5",
    "augment.contrast=0.5",
    "augment.saturation=0.5",
    "augment.lighting=0.1",
    "augment.randaugment=2",
    "augment.mixup=0.2",
    "augment.cutmix=1",
    "shuffle.kind=within_shards",
    "shuffle.shard=12",
]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch) -> None:
    monkeypatch.setattr(loop, "draw_history", lambda *_, **__: None)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "weights-last.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def changed(*settings: str) -> Recipe:
    return override(victim.RECIPE, [*EVERYTHING, *settings])


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path, monkeypatch) -> None:
    """With two workers, and the undisturbed one with none."""
    whole = victim.go(tmp_path / "whole", recipe=changed(), precision="fp32", checkpoint_every=60, workers=0)
    calls, update = 0, Loop.update

    def counted(self, *batch) -> None:
        nonlocal calls
        calls += 1
        update(self, *batch)
        if calls == 6:
            self.interrupts.requested = "SIGTERM"

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "update", counted)
        with pytest.raises(Interrupted):
            victim.go(tmp_path / "stopped", recipe=changed(), precision="fp32", checkpoint_every=60, workers=2)
    resumed = victim.go(tmp_path / "stopped", recipe=changed(), precision="fp32", checkpoint_every=60, workers=2, resume=True)
    assert same(weights(whole.run), weights(resumed.run))


def test_the_seed_of_the_data_is_that_of_all_but_the_first_weights(tmp_path) -> None:
    runs = {
        name: victim.go(tmp_path / name, recipe=changed("epochs=1", *settings), precision="fp32", checkpoint_every=60).run
        for name, settings in {
            "plain": ["seed=3"],
            "said": ["seed=3", "data_seed=3"],
            "other": ["seed=3", "data_seed=4"],
        }.items()
    }
    assert same(weights(runs["plain"]), weights(runs["said"]))
    assert not same(weights(runs["plain"]), weights(runs["other"]))
