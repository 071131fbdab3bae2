"""Photographs to a training batch: torchvision's pipeline with the same draws, and images decoded at a part of their size."""

from __future__ import annotations

import io
import math
import random
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import functional

from inceptions.data import Augment, Files, decode, find_images, normalise, training
from inceptions.data.colours import put, recoloured, to_bytes
from inceptions.data.decode import decode_pixels
from inceptions.data.loader import Loader
from inceptions.data.scan import TrainingView, unscanned
from inceptions.data.transforms import SMALLEST, SPARE, random_rectangle
from inceptions.weights import Preprocess

USUAL = Augment(crop_scale=(0.08, 1.0), brightness=0.4, contrast=0.4, saturation=0.4)
EVERYTHING = replace(USUAL, rotation=30, hue=0.1, lighting=0.1, erase=0.5)


def as_tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)


def noise(seed: int, height: int, width: int) -> torch.Tensor:
    return as_tensor(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture
def photographs(shared) -> list[bytes]:
    folder = shared / "data" / "cats_and_dogs_filtered" / "train" / "dogs"
    return [path.read_bytes() for path in find_images(folder)[:16]]


def theirs(image: Image.Image, seed: int, side: int, *, bytes_between: bool) -> torch.Tensor:
    """Torchvision's pipeline with the numbers that ours draws: on Pillow's bytes or in floats, clamped once."""
    chance = random.Random(seed)
    rectangle = random_rectangle(chance, (image.height, image.width), USUAL.crop_scale, USUAL.crop_ratio)
    image = functional.resized_crop(image, *rectangle, [side, side])
    image = functional.hflip(image) if chance.random() < 0.5 else image
    brightness, contrast, saturation = (chance.uniform(0.6, 1.4) for _ in range(3))
    if bytes_between:
        image = functional.adjust_contrast(functional.adjust_brightness(image, brightness), contrast)
        return functional.to_tensor(functional.adjust_saturation(image, saturation))
    exact = brightness * functional.to_tensor(image).double()
    grey = functional.rgb_to_grayscale(exact)
    exact = contrast * exact + (1 - contrast) * grey.mean()
    return (saturation * exact + (1 - saturation) * functional.rgb_to_grayscale(exact)).clamp(0, 1).float()


def test_a_batch_of_photographs_is_torchvisions_with_the_same_draws(photographs):
    preprocess = Preprocess.standard(128)
    ours = training(USUAL, 128)
    batch = normalise(ours.batch((as_tensor(decode_pixels(one)), i) for i, one in enumerate(photographs)), preprocess)
    assert (batch.dtype, tuple(batch.shape)) == (torch.float32, (len(photographs), 3, 128, 128))
    for bytes_between, mean, bias in ((False, 0.3, 0.02), (True, 2.0, 1.5)):
        expected = torch.stack([theirs(decode(one), i, 128, bytes_between=bytes_between) for i, one in enumerate(photographs)])
        expected = functional.normalize(expected, preprocess.mean, preprocess.std)
        difference = (batch - expected) * 255 * torch.tensor(preprocess.std)[:, None, None]
        assert difference.abs().mean() < mean
        assert abs(difference.mean()) < bias  # Pillow cuts off the fraction after each change


@pytest.mark.parametrize("augment", [USUAL, EVERYTHING, Augment(crop="whole", randaugment=2)])
def test_a_batch_is_its_images_one_by_one(augment):
    ours = training(augment, (24, 31))
    images = [(noise(i, 40 + i, 60), 100 + i) for i in range(5)]
    kept = [pixels.clone() for pixels, _ in images]
    batch = ours.batch(iter(images))
    assert batch.dtype == torch.uint8
    assert batch.is_contiguous(memory_format=torch.channels_last)
    for one, (pixels, seed), before in zip(batch, images, kept, strict=True):
        assert torch.equal(one, ours(pixels, seed))
        assert torch.equal(pixels, before)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (7, 3), (64, 1), (299, 299)])
def test_recoloured_is_the_matrix_at_every_size(height, width):
    pixels = noise(0, height, width)
    x = pixels.double()
    grey = torch.tensor([0.2989, 0.587, 0.114], dtype=torch.float64).view(3, 1, 1)
    expected = 1.1 * (0.8 * x + 0.2 * (grey * x).sum(0).mean())
    expected = 1.3 * expected - 0.3 * (grey * expected).sum(0)
    # The weights of a grey add up to 0.9999.
    assert (recoloured(pixels, 1.1, 0.8, 1.3) - expected.clamp(0, 255)).abs().max() < 0.02


def test_recoloured_does_not_depend_on_the_number_of_threads():
    pixels, found = noise(1, 299, 301), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(recoloured(pixels, 1.2, 0.7, 1.1))
    assert torch.equal(*found)


def test_floats_become_bytes_by_rounding():
    floats = torch.tensor([0.0, 0.4, 0.6, 254.4, 254.6, 255.0]).view(1, 1, 6)
    place = torch.empty(1, 1, 6, dtype=torch.uint8)
    put(floats.clone(), place)
    assert to_bytes(floats.clone()).flatten().tolist() == place.flatten().tolist() == [0, 0, 1, 254, 255, 255]
    assert to_bytes(place) is place


@given(
    seed=st.integers(0, 2**63 - 1),
    height=st.integers(20, 3000),
    width=st.integers(20, 3000),
    size=st.tuples(st.integers(8, 300), st.integers(8, 300)),
)
def test_an_image_is_only_reduced_as_far_as_its_part_has_pixels_to_spare(seed, height, width, size):
    ours = training(USUAL, size)
    least = ours.at_least((height, width), seed)
    rectangle = random_rectangle(random.Random(seed), (height, width), USUAL.crop_scale, USUAL.crop_ratio)
    spare = min(rectangle[2] / size[0], rectangle[3] / size[1]) / SPARE
    if least is None:
        assert spare < 2
    else:
        assert 1 <= min(height, width) // least <= max(spare, 1)
        assert max(scale for scale in (1, 2, 4, 8) if scale <= min(height, width) // least) <= SMALLEST


def test_an_image_is_not_reduced_where_every_pixel_counts():
    assert training(USUAL, 16).at_least((3000, 4000), 0) is not None
    assert training(replace(USUAL, interpolation="random"), 16).at_least((3000, 4000), 0) is None
    whole = training(replace(USUAL, crop="whole"), (100, 150))
    assert whole.at_least((299, 600), 0) is None
    assert whole.at_least((600, 900), 0) == math.ceil(600 / 4)


def mosaic(photographs: list[bytes], seed: int) -> bytes:
    """A picture of 2000 × 1500 pixels with the details of photographs of a sixteenth."""
    chance, whole = random.Random(seed), Image.new("RGB", (2000, 1500))
    for i in range(16):
        whole.paste(decode(chance.choice(photographs)).resize((500, 375)), (500 * (i % 4), 375 * (i // 4)))
    content = io.BytesIO()
    whole.save(content, "JPEG", quality=88)
    return content.getvalue()


def test_a_part_of_a_reduced_photograph_looks_the_same(photographs):
    """The whole of it, so that both show the same part."""
    ours = training(Augment(crop="whole", flip=False), (250, 333))
    for seed in range(3):
        content = mosaic(photographs, seed)
        reduced = decode_pixels(content, at_least=partial(ours.at_least, seed=seed))
        assert reduced.shape == (375, 500, 3)
        difference = ours(as_tensor(reduced), 0).float() - ours(as_tensor(decode_pixels(content)), 0).float()
        assert 0.01 < difference.abs().mean() < 1
        assert abs(difference.mean()) < 0.05


def test_the_loader_reduces_what_it_decodes_for_training_and_nothing_else(tmp_path, monkeypatch):
    for name in "ab":
        smooth = Image.fromarray(np.random.default_rng(ord(name)).integers(0, 256, (6, 8, 3), dtype=np.uint8))
        smooth.resize((1200, 900), Image.Resampling.BICUBIC).save(tmp_path / f"{name}.jpg")
    images, seen = Files(tmp_path, ("a.jpg", "b.jpg"), (0, 1)), []

    def spy(self: TrainingView, i: int, at_least: object = None) -> torch.Tensor:
        seen.append(real(self, i, at_least).shape[1:])
        return real(self, i, at_least)

    real = TrainingView.pixels
    monkeypatch.setattr(TrainingView, "pixels", spy)
    view = TrainingView(images, None)
    augment = replace(USUAL, crop_scale=(0.9, 1.0))
    with Loader(unscanned(view), lambda _: training(augment, 64), batch_size=2, seed=0) as loader:
        (batch,) = loader.batches(0)
    assert batch.images.shape == (2, 3, 64, 64)
    assert set(seen) == {(225, 300)}
    assert tuple(view.pixels(0).shape) == (3, 900, 1200)
