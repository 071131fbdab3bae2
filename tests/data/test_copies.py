from __future__ import annotations

import shutil
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inceptions.data import open_data
from inceptions.data.copies import PIECE, exact_copies
from inceptions.data.images import Files, split
from inceptions.errors import DataError


def files(root, contents: dict[str, bytes]) -> Files:
    for name, content in contents.items():
        (root / name).write_bytes(content)
    return Files(root, tuple(contents), (0,) * len(contents))


def test_only_equal_bytes_are_copies(tmp_path):
    long = bytes(range(256)) * 200
    late = long[:-1] + b"x"
    early = b"x" + long[1:]
    assert long[len(long) // 2 :][:PIECE] == late[len(late) // 2 :][:PIECE]
    images = files(tmp_path, {"a": long, "b": late, "c": early, "d": long, "e": b"", "f": b"", "g": b"1", "h": b"2", "i": b"2"})
    assert exact_copies([(images, i) for i in range(len(images))]) == [[0, 3], [7, 8]]


def test_a_file_that_is_gone_is_nobodys_copy(tmp_path):
    images = files(tmp_path, {"a": b"1", "b": b"1", "c": b"1"})
    (tmp_path / "b").unlink()
    assert exact_copies([(images, i) for i in range(3)]) == [[0, 2]]


@st.composite
def labelled(draw):
    """Labels of some images, and groups of them."""
    labels = draw(st.lists(st.integers(0, 3), min_size=2, max_size=60))
    places = draw(st.permutations(range(len(labels))))
    sizes = draw(st.lists(st.integers(2, 5), max_size=8))
    groups, start = [], 0
    for size in sizes:
        if start + size <= len(places):
            groups.append(places[start : start + size])
        start += size
    return labels, groups


@given(case=labelled(), seed=st.integers(0, 100), share=st.floats(0.05, 0.6))
def test_copies_are_never_divided(case, seed, share):
    labels, groups = case
    names, classes = [f"{i}" for i in range(len(labels))], list("abcd")
    try:
        learnt, held = split(names, labels, classes, seed=seed, share=share, together=groups)
    except DataError:
        # Only where a class has a single image, or its images are tied to each other.
        tied = {i: g for g, group in enumerate(groups) for i in group}
        members = [[i for i, label in enumerate(labels) if label == wanted] for wanted in set(labels)]
        assert any(len(m) == 1 or len({tied.get(i, -1 - i) for i in m}) <= len(groups) + 1 for m in members)
        return
    assert sorted(learnt + held) == list(range(len(labels)))
    for group in groups:
        assert len({i in set(held) for i in group}) == 1
    assert {labels[i] for i in learnt} == {labels[i] for i in held} == set(labels)


@given(counts=st.lists(st.integers(2, 60), min_size=1, max_size=4), seed=st.integers(0, 100), pairs=st.integers(0, 5))
def test_a_few_copies_hardly_move_anything(counts, seed, pairs):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    names, classes = [f"{label}/{i}" for i, label in enumerate(labels)], list("abcd")
    before = split(names, labels, classes, seed=seed, share=0.2)[1]
    assert split(names, labels, classes, seed=seed, share=0.2, together=[])[1] == before
    first = [(i, i + 1) for i in range(0, counts[0] - 1, 2)][: min(pairs, counts[0] // 4)]
    after = split(names, labels, classes, seed=seed, share=0.2, together=first)[1]
    # Other classes are as they were, and the share is missed by no more than a pair.
    assert [i for i in after if labels[i]] == [i for i in before if labels[i]]
    assert abs(len(after) - len(before)) <= 1


def test_a_class_of_copies_cannot_be_split():
    with pytest.raises(
        DataError, match="The 3 images of the class 'x' are copies of too few pictures to learn from some and be"
    ):
        split(["a", "b", "c", "d", "e"], [0, 0, 0, 1, 1], ["x", "y"], seed=0, share=0.3, together=[[0, 1, 2]])


def test_the_split_of_a_folder_keeps_copies_together(plant):
    root = plant({"cats": 20, "dogs": 20})
    without = open_data(root)
    held = {name for name in without.validation.names if name.startswith("cats/")}
    one = sorted(held)[0]
    learnt = [name for name in without.train.names if name.startswith("cats/")]
    for name in learnt[:3]:
        shutil.copy(root / one, root / name)
    after = open_data(root)
    sides = {name in set(after.validation.names) for name in (one, *learnt[:3])}
    assert len(sides) == 1
    assert Counter(after.validation.labels) == Counter(without.validation.labels)
    assert after.notes == ()


def test_a_picture_in_two_classes_is_said_and_stays_on_one_side(plant):
    root = plant({"cats": 6, "dogs": 6})
    shutil.copy(root / "cats/1.png", root / "dogs/4.png")
    splits = open_data(root)
    held = set(splits.validation.names)
    assert ("cats/1.png" in held) == ("dogs/4.png" in held)
    assert splits.notes == (
        "1 picture lies in more than one class, and at most one of them is right: cats/1.png = dogs/4.png.",
    )


def test_leaks_between_the_parts_are_said_or_refused(plant):
    root = plant({"train/cats": 4, "train/dogs": 4, "val/cats": 3, "val/dogs": 3})
    shutil.copy(root / "train/cats/2.png", root / "val/cats/0.png")
    shutil.copy(root / "train/dogs/0.png", root / "val/cats/1.png")
    splits = open_data(root)
    assert splits.given
    assert splits.leaked == (("val/cats/0.png", "train/cats/2.png"), ("val/cats/1.png", "train/dogs/0.png"))
    leak, contrary = splits.notes
    assert leak.startswith(
        "2 of 6 validation images are training images too, so the score would flatter: "
        "val/cats/0.png = train/cats/2.png, val/cats/1.png = train/dogs/0.png."
    )
    assert contrary.startswith("1 picture lies in more than one class")
    with pytest.raises(DataError, match="2 of 6 validation images are training images too"):
        open_data(root, strict_split=True)
    assert open_data(plant({"train/cats": 0}), strict_split=False).leaked == splits.leaked
