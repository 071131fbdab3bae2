from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inceptions.data import open_data, open_evaluation
from inceptions.data.images import split
from inceptions.errors import DataError, UsageError

COUNTS = st.lists(st.integers(2, 60), min_size=1, max_size=5)


def labelled(counts: list[int]) -> tuple[list[str], list[int], list[str]]:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return [f"{label}/{i}" for i, label in enumerate(labels)], labels, [str(label) for label in range(len(counts))]


@given(counts=COUNTS, seed=st.integers(0, 2**32), share=st.floats(0.01, 0.99))
def test_a_split_divides_every_class_by_its_share(counts, seed, share):
    names, labels, classes = labelled(counts)
    learnt, held = split(names, labels, classes, seed=seed, share=share)
    assert sorted(learnt + held) == list(range(len(names)))
    assert learnt == sorted(learnt)
    assert held == sorted(held)
    in_held = Counter(labels[i] for i in held)
    for label, count in enumerate(counts):
        assert in_held[label] == min(max(round(share * count), 1), count - 1)


@given(counts=COUNTS, seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
def test_a_split_does_not_depend_on_the_order_of_the_images(counts, seed, order):
    names, labels, classes = labelled(counts)
    mixed = list(range(len(names)))
    order.shuffle(mixed)
    _, held = split(names, labels, classes, seed=seed, share=0.3)
    _, held_mixed = split([names[i] for i in mixed], [labels[i] for i in mixed], classes, seed=seed, share=0.3)
    assert {names[i] for i in held} == {names[mixed[i]] for i in held_mixed}


def test_one_more_image_moves_at_most_one_other():
    names, labels, classes = labelled([50])
    before = {names[i] for i in split(names, labels, classes, seed=1, share=0.2)[1]}
    after_names = [*names, "new"]
    after = {after_names[i] for i in split(after_names, [*labels, 0], classes, seed=1, share=0.2)[1]}
    assert len(before ^ after) <= 2


def test_seeds_split_differently():
    names, labels, classes = labelled([40, 40])
    assert len({tuple(split(names, labels, classes, seed=seed, share=0.25)[1]) for seed in range(5)}) == 5


def test_a_split_is_what_it_was():
    names, labels, classes = labelled([6, 5])
    assert split(names, labels, classes, seed=0, share=0.3)[1] == [2, 4, 7, 8]


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_that_is_none(share):
    with pytest.raises(UsageError, match="between 0 and 1"):
        split(["a", "b"], [0, 0], ["x"], seed=0, share=share)


def test_a_class_with_a_single_image():
    with pytest.raises(DataError, match=r"The class 'y' has a single image \(c\)"):
        split(["a", "b", "c"], [0, 0, 1], ["x", "y"], seed=0, share=0.5)


@pytest.mark.parametrize("where", [None, "digits"])
def test_the_digits_of_scikit_learn(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    splits = open_data(where)
    assert splits.classes == tuple("0123456789")
    assert splits.where is None
    assert len(splits.train) + len(splits.validation) == 1797
    assert 355 <= len(splits.validation) <= 364
    assert set(splits.validation.labels) == set(range(10))
    assert not set(splits.train.names) & set(splits.validation.names)
    image = splits.train.open(0)
    assert (image.mode, image.size) == ("RGB", (8, 8))
    every = np.stack([np.asarray(splits.train.open(i)) for i in range(200)])
    assert (every.min(), every.max()) == (0, 255)


def test_a_folder_called_digits_is_that_folder(plant, monkeypatch):
    root = plant({"a": 2, "b": 2})
    root.rename(root.with_name("digits"))
    monkeypatch.chdir(root.parent)
    assert open_data("digits").classes == ("a", "b")


def test_the_digits_held_out_are_those_to_evaluate_on():
    splits = open_data(None, seed=3)
    images = open_evaluation(None, splits.classes, seed=3)
    assert images.names == splits.validation.names
    assert images.open(5).tobytes() == splits.validation.open(5).tobytes()
    with pytest.raises(DataError, match="does not tell digits apart: its 2 classes begin with 'cats'"):
        open_evaluation(None, ("cats", "dogs"))
