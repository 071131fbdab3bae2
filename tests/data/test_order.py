from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inceptions.data import count_batches, order, sample_seed
from inceptions.data.order import plan
from inceptions.errors import UsageError

SIZES = {"n": st.integers(2, 200), "batch_size": st.integers(2, 70), "seed": st.integers(0, 2**40)}


@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 100), n=st.integers(0, 300))
def test_an_order_shows_every_image_once(seed, epoch, n):
    assert sorted(order(seed, epoch, n)) == list(range(n))
    assert order(seed, epoch, n) == order(seed, epoch, n)


def test_orders_and_seeds_are_what_they_were():
    assert order(0, 0, 8) == [7, 0, 6, 5, 1, 4, 2, 3]
    assert sample_seed(0, 0, 0) == 4808561972376111626


def test_orders_differ_between_epochs_and_seeds():
    assert len({tuple(order(seed, epoch, 50)) for seed in range(4) for epoch in range(4)}) == 16


def test_sample_seeds_differ():
    seeds = {sample_seed(seed, epoch, i) for seed in range(3) for epoch in range(11) for i in range(111)}
    assert len(seeds) == 3 * 11 * 111
    assert all(0 <= seed < 2**63 for seed in seeds)


@given(epoch=st.integers(0, 9), **SIZES)
def test_an_epoch_shows_every_image_once_and_never_one_alone(n, batch_size, seed, epoch):
    batches = plan(n, batch_size=batch_size, seed=seed, epoch=epoch)
    assert [one.index for one in chain(*batches)] == order(seed, epoch, n)
    assert {one.passage for one in chain(*batches)} == {epoch}
    assert len(batches) == count_batches(n, batch_size)
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 2 <= len(batches[-1]) <= batch_size + 1


@given(steps=st.integers(1, 12), **SIZES)
def test_epochs_of_a_number_of_steps_are_one_stream(n, batch_size, seed, steps):
    epochs = [plan(n, batch_size=batch_size, seed=seed, epoch=epoch, steps=steps) for epoch in range(4)]
    assert all(len(batch) == batch_size for batches in epochs for batch in batches)
    assert [len(batches) for batches in epochs] == [count_batches(n, batch_size, steps)] * 4
    stream = list(chain(*chain(*epochs)))
    for passage in range(len(stream) // n):
        part = stream[passage * n : (passage + 1) * n]
        assert [one.index for one in part] == order(seed, passage, n)
        assert {one.passage for one in part} == {passage}


def test_meaningless_numbers_are_refused():
    with pytest.raises(UsageError, match="batch_size must be at least 2, not 1"):
        plan(10, batch_size=1, seed=0, epoch=0)
    with pytest.raises(UsageError, match="steps_per_epoch must be at least 1, not 0"):
        plan(10, batch_size=2, seed=0, epoch=0, steps=0)
