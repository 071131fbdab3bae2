"""Mixup and cutmix against torchvision's, with our random numbers."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms import v2

from inceptions.data import Augment, batch_seed, mixed
from inceptions.data.mixing import random_box

CLASSES = 5


def batch(n: int = 6, height: int = 20, width: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n, 3, height, width, generator=generator), torch.randint(0, CLASSES, (n,), generator=generator)


def test_mixup_is_torchvisions():
    images, labels = batch()
    for seed in range(5):
        shown, targets = mixed(images, labels, classes=CLASSES, augment=Augment(mixup=0.2), seed=seed)
        chance = random.Random(seed)
        chance.choice(["mixup"])
        params = {"lam": chance.betavariate(0.2, 0.2), "labels": labels, "batch_size": len(labels)}
        theirs = v2.MixUp(num_classes=CLASSES)
        torch.testing.assert_close(shown, theirs.transform(images, params), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(targets, theirs.transform(labels, params), rtol=1e-5, atol=1e-6)


def test_cutmix_is_torchvisions():
    images, labels = batch()
    before = images.clone()
    for seed in range(20):
        shown, targets = mixed(images, labels, classes=CLASSES, augment=Augment(cutmix=1.0), seed=seed)
        chance = random.Random(seed)
        chance.choice(["cutmix"])
        top, bottom, left, right = random_box(chance, (20, 24), 1 - chance.betavariate(1.0, 1.0))
        own = 1 - (bottom - top) * (right - left) / (20 * 24)
        params = {"box": (left, top, right, bottom), "lam_adjusted": own, "labels": labels, "batch_size": len(labels)}
        theirs = v2.CutMix(num_classes=CLASSES)
        assert torch.equal(shown, theirs.transform(images, params))
        torch.testing.assert_close(targets, theirs.transform(labels, params), rtol=1e-5, atol=1e-6)
        # The share of the target is the share of the pixels.
        changed = (shown != images).any(dim=1).float().mean(dim=(1, 2))
        assert float(changed.mean()) == pytest.approx(1 - own, abs=1e-6)
    assert torch.equal(images, before)


def test_without_either_nothing_is_copied():
    images, labels = batch()
    shown, targets = mixed(images, labels, classes=CLASSES, augment=Augment(), seed=0)
    assert shown is images
    assert targets is labels


def test_with_both_each_batch_draws_one():
    images, labels = batch()
    cut = 0
    for seed in range(400):
        shown, targets = mixed(images, labels, classes=CLASSES, augment=Augment(mixup=1.0, cutmix=1.0), seed=seed)
        assert torch.allclose(targets.sum(1), torch.ones(len(labels)))
        cut += bool((shown == images).any() and (shown == images.roll(1, 0)).any())
    assert stats.binomtest(cut, 400).pvalue > 0.01


def test_shares_follow_beta():
    labels = torch.tensor([0, 1])
    images = torch.zeros(2, 1, 1, 1)
    seeds = [batch_seed(0, epoch, number) for epoch in range(20) for number in range(100)]
    shares = [float(mixed(images, labels, classes=2, augment=Augment(mixup=0.4), seed=seed)[1][0, 0]) for seed in seeds]
    assert stats.kstest(shares, stats.beta(0.4, 0.4).cdf).pvalue > 0.01


def test_a_batch_is_mixed_by_its_place_in_the_run_alone():
    images, labels = batch()
    augment = Augment(mixup=0.2, cutmix=1.0)
    before = torch.random.get_rng_state()

    def once(epoch: int, number: int) -> bytes:
        return mixed(images, labels, classes=CLASSES, augment=augment, seed=batch_seed(3, epoch, number))[0].numpy().tobytes()

    first = once(1, 2)
    torch.rand(3)
    random.random()
    assert once(1, 2) == first
    assert len({once(epoch, number) for epoch in range(5) for number in range(5)}) == 25
    torch.random.set_rng_state(before)


@given(height=st.integers(1, 40), width=st.integers(1, 40), share=st.floats(0, 1), seed=st.integers(0, 1000))
def test_boxes_lie_inside(height, width, share, seed):
    top, bottom, left, right = random_box(random.Random(seed), (height, width), share)
    assert 0 <= top <= bottom <= height
    assert 0 <= left <= right <= width
    assert (bottom - top) * (right - left) <= share * height * width + height + width + 1


def test_boxes_have_the_images_aspect_and_any_centre():
    chance = random.Random(0)
    boxes = np.array([random_box(chance, (1000, 2000), 0.01) for _ in range(2000)])
    inside = boxes[(boxes[:, 0] > 0) & (boxes[:, 1] < 1000) & (boxes[:, 2] > 0) & (boxes[:, 3] < 2000)]
    assert np.abs((inside[:, 1] - inside[:, 0]) - 100).max() <= 1
    assert np.abs((inside[:, 3] - inside[:, 2]) - 200).max() <= 1
    assert stats.kstest(inside[:, :2].mean(1) / 1000, stats.uniform(0.05, 0.9).cdf).pvalue > 0.01
