"""Killed at any moment and resumed, a run ends with the very same weights as one that never stopped."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import victim
from safetensors.torch import load_file

from inceptions.errors import UsageError
from inceptions.recipe import Optim, Schedule, override
from inceptions.train.run.job import is_finished

# Each process is forked from one that has everything imported and has computed nothing yet.
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["inceptions.train"])
STOPPED = 75


def run_process(run: Path, *, place: str | None = None, number: int = 0, death=signal.SIGKILL, **options) -> int:
    process = FRESH.Process(target=victim.process, args=(run, options, place, number, death))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def history(run: Path) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in ("seconds", "data_wait")} for row in rows]


def assert_same_end(run: Path, undisturbed: Path) -> None:
    """Weight files equal to the byte, the same history, and nothing left lying about."""
    for name in ("weights.safetensors", "weights-last.safetensors"):
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes(), name
    assert history(run) == history(undisturbed)
    assert [row["epoch"] for row in history(run)] == [1, 1, 2, 2, 3, 3]
    assert not [path for path in run.rglob("*") if path.name.endswith(".partial")]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    assert run_process(run) == 0
    return run


def test_a_run_has_everything_in_its_folder(undisturbed) -> None:
    files = {str(path.relative_to(undisturbed)) for path in undisturbed.rglob("*") if path.is_file()}
    assert files == {
        "recipe.toml",
        "metrics.jsonl",
        "weights.safetensors",
        "weights-last.safetensors",
        "plots/accuracy.png",
        "plots/loss.png",
        "checkpoints/step-00000011.safetensors",
        "checkpoints/step-00000012.safetensors",
    }


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("update", 1),
        ("update", 3),
        ("update", 5),  # the first of the second epoch
        ("update", 12),  # the last of all
        ("validation", 2),
        ("history", 1),
        ("history", 3),
        ("checkpoint", 5),
        # While some file is being put in its place: the recipe, weights, a checkpoint, the history, ...
        *(("rename", number) for number in (3, 7, 14, 23)),
    ],
)
def test_killed_and_resumed(tmp_path, undisturbed, place, number) -> None:
    run = tmp_path / "run"
    assert run_process(run, place=place, number=number) == -signal.SIGKILL
    assert run_process(run, resume=True) == 0
    assert_same_end(run, undisturbed)


def test_killed_again_and_again(tmp_path, undisturbed) -> None:
    run = tmp_path / "run"
    # Always two steps further than the last checkpoint.
    assert run_process(run, place="update", number=2) == -signal.SIGKILL
    deaths = 0
    while run_process(run, resume=True, place="update", number=3) == -signal.SIGKILL:
        deaths += 1
        assert deaths < 12
    assert deaths == 5
    assert_same_end(run, undisturbed)


def test_without_a_checkpoint_it_starts_again(tmp_path, undisturbed) -> None:
    run = tmp_path / "run"
    assert run_process(run, place="update", number=7, checkpoint_every=1e6) == -signal.SIGKILL
    assert not (run / "checkpoints").exists()
    assert run_process(run, resume=True, checkpoint_every=1e6) == 0
    assert_same_end(run, undisturbed)


def test_neither_workers_nor_checkpoints_change_the_weights(tmp_path, undisturbed) -> None:
    run = tmp_path / "run"
    assert run_process(run, workers=2, place="update", number=6, checkpoint_every=0.0) == -signal.SIGKILL
    assert run_process(run, workers=1, resume=True, checkpoint_every=1e6) == 0
    assert_same_end(run, undisturbed)


@pytest.mark.parametrize(
    ("place", "number", "death"),
    [
        ("update", 1, signal.SIGTERM),
        ("update", 6, signal.SIGTERM),
        ("update", 6, signal.SIGINT),
        ("validation", 2, signal.SIGTERM),
        ("checkpoint", 4, signal.SIGTERM),
    ],
)
def test_asked_to_stop_and_resumed(tmp_path, undisturbed, place, number, death) -> None:
    run = tmp_path / "run"
    # No checkpoint but the one that the signal causes; for the place "checkpoint" itself there must be some.
    options = {} if place == "checkpoint" else {"checkpoint_every": 1e6}
    assert run_process(run, place=place, number=number, death=death, **options) == STOPPED
    message = (tmp_path / "message").read_text()
    assert f"Stopped by {death.name} after " in message
    assert message.endswith(f"inceptions train --resume --run {run}")
    assert run_process(run, resume=True, **options) == 0
    assert_same_end(run, undisturbed)


def test_a_damaged_checkpoint_costs_one_step(tmp_path, undisturbed) -> None:
    run = tmp_path / "run"
    assert run_process(run, place="update", number=8) == -signal.SIGKILL
    newest = run / "checkpoints" / "step-00000007.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    assert run_process(run, resume=True) == 0
    assert_same_end(run, undisturbed)


def test_a_finished_run_has_nothing_left_to_do(tmp_path, undisturbed) -> None:
    run = tmp_path / "run"
    first = victim.go(run, precision="fp32")
    before = {path: path.read_bytes() for path in run.glob("*.safetensors")}
    again = victim.go(run, resume=True, precision="fp32")
    assert {path: path.read_bytes() for path in run.glob("*.safetensors")} == before
    assert (again.accuracy, again.best_epoch, again.steps) == (first.accuracy, first.best_epoch, victim.EPOCHS * victim.STEPS)


@pytest.mark.parametrize(
    "recipe",
    [
        replace(victim.RECIPE, ema=None, optim=Optim(kind="sgd", lr=0.01, momentum=0.9), schedule=Schedule(kind="constant")),
        replace(victim.RECIPE, steps_per_epoch=3, batch_size=5, optim=Optim(kind="rmsprop", lr=1e-4, alpha=0.9, eps=1e-7)),
        replace(victim.RECIPE, accumulate=3, balance="loss", augment=replace(victim.RECIPE.augment, mixup=0.2)),
        replace(victim.RECIPE, accumulate=2, balance="sampler"),
    ],
    ids=["sgd without average", "rmsprop and epochs of three steps", "parts, mixup and weights", "parts and balanced order"],
)
def test_other_recipes_resume_as_well(tmp_path, recipe) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run_process(whole, recipe=recipe) == 0
    assert run_process(broken, recipe=recipe, place="update", number=5) == -signal.SIGKILL
    assert run_process(broken, recipe=recipe, resume=True) == 0
    assert_same_end(broken, whole)


def test_bf16_resumes_as_well(tmp_path) -> None:
    """With parts, an average and a worker besides."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    recipe = replace(victim.RECIPE, accumulate=2)
    assert run_process(whole, recipe=recipe, precision="bf16") == 0
    killed = run_process(broken, recipe=recipe, precision="bf16", workers=1, place="update", number=6)
    assert killed == -signal.SIGKILL
    # The precision is the run's own, whatever this machine would choose.
    assert run_process(broken, recipe=recipe, precision="auto", resume=True) == 0
    assert_same_end(broken, whole)


def test_a_run_out_of_patience_is_over(tmp_path) -> None:
    """The second epoch is no better than the first, at a rate that changes nothing."""
    recipe = replace(
        victim.RECIPE, epochs=9, patience=2, start_size=None, ema=None, optim=Optim(kind="sgd", lr=1e-12), bn_momentum=1e-9
    )
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run_process(whole, recipe=recipe) == 0
    assert [row["epoch"] for row in history(whole)] == [1, 1, 2, 2, 3, 3]
    assert is_finished(whole)
    assert run_process(broken, recipe=recipe, place="update", number=10) == -signal.SIGKILL
    assert not is_finished(broken)
    assert run_process(broken, recipe=recipe, resume=True) == 0
    assert_same_end(broken, whole)
    assert run_process(broken, recipe=recipe, resume=True) == 0, "there is nothing left to do"
    assert_same_end(broken, whole)


def test_another_recipe_is_refused(tmp_path, undisturbed) -> None:
    with pytest.raises(UsageError, match=r"optim\.lr: 0\.002 → 0\.1"):
        victim.go(undisturbed, recipe=override(victim.RECIPE, ["optim.lr=0.1"]), resume=True)
    with pytest.raises(UsageError, match=r"options\.width: 0\.1 → 0\.2"):
        victim.go(undisturbed, width=0.2, resume=True)
    with pytest.raises(UsageError, match="go on with the changes: --accept-changes"):
        victim.go(undisturbed, recipe=override(victim.RECIPE, ["seed=1"]), resume=True)


@pytest.mark.slow
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_forty_deaths_at_random_moments(tmp_path, undisturbed, death) -> None:
    """Between the start of the command and its end, in a run with two workers; each run that gets through is compared."""
    chance = random.Random(0)
    expected = STOPPED if death is signal.SIGTERM else -death
    run, deaths, ends = tmp_path / "run", 0, 0
    run.mkdir()
    while deaths < 40:
        ready = FRESH.Event()
        options = {"workers": 2, "resume": True}
        process = FRESH.Process(target=victim.process, args=(run, options, None, 0, death, ready))
        process.start()
        ready.wait()
        assassin = threading.Timer(chance.uniform(0.0, 2.0), os.kill, (process.pid, death))
        assassin.start()
        process.join()
        assassin.cancel()
        if process.exitcode == 0:
            assert_same_end(run, undisturbed)
            ends += 1
            run = tmp_path / f"run-{ends}"
            run.mkdir()
        else:
            assert process.exitcode == expected
            deaths += 1
    assert run_process(run, resume=True) == 0
    assert_same_end(run, undisturbed)


def test_the_weights_were_trained(undisturbed) -> None:
    best, last = (load_file(undisturbed / name) for name in ("weights.safetensors", "weights-last.safetensors"))
    assert best.keys() == last.keys()
    assert any(not best[name].equal(last[name]) for name in best) or history(undisturbed)[-1]["epoch"] == 3
