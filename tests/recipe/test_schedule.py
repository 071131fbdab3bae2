"""Learning rates against their closed forms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inceptions.errors import UsageError
from inceptions.recipe import Schedule


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


def test_constant_stays() -> None:
    assert set(factors(Schedule(kind="constant"), steps_per_epoch=4, epochs=3)) == {1.0}


def test_half_an_epoch_of_warmup() -> None:
    got = factors(Schedule(kind="constant", warmup_epochs=0.5), steps_per_epoch=4, epochs=1)
    assert got == [0.5, 1.0, 1.0, 1.0]


@given(
    kind=st.sampled_from(["cosine", "exponential", "constant"]),
    warmup=st.floats(0, 20),
    floor=st.floats(0, 1),
    every=st.floats(0.01, 20),
    steps_per_epoch=st.integers(1, 50),
    epochs=st.integers(1, 20),
    data=st.data(),
)
def test_every_update_of_a_run_moves_and_none_exceeds_the_full_rate(
    kind, warmup, floor, every, steps_per_epoch, epochs, data
) -> None:
    schedule = Schedule(kind=kind, warmup_epochs=warmup, floor=floor, every=every)
    step = data.draw(st.integers(0, steps_per_epoch * epochs - 1))
    factor = schedule.factor(step, steps_per_epoch=steps_per_epoch, epochs=epochs)
    assert 0 < factor <= 1


@pytest.mark.parametrize("wrong", [{"kind": "linear"}, {"warmup_epochs": -1}, {"floor": 1.5}, {"decay": 0.0}, {"every": "8"}])
def test_what_does_not_fit_is_refused(wrong) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Schedule(**wrong)
