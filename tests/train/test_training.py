"""A whole run in this process: what it leaves, what it refuses, and what it does when something goes wrong."""

from __future__ import annotations

import errno
import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import victim
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from inceptions.data import Splits, open_data
from inceptions.errors import DataError, DivergedError, Interrupted, MachineError, UsageError
from inceptions.recipe import Optim, Schedule, override
from inceptions.train import loop, read_manifest, step
from inceptions.train.progress import Silent
from inceptions.train.run import checkpoint
from inceptions.train.run.checkpoint import found
from inceptions.train.step import dropout_seed
from inceptions.weights import load_model


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch) -> None:
    monkeypatch.setattr(loop, "draw_history", lambda rows, folder: None)


def test_a_run_and_what_it_says_of_itself(tmp_path) -> None:
    heard = Heard()
    before = torch.random.get_rng_state()
    outcome = victim.go(tmp_path / "run", reporter=heard, checkpoint_every=60, precision="fp32")
    assert torch.equal(torch.random.get_rng_state(), before)

    rows = [json.loads(line) for line in (outcome.run / "metrics.jsonl").read_text().splitlines()]
    assert [list(row) for row in rows] == [["epoch", "step", "split", "loss", "accuracy", "lr", "seconds", "data_wait"]] * 6
    assert [(row["epoch"], row["step"], row["split"]) for row in rows] == [
        (epoch, 4 * epoch, split) for epoch in (1, 2, 3) for split in ("train", "validation")
    ]
    assert [row["lr"] for row in rows[::2]] == [victim.RECIPE.learning_rate(step, 4) for step in (3, 7, 11)]
    assert rows[-1]["seconds"] <= outcome.seconds

    best = max(rows[1::2], key=lambda row: (row["accuracy"], -row["loss"]))
    assert (outcome.best_epoch, outcome.accuracy, outcome.loss) == (best["epoch"], best["accuracy"], best["loss"])
    assert (outcome.epochs, outcome.steps) == (3, 12)
    assert outcome.images_per_second > 0

    assert heard.lines[0] == "32 training and 16 validation images of 10 classes."
    assert "cpu, fp32" in heard.lines[1]
    assert sum(line.startswith("epoch ") for line in heard.lines) == 3
    manifest = read_manifest(outcome.run)
    assert (manifest.model, manifest.variant, manifest.precision, manifest.images) == ("googlenet", "bn", "fp32", (32, 16))
    assert manifest.recipe == victim.RECIPE


def test_the_saved_weights_give_the_validated_answers(tmp_path) -> None:
    outcome = victim.go(tmp_path / "run", precision="fp32", checkpoint_every=60)
    network, card = load_model(outcome.run)
    assert card.classes == tuple("0123456789")
    assert card.preprocess == victim.RECIPE.preprocess
    assert card.provenance["validation_accuracy"] == outcome.accuracy
    from inceptions.data import evaluation_batches
    from inceptions.train import validate

    held = victim.small_splits().validation
    answers = validate(network, evaluation_batches(held, card.preprocess, batch_size=5), card.preprocess)
    assert answers.accuracy == outcome.accuracy
    torch.testing.assert_close(outcome.answers.logits, answers.logits)
    assert outcome.answers.labels.equal(answers.labels)
    assert answers.loss == pytest.approx(outcome.loss, rel=1e-4)


def test_it_learns(tmp_path) -> None:
    digits = open_data("digits")
    splits = Splits(
        name="two digits",
        classes=("0", "1"),
        train=digits.train.subset([i for i, label in enumerate(digits.train.labels) if label < 2][:96]),
        validation=digits.validation.subset([i for i, label in enumerate(digits.validation.labels) if label < 2][:40]),
    )
    # Of eight seeds each, in two orders of rounding, the worst reaches 0.875 after six epochs and 0.95 after eight.
    recipe = replace(
        victim.RECIPE, epochs=8, start_size=None, ema=None, optim=Optim(lr=5e-3), schedule=Schedule(warmup_epochs=1)
    )
    outcome = loop_train(splits, recipe, tmp_path / "run")
    assert outcome.accuracy >= 0.9
    assert outcome.rows[-2].loss < outcome.rows[0].loss


def loop_train(splits, recipe, run, **options):
    from inceptions.train import train

    torch.set_num_threads(1)
    return train(splits, recipe, run=run, width=0.1, workers=0, device="cpu", precision="fp32", **options)


def test_a_single_image_left_over_joins_the_batch_before(tmp_path) -> None:
    # 32 images in batches of 31: batch norm could not learn from the last one alone.
    recipe = replace(victim.RECIPE, batch_size=31, epochs=1)
    outcome = victim.go(tmp_path / "run", recipe=recipe, checkpoint_every=60)
    assert outcome.steps == 1
    assert outcome.rows[0].split == "train"


def test_without_weight_there_are_no_auxiliary_heads(tmp_path) -> None:
    recipe = replace(victim.RECIPE, aux_weight=0, epochs=1)
    outcome = victim.go(tmp_path / "run", recipe=recipe, checkpoint_every=60)
    assert not [name for name in load_file(outcome.run / "weights.safetensors") if name.startswith("aux")]


def test_nan_stops_before_the_update(tmp_path, monkeypatch) -> None:
    real = step.objective
    calls = 0

    def poisoned(heads, labels, **options):
        nonlocal calls
        calls += 1
        return real(heads, labels, **options) * (math.nan if calls == 6 else 1)

    monkeypatch.setattr(step, "objective", poisoned)
    run = tmp_path / "run"
    with pytest.raises(DivergedError) as caught:
        victim.go(run, precision="fp32")
    message = str(caught.value)
    assert "the loss is nan in step 6 (epoch 2)" in message
    assert f"learning rate of {victim.RECIPE.learning_rate(5, 4):.3g}" in message
    assert message.count("digit-") == 5
    assert message.endswith("and 3 more, all in diverged.json.")
    said = json.loads((run / "diverged.json").read_text())
    assert len(set(said["images"])) == victim.RECIPE.batch_size
    assert all(name in said["images"] for name in re.findall(r"digit-\d+", message))
    assert (said["step"], said["epoch"], said["loss"], said["gradient_norm"]) == (6, 2, "nan", "nan")
    assert float(said["parameter_norm"]) > 0
    assert f"of the weights {float(said['parameter_norm']):.3g}" in message
    # The newest checkpoint is that of step 5, and its weights are numbers.
    newest = found(run / "checkpoints")[0]
    assert newest.name == "step-00000005.safetensors"
    assert all(tensor.isfinite().all() for tensor in load_file(newest).values())
    # What was best before is there, and the run can go on once the reason is gone.
    assert (run / "weights.safetensors").exists()
    monkeypatch.setattr(step, "objective", real)
    assert victim.go(run, resume=True).steps == 12


def test_the_best_weights_before_the_divergence_are_saved(tmp_path, monkeypatch) -> None:
    real = step.objective
    calls = 0

    def poisoned(heads, labels, **options):
        nonlocal calls
        calls += 1
        return real(heads, labels, **options) * (math.inf if calls == 10 else 1)

    monkeypatch.setattr(step, "objective", poisoned)
    with pytest.raises(DivergedError, match="the loss is inf in step 10"):
        victim.go(tmp_path / "run", checkpoint_every=1e6)
    _, card = load_model(tmp_path / "run")
    assert card.provenance["epoch"] in (1, 2)


def test_a_rate_without_measure_diverges(tmp_path) -> None:
    recipe = replace(victim.RECIPE, ema=None, optim=Optim(kind="sgd", lr=1e30), schedule=Schedule(kind="constant"))
    with pytest.raises(DivergedError, match="Training diverged"):
        victim.go(tmp_path / "run", recipe=recipe, checkpoint_every=60)


@pytest.mark.parametrize("which", [1, 3])
def test_a_full_disk_stops_the_run_and_leaves_it_resumable(tmp_path, monkeypatch, which) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    victim.go(whole)
    real = checkpoint.save_tensors
    calls = 0

    def full(path: Path, tensors, metadata) -> None:
        nonlocal calls
        calls += 1
        if calls == which:
            path.write_bytes(b"half a file")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, tensors, metadata)

    monkeypatch.setattr(checkpoint, "save_tensors", full)
    with pytest.raises(MachineError, match="disk is full"):
        victim.go(run)
    assert not [path for path in run.rglob("*") if path.name.endswith(".partial")]
    victim.go(run, resume=True)
    assert (run / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()


def test_a_folder_that_cannot_be_written_is_refused_before_any_image_is_read(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("inceptions.train.session.Feed", None)
    with pytest.raises(MachineError, match="is a file, not a folder"):
        victim.go(tmp_path / "file" / "run")


def test_a_folder_with_a_run_is_refused(tmp_path) -> None:
    recipe = replace(victim.RECIPE, epochs=1)
    victim.go(tmp_path / "run", recipe=recipe, checkpoint_every=60)
    with pytest.raises(UsageError, match="already holds a run"):
        victim.go(tmp_path / "run", recipe=recipe)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "googlnet"}, "Did you mean 'googlenet'"),
        ({"variant": "v9"}, "Unknown variant"),
        ({"device": "gpu"}, "Unknown device"),
        ({"precision": "fp8"}, "Unknown precision"),
        ({"workers": -1}, "workers must be"),
        ({"width": 0.0}, "width must be"),
        ({"checkpoint_every": -1.0}, "checkpoint_every must be"),
        ({"checkpoint_every": math.nan}, "checkpoint_every must be"),
        ({"recipe": override(victim.RECIPE, ["start_size=8"])}, "at least 15 pixels a side, and the recipe small shows it 8"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_no_folder(tmp_path, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        victim.go(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def photos(tmp_path) -> Path:
    for part, count in (("train", 12), ("validation", 4)):
        for label in ("cat", "dog"):
            folder = tmp_path / "photos" / part / label
            folder.mkdir(parents=True)
            for i in range(count):
                colour = (200, 20 * i, 0) if label == "cat" else (0, 20 * i, 200)
                Image.new("RGB", (40, 32), colour).save(folder / f"{i}.png")
    return tmp_path / "photos"


def test_unreadable_images_are_named_and_left_out(tmp_path, photos) -> None:
    (photos / "train" / "cat" / "3.png").write_bytes(b"<html>not found</html>")
    heard = Heard()
    recipe = replace(victim.RECIPE, epochs=1, view=replace(victim.RECIPE.view, resize="shorter_side"))
    outcome = loop_train(open_data(photos), recipe, tmp_path / "run", reporter=heard)
    said = "\n".join(heard.lines)
    assert "1 training image cannot be read" in said
    assert "cat/3.png" in said
    assert read_manifest(outcome.run).images == (23, 8)


def test_too_many_unreadable_images_are_refused(tmp_path, photos) -> None:
    for i in range(6):
        (photos / "train" / "cat" / f"{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match="6 of 24"):
        loop_train(open_data(photos), victim.RECIPE, tmp_path / "run")


def test_other_images_are_not_the_same_run(tmp_path, photos) -> None:
    recipe = replace(victim.RECIPE, epochs=1)
    loop_train(open_data(photos), recipe, tmp_path / "run")
    (photos / "train" / "cat" / "0.png").rename(photos / "train" / "cat" / "a.png")
    with pytest.raises(UsageError, match="other files or labels"):
        loop_train(open_data(photos), recipe, tmp_path / "run", resume=True)


def test_stopped_while_the_images_are_read(tmp_path, photos, monkeypatch) -> None:
    monkeypatch.setattr("inceptions.train.interrupts.Interrupts.__enter__", stopped_already)
    with pytest.raises(Interrupted, match="SIGTERM while the images were looked at"):
        loop_train(open_data(photos), victim.RECIPE, tmp_path / "run")


def stopped_already(interrupts):
    interrupts.requested = "SIGTERM"
    return interrupts


def test_dropout_has_a_seed_for_every_step_of_every_run() -> None:
    seeds = {dropout_seed(seed, step) for seed in (0, 1, 2**31 - 1) for step in range(1000)}
    assert len(seeds) == 3000
    drop = nn.Dropout(0.5)
    drawn = []
    for number in (1, 2, 1):
        torch.manual_seed(dropout_seed(0, number))
        drawn.append(drop(torch.ones(64)))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
