"""What the papers' recipes do to an image, and RandAugment: against Pillow, torchvision and their distributions."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from scipy import stats
from torchvision import transforms as torchvision_v1
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as kernels

from inceptions.data import Augment, training
from inceptions.data.transforms import METHODS, VARIANCES, random_rectangle, resized, to_tensor, torch_chance

PLAIN = Augment(crop="whole", flip=False)
HOWARD = replace(PLAIN, brightness=0.5, contrast=0.5, saturation=0.5, colour_order="random")


def smooth(seed: int, height: int = 24, width: int = 32) -> torch.Tensor:
    coarse = torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(seed))
    fine = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")[0]
    return (255 * fine).round().to(torch.uint8)


def image_of(pixels: torch.Tensor) -> Image.Image:
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def test_photometric_distortions_are_pillows_one_after_the_other():
    """In the order drawn, clamped after each: torchvision's to rounding, and Pillow's, which cuts off to bytes each time."""
    orders = Counter()
    for seed in range(40):
        pixels = smooth(seed)
        chance = random.Random(seed)
        factors = dict(zip(("Brightness", "Contrast", "Color"), (chance.uniform(0.5, 1.5) for _ in range(3)), strict=True))
        order = chance.sample(list(factors), 3)
        orders[tuple(order)] += 1
        image = image_of(pixels)
        for name in order:
            image = getattr(ImageEnhance, name)(image).enhance(factors[name])
        shown = training(HOWARD, (24, 32))(pixels, seed)
        assert (shown.int() - to_tensor(image).int()).abs().max() <= 6
        assert (shown.float() - to_tensor(image).float()).abs().mean() < 2
        exact = pixels.float() / 255
        for name in order:
            change = {"Brightness": "adjust_brightness", "Contrast": "adjust_contrast", "Color": "adjust_saturation"}[name]
            exact = getattr(kernels, change)(exact, factors[name])
        assert (shown.float() - 255 * exact).abs().max() < 0.51
    assert len(orders) == 6, "every order comes"


def test_the_order_makes_a_difference():
    pixels = smooth(0)
    together = training(replace(HOWARD, colour_order="together"), (24, 32))
    assert any(
        (together(pixels, seed).int() - training(HOWARD, (24, 32))(pixels, seed).int()).abs().max() > 8 for seed in range(9)
    )


def test_lighting_moves_all_pixels_alike_along_the_colours_components():
    pixels = torch.full((3, 8, 8), 128, dtype=torch.uint8)
    light = training(replace(PLAIN, lighting=0.1), 8)
    shifts = np.array([(light(pixels, seed).float() - 128).mean(dim=(1, 2)).numpy() for seed in range(4000)])
    assert all(len(light(pixels, seed).unique(dim=1).unique(dim=2).flatten()) == 3 for seed in range(20))
    # Covariance of A diag(v) a with a ~ N(0, 0.1²): the eigenvalues are (0.1 v)².
    values = np.linalg.eigvalsh(np.cov(shifts / 255, rowvar=False))[::-1]
    assert values[0] == pytest.approx((0.1 * VARIANCES[0]) ** 2, rel=0.1)
    assert values[1] == pytest.approx((0.1 * VARIANCES[1]) ** 2 + 1 / (12 * 255**2), rel=0.15), "and what rounding adds"
    assert np.abs(shifts.mean(0)).max() < 0.5


def test_the_four_ways_to_resize():
    pixels = smooth(1, 40, 60)
    image = image_of(pixels)
    assert torch.equal(resized(pixels, (20, 15), "nearest"), to_tensor(image.resize((15, 20), Image.Resampling.NEAREST)))
    boxes = pixels.float().unfold(1, 2, 2).unfold(2, 4, 4).mean(dim=(3, 4))
    assert torch.equal(resized(pixels, (20, 15), "area"), boxes.round().to(torch.uint8))
    for method in ("bilinear", "bicubic"):
        expected = to_tensor(image.resize((15, 20), Image.Resampling[method.upper()]))
        assert (resized(pixels, (20, 15), method).int() - expected.int()).abs().max() <= 1


def test_random_interpolation_takes_each_of_the_four_as_often():
    pixels = torch.randint(0, 256, (3, 19, 23), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    way = training(replace(PLAIN, interpolation="random"), (8, 9))
    made = {resized(pixels, (8, 9), method).numpy().tobytes(): method for method in METHODS}
    assert len(made) == 4
    counts = Counter(made[way(pixels, seed).numpy().tobytes()] for seed in range(2000))
    assert stats.chisquare(list(counts.values())).pvalue > 0.01
    assert len(counts) == 4


def test_crops_are_distributed_as_torchvisions():
    """GoogLeNet's: 8 % to 100 % of the area, aspect 3/4 to 4/3, rejected ones drawn again."""
    size, scale, ratio = (375, 500), (0.08, 1.0), (3 / 4, 4 / 3)
    chance = random.Random(0)
    ours = np.array([random_rectangle(chance, size, scale, ratio) for _ in range(4000)], dtype=float)
    with torch_chance(0):
        image = torch.zeros(3, *size, dtype=torch.uint8)
        theirs = np.array(
            [torchvision_v1.RandomResizedCrop.get_params(image, list(scale), list(ratio)) for _ in range(4000)], dtype=float
        )
    columns = {
        "top": lambda drawn: drawn[:, 0] / (size[0] - drawn[:, 2] + 1),
        "left": lambda drawn: drawn[:, 1] / (size[1] - drawn[:, 3] + 1),
        "area": lambda drawn: drawn[:, 2] * drawn[:, 3],
        "aspect": lambda drawn: drawn[:, 3] / drawn[:, 2],
    }
    for name, column in columns.items():
        assert stats.ks_2samp(column(ours), column(theirs)).pvalue > 0.01, name
    assert (ours[:, 2] * ours[:, 3]).min() > 0.0795 * math.prod(size)


def test_crops_that_always_fit_are_uniform_in_area():
    """On a square, where only aspects near the whole area are rejected: below 3/4 of it the area is uniform."""
    chance = random.Random(1)
    drawn = [random_rectangle(chance, (1000, 1000), (0.08, 0.74), (3 / 4, 4 / 3)) for _ in range(4000)]
    areas = np.array([height * width / 1e6 for _, _, height, width in drawn])
    assert stats.kstest((areas - 0.08) / 0.66, "uniform").pvalue > 0.01
    aspects = np.log([width / height for _, _, height, width in drawn])
    assert stats.kstest((aspects - math.log(3 / 4)) / (2 * math.log(4 / 3)), "uniform").pvalue > 0.01


def test_randaugment_is_torchvisions_and_draws_from_the_samples_seed():
    pixels, before = smooth(3), torch.random.get_rng_state()
    augment = replace(PLAIN, randaugment=2, magnitude=9)
    shown = training(augment, (24, 32))(pixels, 5)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(7)
    assert torch.equal(training(augment, (24, 32))(pixels, 5), shown)
    with torch_chance(random.Random(5).getrandbits(63)):
        assert torch.equal(shown, v2.RandAugment(2, 9)(pixels))
    assert len({training(augment, (24, 32))(pixels, seed).numpy().tobytes() for seed in range(20)}) > 15


def test_samples_of_recipes_from_before_draw_as_they_did():
    """New possibilities that are off draw nothing: a run that was begun before them goes on to the bit."""
    pixels = smooth(4)
    usual = Augment(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1, erase=0.5)
    chance = random.Random(11)
    rectangle = random_rectangle(chance, (24, 32), usual.crop_scale, usual.crop_ratio)
    flipped = chance.random() < 0.5
    shown = training(replace(usual, brightness=0, contrast=0, saturation=0, hue=0, erase=0), 12)(pixels, 11)
    top, left, height, width = rectangle
    cut = resized(pixels[:, top : top + height, left : left + width], (12, 12), "bilinear")
    assert torch.equal(shown, cut.flip(-1) if flipped else cut)
