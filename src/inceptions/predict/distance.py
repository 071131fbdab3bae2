"""How far two sets of images are from each other in a network's features, and how good one of them looks to it.

Fréchet distance: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium"
(arXiv:1706.08500), equation 6. Inception Score: Salimans et al. 2016, "Improved Techniques for Training GANs"
(arXiv:1606.03498), section 4. Everything is counted in float64, image by image: no features are kept.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SPLITS = 10
SHUFFLE_SEED = 2020
"""Of the order in which torch-fidelity divides images into ten parts, so that a folder sorted by class is not cut by class."""


class Moments:
    """Mean and covariance of vectors that come in parts, joined as Chan, Golub and LeVeque (1979) do, without loss of digits.

    Args:
        channels: length of a vector.

    Attributes:
        count: vectors so far.
        mean: theirs, `[channels]`; 0 if there are none.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean: Array = np.zeros(channels)
        self._scatter: Array = np.zeros((channels, channels))

    @property
    def covariance(self) -> Array:
        """With one degree of freedom less than there are vectors, `[channels, channels]`."""
        assert self.count > 1, "one vector has no covariance"
        return self._scatter / (self.count - 1)

    def add(self, rows: NDArray[np.floating]) -> None:
        """Count vectors in: `[n, channels]`."""
        part = type(self)(len(self.mean))
        part.count = len(rows)
        if part.count:
            values = rows.astype(np.float64)
            part.mean = values.mean(axis=0)
            centred = values - part.mean
            part._scatter = centred.T @ centred
            self.merge(part)

    def merge(self, other: Self) -> None:
        """Count in what was counted elsewhere."""
        total = self.count + other.count
        if not other.count:
            return
        away = other.mean - self.mean
        self._scatter += other._scatter + np.outer(away, away * (self.count * other.count / total))
        self.mean = self.mean + away * (other.count / total)
        self.count = total


def frechet_distance(one: Moments, other: Moments) -> float:
    """The squared Fréchet (Wasserstein-2) distance of two normal distributions with these moments.

    |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½). The product's root is found from eigenvalues of symmetric matrices, which keeps real
    and stable what a general matrix root does not, when there are fewer images than channels.
    """
    first, second = one.covariance, other.covariance
    away = one.mean - other.mean
    values, vectors = np.linalg.eigh(first)
    kept = values > len(values) * np.finfo(np.float64).eps * max(float(values[-1]), 0.0)
    root = vectors[:, kept] * np.sqrt(values[kept])
    # root @ root.T is the first matrix, so root.T @ second @ root has the product's eigenvalues, and is symmetric.
    shared = np.linalg.eigvalsh(root.T @ second @ root)
    together = np.sqrt(np.clip(shared, 0, None)).sum()
    return float(away @ away + np.trace(first) + np.trace(second) - 2 * together)


class InceptionScore:
    """exp of the mean divergence of each image's classes from those of all images, in ten parts.

    Images are dealt to the parts as torch-fidelity shuffles them.

    Args:
        images: how many there are.
        classes: length of a row of scores.
        splits: number of parts; fewer if there are fewer images.
    """

    def __init__(self, images: int, classes: int, *, splits: int = SPLITS) -> None:
        self.splits = min(splits, images)
        edges = [i * images // self.splits for i in range(self.splits + 1)]
        order = np.random.RandomState(SHUFFLE_SEED).permutation(images)
        self._part = np.empty(images, dtype=np.int64)
        for part, (start, end) in enumerate(pairwise(edges)):
            self._part[order[start:end]] = part
        self._count = np.zeros(self.splits)
        self._entropy = np.zeros(self.splits)
        self._classes = np.zeros((self.splits, classes))

    def add(self, images: tuple[int, ...], scores: NDArray[np.floating]) -> None:
        """Count in some images.

        Args:
            images: their numbers.
            scores: theirs before any softmax, `[images, classes]`.
        """
        values = scores.astype(np.float64)
        values -= values.max(axis=1, keepdims=True)
        logs = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
        shares = np.exp(logs)
        parts = self._part[list(images)]
        np.add.at(self._count, parts, 1)
        np.add.at(self._entropy, parts, (shares * logs).sum(axis=1))
        np.add.at(self._classes, parts, shares)

    def result(self) -> tuple[float, float]:
        """Mean and standard deviation of the parts' scores; parts without an image are left out."""
        there = self._count > 0
        count = self._count[there]
        mean = self._classes[there] / count[:, None]
        logs = np.log(mean, where=mean > 0, out=np.zeros_like(mean))
        scores = np.exp(self._entropy[there] / count - (mean * logs).sum(axis=1))
        return float(scores.mean()), float(scores.std())
