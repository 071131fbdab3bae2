"""One update's gradient: whole or in parts, kept or computed twice, with classes of unequal weight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import victim
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from inceptions.data import Batch
from inceptions.errors import UsageError
from inceptions.network import create_model
from inceptions.recipe import override
from inceptions.train.machine import start
from inceptions.train.optim import optimiser
from inceptions.train.optim.balance import class_weights, effect
from inceptions.train.optim.loss import objective
from inceptions.train.optim.rearrange import rearrange
from inceptions.train.optim.recompute import recompute
from inceptions.train.run.checkpoint import Counters, State
from inceptions.train.step import OutOfMemory, Step, cut, dropout_seed, is_out_of_memory
from inceptions.train.team import Team

CPU = torch.device("cpu")
RECIPE = replace(victim.RECIPE, ema=None, dropout=0.0, label_smoothing=0.1)


def a_step(recipe=RECIPE, *, variant: str = "paper", forget: bool = False, weights=None) -> Step:
    """Put together as `Session` does it."""
    network = create_model("googlenet", variant=variant, num_classes=10, width=0.1, depth=0.4, seed=1).to(
        memory_format=torch.channels_last
    )
    if recipe.dropout is not None:
        network.set_dropout(recipe.dropout)
    state = State(network=network, optimiser=optimiser.build(network, recipe.optim), average=None, counters=Counters())
    rearrange(network)
    if forget:
        recompute(network)
    accelerator = start(CPU, "fp32")
    return Step(recipe, state, accelerator=accelerator, team=Team(accelerator), classes=10, class_weights=weights)


def a_batch(n: int = 8) -> Batch:
    pixels = torch.randint(0, 256, (n, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))
    return Batch(pixels.permute(0, 3, 1, 2), torch.arange(n) % 10, list(range(n)))


def gradients(step: Step) -> dict[str, torch.Tensor]:
    return {name: parameter.grad.clone() for name, parameter in step.state.network.named_parameters()}


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_parts_add_up_to_the_whole(parts) -> None:
    whole, split = a_step(), a_step(replace(RECIPE, accumulate=parts))
    one, other = whole.gradients(a_batch(), 8), split.gradients(a_batch(), 8)
    assert other.loss == pytest.approx(one.loss, rel=1e-5)
    assert other.objective == pytest.approx(one.objective, rel=1e-5)
    assert other.norm == pytest.approx(one.norm, rel=1e-4)
    assert (other.images, other.correct) == (one.images, one.correct)
    for name, gradient in gradients(whole).items():
        torch.testing.assert_close(gradients(split)[name], gradient, atol=1e-5, rtol=1e-3)


def test_batch_norm_sees_each_part_alone() -> None:
    whole, split = a_step(variant="bn"), a_step(replace(RECIPE, accumulate=2), variant="bn")
    assert whole.gradients(a_batch(), 8).loss != pytest.approx(split.gradients(a_batch(), 8).loss, rel=1e-5)


@given(n=st.integers(1, 100), parts=st.integers(1, 100))
def test_parts_are_a_partition_into_two_images_or_more(n, parts) -> None:
    slices = cut(n, parts)
    assert [i for part in slices for i in range(n)[part]] == list(range(n))
    assert len(slices) <= parts
    assert all(part.stop - part.start >= min(2, n) for part in slices)


def test_a_part_needs_two_images() -> None:
    with pytest.raises(UsageError, match=r"accumulate \(5\) must leave each part two images"):
        override(victim.RECIPE, ["accumulate=5"])


@pytest.mark.parametrize("variant", ["paper", "bn"])
def test_computing_twice_changes_nothing(variant) -> None:
    """Gradients to the bit, dropout drawn alike, and batch norm's statistics moved once."""
    recipe = replace(RECIPE, dropout=0.4)
    kept, forgotten = a_step(recipe, variant=variant), a_step(recipe, variant=variant, forget=True)
    for step in (kept, forgotten):
        step.gradients(a_batch(), 8)
    for name, gradient in gradients(kept).items():
        assert torch.equal(gradients(forgotten)[name], gradient), name
    for step in (kept, forgotten):
        step.update(0.1)
    before, after = (step.state.network.state_dict() for step in (kept, forgotten))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_computing_twice_keeps_less() -> None:
    def saved(step: Step) -> int:
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: (sizes.append(x.numel()), x)[1], lambda x: x):
            step.module(torch.zeros(8, 3, 64, 64))
        return sum(sizes)

    assert saved(a_step(variant="bn", forget=True)) < saved(a_step(variant="bn")) / 2


def test_weights_make_classes_equal() -> None:
    labels = [0] * 6 + [1] * 3 + [2]
    weights = class_weights(labels, 4)
    assert weights.tolist() == pytest.approx([10 / 18, 10 / 9, 10 / 3, 0.0])
    shares = [sum(float(weights[label]) for label in labels if label == one) for one in range(3)]
    assert shares == pytest.approx([10 / 3] * 3), "each class has the same share"
    from sklearn.utils.class_weight import compute_class_weight

    assert weights[:3].tolist() == pytest.approx(compute_class_weight("balanced", classes=np.arange(3), y=labels))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weighted_losses(smoothing) -> None:
    logits, labels = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 1, 2, 2, 2])
    weights = torch.tensor([1.0, 3.0, 0.5])
    ours = objective({"main": logits}, labels, aux_weight=0, label_smoothing=smoothing, class_weights=weights)
    each = cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(ours, (weights[labels] * each).sum() / 6)
    shares = torch.nn.functional.one_hot(labels, 3).float()
    mixed = objective({"main": logits}, shares, aux_weight=0, label_smoothing=smoothing, class_weights=weights)
    torch.testing.assert_close(mixed, ours)


def test_a_step_takes_the_weights() -> None:
    batch = a_batch()
    plain, weighted = a_step(), a_step(weights=torch.full((10,), 2.0))
    one, two = plain.gradients(batch, 8), weighted.gradients(batch, 8)
    assert two.objective == pytest.approx(2 * one.objective, rel=1e-5)
    assert two.loss == pytest.approx(one.loss, rel=1e-6), "what is reported is not weighted"


@pytest.mark.parametrize(
    ("balance", "labels", "says"),
    [
        ("none", [0, 0, 1], ""),
        ("none", [0] * 30 + [1] * 10, "cat has 10 training images, ant 30. --balance sampler"),
        ("loss", [0] * 30 + [1] * 10, "in the loss each counts 2.00 and 0.67"),
        ("sampler", [0] * 30 + [1] * 10, "shown 2.00 and 0.67 times an epoch, so that every class is shown 20 times"),
        ("loss", [0, 1], "balance=loss changes nothing: every class has 1 images"),
        ("none", [0, 1], ""),
    ],
)
def test_the_effect_of_balance_is_said(balance, labels, says) -> None:
    said = effect(replace(victim.RECIPE, balance=balance), labels, ("ant", "cat"))
    assert says in said
    assert bool(said) == bool(says)


def test_no_memory_is_said_with_what_helps(monkeypatch) -> None:
    def full(*arguments, **options):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")

    step = a_step()
    monkeypatch.setattr("inceptions.train.step.objective", full)
    with pytest.raises(OutOfMemory, match=r"does not suffice for 8 images of 32 pixels .* Try --batch auto"):
        step.gradients(a_batch(), 8)
    assert is_out_of_memory(torch.OutOfMemoryError("x"))
    assert not is_out_of_memory(RuntimeError("shape"))


def test_dropout_has_a_seed_for_every_step_of_every_run_and_process() -> None:
    seeds = {dropout_seed(seed, step, rank) for seed in (0, 1, 2**31 - 1) for step in range(500) for rank in range(4)}
    assert len(seeds) == 6000
