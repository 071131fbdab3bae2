"""The Inception Score against torchmetrics' code."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from inceptions.predict.distance import SHUFFLE_SEED, InceptionScore


class Logits(nn.Module):
    """Stands for a network: its images are logits already."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize(("images", "classes", "splits"), [(120, 10, 1), (120, 10, 10), (500, 1008, 10), (64, 3, 4)])
@pytest.mark.parametrize("spread", [0.3, 2.0, 20.0])
def test_is_torchmetrics_inception_score(
    images: int, classes: int, splits: int, spread: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the same images in the same order, whose number is a multiple of the parts, for torchmetrics cuts otherwise."""
    from torchmetrics.image.inception import InceptionScore as Theirs

    logits = spread * np.random.default_rng(images + splits).normal(size=(images, classes))
    order = torch.from_numpy(np.random.RandomState(SHUFFLE_SEED).permutation(images))
    monkeypatch.setattr(torch, "randperm", lambda n: order[:n])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it keeps all features in memory
        theirs = Theirs(feature=Logits(), splits=splits).set_dtype(torch.float64)
        theirs.update(torch.from_numpy(logits))
        mean, deviation = theirs.compute()
    ours = InceptionScore(images, classes, splits=splits)
    for start in range(0, images, 50):
        ours.add(tuple(range(start, min(start + 50, images))), logits[start : start + 50])
    found = ours.result()
    assert found[0] == pytest.approx(float(mean), rel=1e-6)
    if splits > 1:
        # Theirs divides by one part less; torch-fidelity, which we follow, by all of them.
        assert found[1] * np.sqrt(splits / (splits - 1)) == pytest.approx(float(deviation), rel=1e-5, abs=1e-9)
