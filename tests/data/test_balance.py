"""Classes of unequal size come equally often, in an order that depends on the seed and the epoch only."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from inceptions.data.balance import balanced_plan
from inceptions.data.order import Presentation, count_batches

LABELS = st.lists(st.integers(0, 3), min_size=2, max_size=40)


def images(plan: list[tuple[Presentation, ...]]) -> list[Presentation]:
    return [one for batch in plan for one in batch]


@given(labels=LABELS, seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 5), batch_size=st.integers(2, 9))
def test_every_class_comes_as_often_as_the_others(labels, seed, epoch, batch_size) -> None:
    plan = balanced_plan(labels, batch_size=batch_size, seed=seed, epoch=epoch)
    shown = Counter(labels[one.index] for one in images(plan))
    assert set(shown) == set(labels)
    assert max(shown.values()) - min(shown.values()) <= 1
    assert len(images(plan)) == len(labels)
    assert len(plan) == count_batches(len(labels), batch_size)
    assert plan == balanced_plan(labels, batch_size=batch_size, seed=seed, epoch=epoch)


@given(labels=LABELS, seed=st.integers(0, 9))
def test_no_presentation_comes_twice_and_a_class_takes_turns(labels, seed) -> None:
    """The pair of passage and image is the seed of the augmentation: equal ones would be the same picture."""
    everything = [one for epoch in range(4) for one in images(balanced_plan(labels, batch_size=2, seed=seed, epoch=epoch))]
    assert len(set(everything)) == len(everything)
    for label in set(labels):
        times = Counter(one.index for one in everything if labels[one.index] == label)
        members = [i for i, one in enumerate(labels) if one == label]
        assert max(times.values()) - min(times[i] for i in members) <= 1


def test_other_epochs_and_seeds_other_orders() -> None:
    labels = [0] * 30 + [1] * 5
    plans = [balanced_plan(labels, batch_size=5, seed=seed, epoch=epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(one != other for i, one in enumerate(plans) for other in plans[:i])


def test_epochs_of_some_steps_go_on_where_the_last_one_ended() -> None:
    labels = [0] * 6 + [1] * 2
    shown = [one for epoch in range(4) for one in images(balanced_plan(labels, batch_size=3, seed=0, epoch=epoch, steps=1))]
    assert Counter(labels[one.index] for one in shown) == {0: 6, 1: 6}
    assert sorted(one.index for one in shown if labels[one.index] == 0) == list(range(6))
