"""Learning rates against their closed forms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inceptions.errors import UsageError
from inceptions.recipe import Schedule, recipe


def factors(schedule: Schedule, *, steps_per_epoch: int, epochs: int) -> list[float]:
    return [schedule.factor(step, steps_per_epoch=steps_per_epoch, epochs=epochs) for step in range(steps_per_epoch * epochs)]


def test_cosine_with_warmup_is_the_closed_form() -> None:
    got = factors(Schedule(kind="cosine", warmup_epochs=2, floor=0.1), steps_per_epoch=5, epochs=10)
    expected = [(step + 1) / 10 for step in range(10)]
    expected += [0.1 + 0.45 * (1 + math.cos(math.pi * (step - 10) / 40)) for step in range(10, 50)]
    assert got == pytest.approx(expected, abs=1e-15)


def test_exponential_goes_down_in_stairs() -> None:
    got = factors(Schedule(kind="exponential", decay=0.96, every=8), steps_per_epoch=3, epochs=17)
    assert got == pytest.approx([0.96 ** (epoch // 8) for epoch in range(17) for _ in range(3)])


def test_stairs_at_milestones() -> None:
    got = factors(Schedule(kind="steps", decay=0.1, milestones=(2, 3.5)), steps_per_epoch=2, epochs=5)
    assert got == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01])


def test_poly_is_caffes() -> None:
    # base_lr * (1 - iter / max_iter) ^ power
    got = factors(Schedule(kind="poly", power=0.5), steps_per_epoch=5, epochs=4)
    assert got == pytest.approx([(1 - step / 20) ** 0.5 for step in range(20)])
    raised = factors(Schedule(kind="poly", power=2, floor=0.2), steps_per_epoch=5, epochs=4)
    assert raised == pytest.approx([0.2 + 0.8 * (1 - step / 20) ** 2 for step in range(20)])


def test_two_phases_are_low_and_then_high() -> None:
    got = factors(Schedule(kind="constant", warmup_epochs=2, warmup_factor=0.1), steps_per_epoch=3, epochs=3)
    assert got == [0.1] * 6 + [1.0] * 3


@pytest.mark.parametrize(
    ("name", "table"),
    [
        # by epoch, counted from 0: the rates in force when it begins
        ("googlenet_2014", {0: 0.01, 7: 0.01, 8: 0.0096, 15: 0.0096, 16: 0.009216, 80: 0.01 * 0.96**10, 249: 0.01 * 0.96**31}),
        ("bn_inception_2015", {0: 0.045, 1: 0.045, 4: 0.045 * 0.96**3, 8: 0.045 * 0.96**6, 80: 0.045 * 0.96**60}),
        ("inception_v3_2015", {0: 0.045, 1: 0.045, 2: 0.0423, 3: 0.0423, 4: 0.039762, 99: 0.045 * 0.94**49}),
        ("inception_v4_2016", {0: 0.045, 2: 0.0423, 98: 0.045 * 0.94**49}),
        ("inception_resnet_2016_warmup", {0: 1e-5, 1: 0.045, 2: 0.0423}),
    ],
)
def test_the_papers_rates(name, table) -> None:
    """At 40,037 steps an epoch: ImageNet in batches of 32."""
    steps = 40_037
    published = recipe(name)
    for epoch, rate in table.items():
        assert published.learning_rate(epoch * steps, steps) == pytest.approx(rate, rel=1e-12), epoch


def test_a_stair_is_not_a_step_early_or_late() -> None:
    steps = 40_037
    rates = [recipe("inception_v3_2015").learning_rate(2 * steps + late, steps) for late in (-1, 0)]
    assert rates == pytest.approx([0.045, 0.0423], rel=1e-12)


def test_constant_stays() -> None:
    assert set(factors(Schedule(kind="constant"), steps_per_epoch=4, epochs=3)) == {1.0}


def test_half_an_epoch_of_warmup() -> None:
    got = factors(Schedule(kind="constant", warmup_epochs=0.5), steps_per_epoch=4, epochs=1)
    assert got == [0.5, 1.0, 1.0, 1.0]


@given(
    kind=st.sampled_from(["cosine", "poly", "exponential", "steps", "constant"]),
    warmup=st.floats(0, 20),
    low=st.none() | st.floats(0.01, 1),
    floor=st.floats(0, 1),
    every=st.floats(0.01, 20),
    steps_per_epoch=st.integers(1, 50),
    epochs=st.integers(1, 20),
    data=st.data(),
)
def test_every_update_of_a_run_moves_and_none_exceeds_the_full_rate(
    kind, warmup, low, floor, every, steps_per_epoch, epochs, data
) -> None:
    schedule = Schedule(
        kind=kind, warmup_epochs=warmup, warmup_factor=low, floor=floor, every=every, milestones=(every, 2 * every)
    )
    step = data.draw(st.integers(0, steps_per_epoch * epochs - 1))
    factor = schedule.factor(step, steps_per_epoch=steps_per_epoch, epochs=epochs)
    assert 0 < factor <= 1


@pytest.mark.parametrize(
    "wrong", [{"kind": "linear"}, {"warmup_epochs": -1}, {"floor": 1.5}, {"decay": 0.0}, {"every": "8"}, {"milestones": (0,)}]
)
def test_what_does_not_fit_is_refused(wrong) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Schedule(**wrong)
