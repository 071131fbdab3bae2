from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as kernels
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage, stats
from torchvision import transforms as torchvision_v1

from inceptions.data import Augment, decode, evaluation, find_images, normalise, training
from inceptions.data.transforms import moved, random_map, random_rectangle, recoloured, to_tensor
from inceptions.weights import Preprocess

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "box")
TUTORIAL = Augment(crop="whole", rotation=40, shift=0.2, shear=0.2, zoom=0.2, fill="nearest")
EVERYTHING = replace(TUTORIAL, crop="random_resized", brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, erase=0.5)


def picture(seed: int, width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def smooth(seed: int, height: int, width: int, low: int = 0, high: int = 255) -> torch.Tensor:
    coarse = torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(seed))
    fine = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")[0]
    return (low + fine * (high - low)).round().to(torch.uint8)


def torchvisions(preprocess: Preprocess) -> torchvision_v1.Compose:
    return torchvision_v1.Compose(
        [
            torchvision_v1.Resize(
                preprocess.resize_to, interpolation=torchvision_v1.InterpolationMode(preprocess.interpolation)
            ),
            torchvision_v1.CenterCrop(preprocess.size),
            torchvision_v1.PILToTensor(),
        ]
    )


@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    crop=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    margin=st.integers(0, 20),
    interpolation=st.sampled_from(INTERPOLATIONS),
)
@settings(deadline=None)
def test_evaluation_equals_torchvision_bit_for_bit(width, height, crop, margin, interpolation):
    width, height = min(width, 16 * height), min(height, 16 * width)  # beyond lie the strips
    preprocess = Preprocess(size=crop, resize_to=max(crop) + margin, interpolation=interpolation)
    image = picture(0, width, height)
    assert torch.equal(evaluation(preprocess)(image), torchvisions(preprocess)(image))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_evaluation_of_photographs_equals_torchvision_bit_for_bit(shared, interpolation):
    preprocess = replace(Preprocess.standard(224), interpolation=interpolation)
    for path in find_images(shared / "data" / "cats_and_dogs_filtered" / "validation" / "cats")[:8]:
        image = decode(path)
        assert torch.equal(evaluation(preprocess)(image), torchvisions(preprocess)(image)), path


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_exact_evaluation_equals_pillow(interpolation):
    preprocess = Preprocess(size=(31, 47), resize="exact", interpolation=interpolation)
    image = picture(1, 70, 20)
    shown = evaluation(preprocess)(image)
    expected = image.resize((47, 31), Image.Resampling[interpolation.upper()])
    assert np.array_equal(shown.permute(1, 2, 0).numpy(), np.asarray(expected))


@pytest.mark.parametrize(("width", "height"), [(60_000, 1), (1, 60_000), (50_000, 7)])
def test_the_middle_of_a_strip_is_shown_without_enlarging_all_of_it(width, height):
    image = picture(2, width, height)
    shown = evaluation(Preprocess.standard(224))(image)
    assert shown.shape == (3, 224, 224)
    # The same as cutting a somewhat larger middle out by hand.
    left, top = max(0, (width - 200) // 2), max(0, (height - 200) // 2)
    middle = image.crop((left, top, min(width, left + 200), min(height, top + 200)))
    expected = evaluation(Preprocess.standard(224))(middle)
    assert (shown.float() - expected.float()).abs().mean() < 1


def test_normalise_equals_the_usual_three_steps():
    batch = torch.randint(0, 256, (3, 3, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    before = batch.clone()
    preprocess = Preprocess.standard(32)
    expected = torchvision_v1.functional.normalize(batch.float() / 255, preprocess.mean, preprocess.std)
    shown = normalise(batch, preprocess)
    torch.testing.assert_close(shown, expected, rtol=1e-5, atol=1e-6)
    assert shown.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch, before)
    swapped = normalise(batch, replace(preprocess, channels="BGR"))
    assert torch.equal(swapped, normalise(batch.flip(1), preprocess))


def test_normalise_makes_the_grey_that_pillow_makes():
    image = picture(3, 40, 30)
    grey = normalise(to_tensor(image)[None], Preprocess(size=(30, 40), resize="exact", mean=(0.0,), std=(1.0,), channels="L"))
    assert grey.shape == (1, 1, 30, 40)
    assert np.array_equal((grey[0, 0] * 255).round().numpy(), np.asarray(image.convert("L")))


@given(
    seed=st.integers(0, 2**63 - 1),
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    scale=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted),
    ratio=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)).map(sorted),
)
def test_a_random_rectangle_lies_inside_the_image(seed, height, width, scale, ratio):
    top, left, h, w = random_rectangle(random.Random(seed), (height, width), tuple(scale), tuple(ratio))
    assert h >= 1
    assert w >= 1
    assert 0 <= top <= height - h
    assert 0 <= left <= width - w


def test_random_rectangles_have_the_areas_and_aspects_asked_for():
    drawn = [random_rectangle(random.Random(i), (1000, 1000), (0.2, 0.5), (0.5, 2.0)) for i in range(300)]
    areas = [h * w / 1e6 for _, _, h, w in drawn]
    aspects = [w / h for _, _, h, w in drawn]
    assert 0.198 < min(areas) < 0.22
    assert 0.47 < max(areas) < 0.502
    assert 0.49 < min(aspects) < 0.6
    assert 1.8 < max(aspects) < 2.02
    assert abs(sum(aspect < 1 for aspect in aspects) - 150) < 40


def test_an_image_that_no_rectangle_fits_is_cut_centrally():
    assert random_rectangle(random.Random(0), (10, 1000), (0.9, 1.0), (3 / 4, 4 / 3)) == (0, 493, 10, 13)


def test_rectangles_are_distributed_as_torchvisions():
    image, drawn = torch.zeros(3, 375, 500), 1500
    scale, ratio = (0.08, 1.0), (3 / 4, 4 / 3)
    torch.manual_seed(0)
    theirs = np.array([torchvision_v1.RandomResizedCrop.get_params(image, scale, ratio) for _ in range(drawn)])
    ours = np.array([random_rectangle(random.Random(seed), (375, 500), scale, ratio) for seed in range(drawn)])
    for column, name in enumerate(("top", "left", "height", "width")):
        assert stats.ks_2samp(ours[:, column], theirs[:, column]).pvalue > 0.01, name
    area, aspect = (lambda found: found[:, 2] * found[:, 3]), (lambda found: found[:, 3] / found[:, 2])
    for of in (area, aspect):
        assert stats.ks_2samp(of(ours), of(theirs)).pvalue > 0.01


@pytest.mark.parametrize("seed", range(6))
def test_with_the_same_choices_the_pixels_are_those_of_pillow_and_torchvision(seed):
    """Pillow cuts off the fraction after each of three changes, 1.5 of 255 in the mean; here it is rounded once."""
    augment = Augment(crop_scale=(0.08, 1.0), brightness=0.2, contrast=0.4, saturation=0.4)
    pixels = smooth(seed, 90, 120, low=70, high=170)  # nothing is clamped on the way
    chance, functional = random.Random(seed), torchvision_v1.functional
    image = functional.to_pil_image(pixels)
    rectangle = random_rectangle(chance, (90, 120), augment.crop_scale, augment.crop_ratio)
    image = functional.resized_crop(image, *rectangle, [64, 64])
    image = functional.hflip(image) if chance.random() < 0.5 else image
    for change, width in (
        (functional.adjust_brightness, augment.brightness),
        (functional.adjust_contrast, augment.contrast),
        (functional.adjust_saturation, augment.saturation),
    ):
        image = change(image, chance.uniform(1 - width, 1 + width))
    difference = training(augment, 64)(pixels, seed).float() - functional.pil_to_tensor(image).float()
    assert -1 <= difference.min() <= difference.max() <= 4
    assert 0.5 < difference.mean() < 2
    assert difference.std() < 0.8


def test_a_training_image_keeps_the_channels_of_a_pixel_side_by_side():
    """A batch of them is then one copy each."""
    for augment in (Augment(), Augment(brightness=0.4, saturation=0.4)):
        shown = training(augment, (20, 24))(smooth(0, 50, 60).permute(1, 2, 0).contiguous().permute(2, 0, 1), 1)
        assert shown.permute(1, 2, 0).is_contiguous()


def keras_affine(pixels: np.ndarray, matrix: np.ndarray, mode: str) -> np.ndarray:
    """How Keras's `apply_affine_transform` moves an image: about its centre, channel by channel, with scipy."""
    middle = np.array([pixels.shape[1] / 2 - 0.5, pixels.shape[2] / 2 - 0.5])
    to, back = np.eye(3), np.eye(3)
    to[:2, 2], back[:2, 2] = middle, -middle
    whole = to @ matrix @ back
    return np.stack(
        [ndimage.affine_transform(channel, whole[:2, :2], whole[:2, 2], order=1, mode=mode) for channel in pixels.astype(float)]
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_tutorials_affine_map_with_nearest_fill_equals_scipys(seed):
    pixels = smooth(seed, 60, 45 + seed)
    matrix = random_map(random.Random(seed), TUTORIAL, tuple(pixels.shape[1:]))
    expected = keras_affine(pixels.numpy(), matrix, "nearest")
    assert np.abs(moved(pixels, matrix, "nearest").numpy() - expected).max() < 0.02


def test_the_whole_tutorial_transform_equals_kerass_order_of_things():
    pixels = smooth(5, 150, 150)
    for seed in range(6):
        chance = random.Random(seed)
        theta, tx, ty, shear, zx, zy = (
            math.radians(chance.uniform(-40, 40)),
            chance.uniform(-0.2, 0.2) * 150,
            chance.uniform(-0.2, 0.2) * 150,
            math.radians(chance.uniform(-0.2, 0.2)),
            chance.uniform(0.8, 1.2),
            chance.uniform(0.8, 1.2),
        )
        matrix = np.array([[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]])
        matrix = np.dot(matrix, np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]]))
        matrix = np.dot(matrix, np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]]))
        matrix = np.dot(matrix, np.array([[zx, 0, 0], [0, zy, 0], [0, 0, 1]]))
        expected = keras_affine(pixels.numpy(), matrix, "nearest")
        if chance.random() < 0.5:
            expected = expected[:, :, ::-1]
        shown = training(TUTORIAL, 150)(pixels, seed).numpy()
        assert np.abs(shown - expected).max() <= 0.52  # rounded to bytes, where Keras keeps floats


def test_constant_fill_is_black_and_nearest_repeats_the_border():
    pixels = torch.full((3, 20, 20), 200, dtype=torch.uint8)
    shift = np.array([[1.0, 0, 0], [0, 1, 15], [0, 0, 1]])
    assert moved(pixels, shift, "constant")[:, :, -10:].max() == 0
    assert moved(pixels, shift, "nearest").min() == 200


@given(brightness=st.floats(0.6, 1.2), contrast=st.floats(0.6, 1.2), saturation=st.floats(0.0, 1.4), seed=st.integers(0, 100))
def test_recoloured_equals_torchvisions_three_functions(brightness, contrast, saturation, seed):
    pixels = smooth(seed, 24, 31, low=90, high=150)  # far enough from black and white that nothing is clamped
    expected = kernels.adjust_brightness(pixels.float() / 255, brightness)
    expected = kernels.adjust_contrast(expected, contrast)
    expected = kernels.adjust_saturation(expected, saturation)
    torch.testing.assert_close(recoloured(pixels, brightness, contrast, saturation), expected * 255, rtol=0, atol=0.02)


def test_recoloured_stays_between_black_and_white():
    shown = recoloured(smooth(0, 20, 20), 2.0, 2.0, 2.0)
    assert shown.min() >= 0
    assert shown.max() == 255


@pytest.mark.parametrize("augment", [Augment(), TUTORIAL, EVERYTHING], ids=["crop", "tutorial", "everything"])
def test_training_depends_on_the_samples_seed_alone(augment):
    show = training(augment, (40, 56))
    pixels = smooth(1, 70, 90)
    before = pixels.clone()
    random.seed(1)
    torch.manual_seed(1)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    shown = [show(pixels, seed) for seed in range(5)]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]
    assert torch.equal(pixels, before)
    for seed, one in enumerate(shown):
        assert (one.dtype, tuple(one.shape)) == (torch.uint8, (3, 40, 56))
        assert torch.equal(one, show(pixels, seed))
        assert torch.equal(one, show(pixels.permute(1, 2, 0).contiguous().permute(2, 0, 1), seed))
    assert not any(torch.equal(one, other) for i, one in enumerate(shown) for other in shown[:i])


def test_training_with_everything_off_shows_the_image_itself():
    pixels = smooth(2, 32, 32)
    assert torch.equal(training(Augment(crop="whole", flip=False), 32)(pixels, 9), pixels)


def test_half_of_the_images_are_mirrored():
    pixels = smooth(2, 16, 16)
    show = training(Augment(crop="whole"), 16)
    mirrored = sum(torch.equal(show(pixels, seed), pixels.flip(-1)) for seed in range(200))
    kept = sum(torch.equal(show(pixels, seed), pixels) for seed in range(200))
    assert mirrored + kept == 200
    assert 70 < mirrored < 130


def test_erasing_paints_one_rectangle_in_the_mean_colour():
    pixels = smooth(4, 64, 64)
    show = training(Augment(crop="whole", flip=False, erase=1.0), 64)
    mean = pixels.float().mean(dim=(1, 2)).round().to(torch.uint8)
    for seed in range(10):
        shown = show(pixels, seed)
        changed = (shown != pixels).any(dim=0)
        painted = (shown == mean[:, None, None]).all(dim=0)
        assert bool((painted | ~changed).all())
        assert 0.01 < painted.float().mean() < 0.4


def test_hue_alone_turns_colours_and_leaves_greys():
    show = training(Augment(crop="whole", flip=False, hue=0.5), 8)
    grey, red = torch.full((3, 8, 8), 120, dtype=torch.uint8), torch.zeros(3, 8, 8, dtype=torch.uint8)
    red[0] = 255
    assert torch.equal(show(grey, 3), grey)
    assert not torch.equal(show(red, 3), red)


def test_images_smaller_than_the_network_are_enlarged():
    assert training(EVERYTHING, 48)(smooth(0, 3, 2), 0).shape == (3, 48, 48)


def at(array: np.ndarray, row: float, column: float) -> np.ndarray:
    """Between the four pixels around a place; beyond the border the border."""
    top, left = math.floor(row), math.floor(column)
    low, high = (
        (min(max(top + i, 0), array.shape[0] - 1) for i in (0, 1)),
        (min(max(left + i, 0), array.shape[1] - 1) for i in (0, 1)),
    )
    (r0, r1), (c0, c1) = low, high
    down, right = row - top, column - left
    upper = array[r0, c0] * (1 - right) + array[r0, c1] * right
    return upper * (1 - down) + (array[r1, c0] * (1 - right) + array[r1, c1] * right) * down


@given(width=st.integers(1, 30), height=st.integers(1, 30), size=st.tuples(st.integers(1, 20), st.integers(1, 20)))
@settings(deadline=None, max_examples=40)
def test_bilinear_without_antialiasing_is_between_the_four_nearest_pixels(width, height, size):
    image = picture(2, width, height)
    array = np.asarray(image, dtype=np.float64)
    for sampling, half in (("corners", 0.0), ("centres", 0.5)):
        shown = evaluation(Preprocess(size=size, resize="exact", sampling=sampling))(image)
        assert shown.dtype == torch.float32
        for row in range(size[0]):
            for column in range(size[1]):
                place = ((row + half) * height / size[0] - half, (column + half) * width / size[1] - half)
                expected = at(array, *(max(one, 0.0) for one in place))
                assert np.abs(shown[:, row, column].numpy() - expected).max() < 1e-2


def test_the_middle_of_both_sides_is_taken_as_tensorflow_counts_it():
    image = picture(3, 100, 61)
    # central_crop(0.875): int((100 - 87.5) / 2) = 6 and int((61 - 53.375) / 2) = 3 pixels fall away on either side
    shown = evaluation(Preprocess(size=(55, 88), resize="central", fraction=0.875))(image)
    assert np.array_equal(shown.permute(1, 2, 0).numpy(), np.asarray(image)[3:58, 6:94])


def test_a_squeezed_image_is_cut_in_the_middle():
    image = picture(4, 90, 40)
    shown = evaluation(Preprocess(size=(24, 24), resize="squeezed", resize_to=32))(image)
    whole = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR))
    assert np.array_equal(shown.permute(1, 2, 0).numpy(), whole[4:28, 4:28])


def test_unrounded_images_are_normalised_and_not_kept_as_bytes():
    preprocess = Preprocess(size=(8, 8), resize="exact", sampling="corners", mean=(0.5,) * 3, std=(0.5,) * 3)
    shown = evaluation(preprocess)(picture(5, 20, 20))[None]
    assert torch.allclose(normalise(shown, preprocess), shown / 127.5 - 1, atol=1e-6)
