from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inceptions.predict.distance import InceptionScore, Moments, frechet_distance


def counted(rows: np.ndarray, *cuts: int) -> Moments:
    """The moments of rows that came in several parts."""
    moments = Moments(rows.shape[1])
    for part in np.split(rows, cuts):
        moments.add(part)
    return moments


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 40),
    st.integers(1, 6),
    st.lists(st.integers(0, 40), max_size=5),
    st.sampled_from([0.0, 1.0, 1e6]),
    st.integers(0, 2**32 - 1),
)
def test_parts_are_joined_exactly(n: int, channels: int, cuts: list[int], offset: float, seed: int) -> None:
    rows = offset + np.random.default_rng(seed).normal(size=(n, channels))
    moments = counted(rows, *sorted(cuts))
    assert moments.count == n
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(rows, rowvar=False).reshape(channels, channels), rtol=1e-8, atol=1e-9)


def test_two_counts_are_one() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 4))
    one, other = counted(rows[:11]), counted(rows[11:], 3, 9)
    one.merge(other)
    one.merge(Moments(4))
    np.testing.assert_allclose(one.covariance, np.cov(rows, rowvar=False))
    assert one.count == 30


@pytest.mark.parametrize("images", [200, 12])
def test_is_pytorch_fids_distance(images: int) -> None:
    """With more images than channels, and with fewer."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    chance = np.random.default_rng(images)
    mix = chance.normal(size=(24, 24))
    one, other = chance.normal(size=(images, 24)) @ mix, chance.normal(0.3, 1.4, size=(images + 5, 24))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # an argument of scipy's that pytorch-fid still gives
        theirs = calculate_frechet_distance(
            one.mean(axis=0), np.cov(one, rowvar=False), other.mean(axis=0), np.cov(other, rowvar=False)
        )
    ours = frechet_distance(counted(one), counted(other, 5))
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert ours == pytest.approx(frechet_distance(counted(other), counted(one)), rel=1e-9)


def test_in_one_dimension_it_is_known() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 1))
    one, other = counted(rows), counted(3 * rows + 5)
    spread = rows.std(ddof=1)
    assert frechet_distance(one, other) == pytest.approx((2 * rows.mean() + 5) ** 2 + (2 * spread) ** 2)


def test_images_without_any_spread() -> None:
    assert frechet_distance(counted(np.ones((3, 2))), counted(np.full((4, 2), 3.0))) == pytest.approx(8)


@pytest.mark.parametrize(("n", "splits"), [(57, 10), (57, 1), (4, 10)])
def test_the_score_is_its_definition(n: int, splits: int) -> None:
    """Against the definition written down for all images at once, dealt out as torch-fidelity does."""
    scores = 4 * np.random.default_rng(n).normal(size=(n, 7))
    judge = InceptionScore(n, 7, splits=splits)
    for start in range(0, n, 5):
        judge.add(tuple(range(start, min(start + 5, n))), scores[start : start + 5])
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    shares = shares[np.random.RandomState(2020).permutation(n)]
    expected = []
    splits = min(splits, n)
    for i in range(splits):
        part = shares[i * n // splits : (i + 1) * n // splits]
        expected.append(np.exp((part * np.log(part / part.mean(axis=0))).sum(axis=1).mean()))
    assert judge.result() == pytest.approx((np.mean(expected), np.std(expected)))


def test_a_sure_and_varied_set_scores_the_number_of_classes() -> None:
    judge = InceptionScore(40, 4, splits=1)
    judge.add(tuple(range(40)), 1000 * np.eye(4)[np.arange(40) % 4])
    assert judge.result() == pytest.approx((4, 0))
    alike = InceptionScore(40, 4)
    alike.add(tuple(range(40)), 1000 * np.eye(4)[np.zeros(40, dtype=int)])
    assert alike.result() == pytest.approx((1, 0))
