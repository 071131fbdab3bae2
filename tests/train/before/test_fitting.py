"""A batch in as many parts as the memory needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import victim
from safetensors.torch import load_file

from inceptions.architecture import Options, declare
from inceptions.errors import MachineError
from inceptions.train import loop, read_manifest, step
from inceptions.train.before import fitting
from inceptions.train.before.fitting import needed

ARCHITECTURE = declare("googlenet", None, Options(num_classes=10, aux=True, width=0.1, depth=0.4))


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch) -> None:
    monkeypatch.setattr(loop, "draw_history", lambda rows, folder: None)


def test_the_arithmetic_grows_with_images_size_and_average() -> None:
    assert needed(ARCHITECTURE, victim.RECIPE, 4) < needed(ARCHITECTURE, victim.RECIPE, 8)
    assert needed(ARCHITECTURE, replace(victim.RECIPE, image_size=64), 4) > needed(ARCHITECTURE, victim.RECIPE, 4)
    assert needed(ARCHITECTURE, replace(victim.RECIPE, ema=None), 4) < needed(ARCHITECTURE, victim.RECIPE, 4)


@pytest.mark.parametrize(("images", "parts"), [(8, 1), (7, 2), (4, 2), (3, 3), (2, 4)])
def test_as_few_parts_as_fit(tmp_path, monkeypatch, images, parts) -> None:
    """The memory holds so many images, says the arithmetic."""
    recipe = replace(victim.RECIPE, epochs=1, start_size=None)
    monkeypatch.setattr(fitting, "available", lambda device: needed(ARCHITECTURE, recipe, images))
    victim.go(tmp_path / "run", recipe=recipe, fit=True, checkpoint_every=60)
    assert read_manifest(tmp_path / "run").recipe.accumulate == parts


def full_above(images: int, monkeypatch) -> None:
    """Memory for so many images, whatever the arithmetic says."""
    real = step.objective

    def picky(heads, labels, **options):
        if len(labels) > images:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return real(heads, labels, **options)

    monkeypatch.setattr(step, "objective", picky)


def test_what_the_arithmetic_does_not_know_is_tried_out(tmp_path, monkeypatch) -> None:
    """The attempts leave no trace: the weights are those of a run that was told the parts."""
    recipe = replace(victim.RECIPE, epochs=1)
    victim.go(tmp_path / "told", recipe=replace(recipe, accumulate=4), precision="fp32", checkpoint_every=60)
    full_above(2, monkeypatch)
    victim.go(tmp_path / "tried", recipe=recipe, fit=True, precision="fp32", checkpoint_every=60)
    told, tried = (load_file(tmp_path / name / "weights-last.safetensors") for name in ("told", "tried"))
    assert all(told[name].equal(tried[name]) for name in told)
    # Resumed, it keeps its own number, and one can resume without asking.
    victim.go(tmp_path / "tried", recipe=recipe, fit=True, resume=True, precision="fp32")


def test_not_even_two_images(tmp_path, monkeypatch) -> None:
    full_above(1, monkeypatch)
    with pytest.raises(MachineError, match="does not suffice for a step with two images"):
        victim.go(tmp_path / "run", fit=True)
