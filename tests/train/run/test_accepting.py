"""Resuming although something has changed: what goes on, what begins anew, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import victim
from safetensors.torch import load_file

from inceptions.errors import DivergedError, UsageError
from inceptions.recipe import Optim, override
from inceptions.train import loop, read_manifest
from inceptions.train.progress import Silent
from inceptions.train.run.accepting import accept


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch) -> None:
    monkeypatch.setattr(loop, "draw_history", lambda rows, folder: None)


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A run that was ended in its sixth update, the second of the second epoch."""
    run, calls, real = tmp_path / "run", 0, loop.Loop.update

    def failing(self, *arguments) -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise DivergedError("here it ends")
        real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "update", failing)
        with pytest.raises(DivergedError, match="here it ends"):
            victim.go(run, precision="fp32")
    return run


def test_a_changed_recipe_goes_on_at_the_start_of_its_epoch(stopped) -> None:
    heard = Heard()
    changed = override(victim.RECIPE, ["optim.lr=0.001", "batch_size=16", "epochs=4"])
    outcome = victim.go(
        stopped, recipe=changed, precision="fp32", resume=True, accept_changes=True, reporter=heard, checkpoint_every=60
    )
    assert "Changed: optim.lr: 0.002 → 0.001" in heard.lines
    # 5 updates, then the second, third and fourth epoch of two larger batches each.
    assert (outcome.epochs, outcome.steps) == (4, 5 + 3 * 2)
    rates = [row.lr for row in outcome.rows if row.split == "train"]
    assert rates == [victim.RECIPE.learning_rate(3, 4), *(changed.learning_rate(2 * epoch - 1, 2) for epoch in (2, 3, 4))]
    manifest = read_manifest(stopped)
    assert manifest.recipe == changed
    assert "after step 5: batch_size: 8 → 16" in manifest.accepted
    # From now on this is what the run is.
    assert victim.go(stopped, recipe=changed, precision="fp32", resume=True).steps == outcome.steps
    with pytest.raises(UsageError, match=r"optim\.lr: 0\.001 → 0\.002"):
        victim.go(stopped, precision="fp32", resume=True)


def test_scores_on_other_images_are_not_compared(stopped) -> None:
    heard = Heard()
    options = {"splits": victim.small_splits(24, 12), "precision": "fp32", "resume": True}
    with pytest.raises(UsageError, match=r"images: \[32, 16\] → \[24, 12\]"):
        victim.go(stopped, **options)
    outcome = victim.go(stopped, **options, accept_changes=True, reporter=heard)
    assert any("the best epoch is looked for anew" in line for line in heard.lines)
    assert outcome.best_epoch > 1


def test_another_optimiser_begins_anew_and_a_new_average_with_the_weights(stopped) -> None:
    heard = Heard()
    changed = replace(victim.RECIPE, optim=Optim(kind="sgd", lr=0.01), polyak=0.5, ema=None)
    outcome = victim.go(stopped, recipe=changed, precision="fp32", resume=True, accept_changes=True, reporter=heard)
    assert "The optimiser is of another kind and begins anew." in heard.lines
    newest = load_file(sorted((outcome.run / "checkpoints").iterdir())[-1])
    assert not [name for name in newest if name.startswith("optimiser/")], "plain SGD remembers nothing"
    assert [name for name in newest if name.startswith("average/")]


def test_without_changes_nothing_is_special(stopped, tmp_path) -> None:
    victim.go(stopped, precision="fp32", resume=True, accept_changes=True)
    victim.go(tmp_path / "whole", precision="fp32")
    name = "weights-last.safetensors"
    assert (stopped / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert read_manifest(stopped).accepted == ()


@pytest.mark.parametrize("difference", ["model: a → b", "options.width: 1 → 2", "options.num_classes: 2 → 3", "trunk: a → b"])
def test_another_network_is_refused(difference) -> None:
    with pytest.raises(UsageError, match="cannot turn a network into another one"):
        accept(["epochs: 1 → 2", difference])


def test_a_changed_network_is_refused_and_nothing_is_touched(stopped) -> None:
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=r"options\.width: 0\.1 → 0\.2"):
        victim.go(stopped, width=0.2, precision="fp32", resume=True, accept_changes=True)
    assert {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()} == before


def test_a_run_that_is_over_cannot_be_judged_anew(tmp_path) -> None:
    recipe = replace(victim.RECIPE, epochs=1)
    victim.go(tmp_path / "run", recipe=recipe, checkpoint_every=60)
    with pytest.raises(UsageError, match="has trained all its epochs"):
        victim.go(tmp_path / "run", recipe=replace(recipe, test_size=48), resume=True, accept_changes=True)
    assert read_manifest(tmp_path / "run").recipe == recipe
