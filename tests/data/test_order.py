from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inceptions.data import Shuffle, batch_seed, count_batches, order, sample_seed
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


@given(
    kind=st.sampled_from(["images", "within_shards", "shards"]),
    shard=st.integers(1, 60),
    n=st.integers(0, 200),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 50),
)
def test_every_shuffle_shows_every_image_once(kind, shard, n, seed, epoch):
    shuffle = Shuffle(kind=kind, shard=shard)
    assert sorted(order(seed, epoch, n, shuffle)) == list(range(n))
    assert order(seed, epoch, n, shuffle) == order(seed, epoch, n, shuffle)


def test_shards_stay_together_and_only_within_them_images_move():
    def shards(kind: str, epoch: int) -> list[list[int]]:
        shown = order(1, epoch, 60, Shuffle(kind=kind, shard=10))
        return [shown[start : start + 10] for start in range(0, 60, 10)]

    whole = {tuple(shard) for shard in shards("shards", 0)}
    contents = {frozenset(shard) for shard in whole}
    assert any(sorted(shard) != list(shard) for shard in whole), "they lie in a random order"
    for epoch in range(1, 5):
        assert {tuple(shard) for shard in shards("shards", epoch)} == whole
        moved = shards("within_shards", epoch)
        assert {frozenset(shard) for shard in moved} == contents
        assert not {tuple(shard) for shard in moved} & whole
        assert shards("shards", epoch) != shards("shards", epoch + 1)
        assert {frozenset(shard) for shard in shards("images", epoch)} != contents


def test_shuffling_within_shards_keeps_the_same_images_from_meeting_again():
    """Ioffe and Szegedy 2015, section 4.2.1: without it, two images that met in a batch meet in most later epochs too."""

    def met_again(kind: str) -> float:
        shuffle = Shuffle(kind=kind, shard=400)
        pairs = []
        for epoch in (0, 1):
            batches = plan(2000, batch_size=20, seed=0, epoch=epoch, shuffle=shuffle)
            pairs.append({(a.index, b.index) for batch in batches for a in batch for b in batch if a.index < b.index})
        return len(pairs[0] & pairs[1]) / len(pairs[0])

    assert met_again("shards") == 1.0, "400 is a multiple of the batch"
    assert met_again("within_shards") == pytest.approx(19 / 399, abs=0.01)
    assert met_again("images") == pytest.approx(19 / 1999, abs=0.004)


def test_seeds_of_batches_differ_from_each_other_and_from_those_of_samples():
    batches = {batch_seed(seed, epoch, i) for seed in range(3) for epoch in range(11) for i in range(111)}
    samples = {sample_seed(seed, epoch, i) for seed in range(3) for epoch in range(11) for i in range(111)}
    assert len(batches | samples) == 2 * 3 * 11 * 111


def test_meaningless_numbers_are_refused():
    with pytest.raises(UsageError, match="batch_size must be at least 2, not 1"):
        plan(10, batch_size=1, seed=0, epoch=0)
    with pytest.raises(UsageError, match="steps_per_epoch must be at least 1, not 0"):
        plan(10, batch_size=2, seed=0, epoch=0, steps=0)
    with pytest.raises(UsageError, match=r"shuffle\.kind must be one of images, within_shards, shards, not 'no'"):
        Shuffle(kind="no")
    with pytest.raises(UsageError, match=r"shuffle\.shard must be at least 1, not 0"):
        Shuffle(shard=0)
