from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inceptions.data import evaluation, showing
from inceptions.weights import Preprocess


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("resize", ["shorter_side", "exact", "squeezed", "central"])
@pytest.mark.parametrize("sampling", ["antialiased", "centres", "corners"])
def test_pixels_are_channels_last_and_the_same_as_the_tensors(resize, sampling):
    preprocess = Preprocess(size=(24, 30), resize=resize, resize_to=33, fraction=0.8, sampling=sampling)
    image = picture(71, 50)
    shown = showing(preprocess)(image)
    assert shown.shape == (24, 30, 3)
    assert shown.dtype == (np.uint8 if sampling == "antialiased" else np.float32)
    assert np.array_equal(evaluation(preprocess)(image).permute(1, 2, 0).numpy(), shown)


@given(width=st.integers(1, 60), height=st.integers(1, 60), size=st.tuples(st.integers(1, 50), st.integers(1, 50)))
@settings(deadline=None, max_examples=60)
def test_between_centres_is_torchs_interpolate(width, height, size):
    image = picture(width, height)
    shown = showing(Preprocess(size=size, resize="exact", sampling="centres"))(image)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(pixels, size=size, mode="bilinear", align_corners=False)[0]
    # Which kernel torch takes depends on its threads; they differ in the last bits.
    assert np.abs(shown - expected.permute(1, 2, 0).numpy()).max() < 1e-3


@given(width=st.integers(1, 60), height=st.integers(1, 60), size=st.tuples(st.integers(1, 50), st.integers(1, 50)))
@settings(deadline=None, max_examples=60)
def test_between_corners_is_tensorflows_formula(width, height, size):
    image = picture(width, height)
    shown = showing(Preprocess(size=size, resize="exact", sampling="corners"))(image)
    expected = np.asarray(image, dtype=np.float64)
    for axis, length in enumerate(size):
        place = np.arange(length) * (expected.shape[axis] / length)
        low = np.minimum(place.astype(int), expected.shape[axis] - 1)
        high = np.minimum(low + 1, expected.shape[axis] - 1)
        share = (place - low).reshape(-1, *(1,) * (2 - axis))
        expected = expected.take(low, axis) * (1 - share) + expected.take(high, axis) * share
    assert np.abs(shown - expected).max() < 1e-2


def test_an_image_of_the_right_size_is_shown_as_it_is():
    image = picture(30, 24)
    for resize, side in (("exact", 0), ("central", 0)):
        shown = showing(Preprocess(size=(24, 30), resize=resize, resize_to=side))(image)
        assert np.array_equal(shown, np.asarray(image))
