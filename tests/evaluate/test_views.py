from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import FiveCrop, Resize
from torchvision.transforms.v2.functional import horizontal_flip, pil_to_tensor

from inceptions.data import evaluation
from inceptions.evaluate.protocol import Protocol
from inceptions.evaluate.views import viewer
from inceptions.weights import Preprocess

AT_48 = Preprocess.standard(48)


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "preprocess",
    [
        AT_48,
        Preprocess(size=(40, 56), resize="exact", interpolation="bicubic"),
        Preprocess(size=(48, 48), resize="central", fraction=0.875, sampling="centres"),
    ],
)
def test_one_crop_is_what_the_weight_file_says(preprocess: Preprocess) -> None:
    image = noise(61, 90)
    (shown,) = viewer(Protocol(), preprocess)(image)
    assert torch.equal(shown, evaluation(preprocess)(image)[None])


@pytest.mark.parametrize("size", [(61, 90), (90, 61), (64, 64), (10, 17)])
def test_ten_crops_are_torchvisions(size: tuple[int, int]) -> None:
    image = noise(*size)
    (shown,) = viewer(Protocol(crops="10"), AT_48)(image)
    square = Resize(55, InterpolationMode.BILINEAR)(image)
    width, height = square.size
    left, top = (width - 55) // 2, (height - 55) // 2
    square = square.crop((left, top, left + 55, top + 55))
    five = [pil_to_tensor(part) for part in FiveCrop(48)(square)]
    # torchvision rounds the place of the centre to the nearest pixel, and we down, as everywhere
    five[4] = pil_to_tensor(square.crop((3, 3, 51, 51)))
    expected = torch.stack([one for part in five for one in (part, horizontal_flip(part))])
    assert torch.equal(shown, expected)


def test_144_crops_of_a_picture_of_its_own_places() -> None:
    """A picture that says in each pixel where it is, at a scale that leaves it as it is."""
    rows, columns = np.mgrid[0:64, 0:96]
    image = Image.fromarray(np.stack([rows, columns, 0 * rows], axis=2).astype(np.uint8))
    (shown,) = viewer(Protocol(crops="144", scales=(64,)), AT_48)(image)
    corners = {(int(one[0, 0, 0]), int(one[1, 0, 0])) for one in shown[::2] if int(one[0, -1, -1]) - int(one[0, 0, 0]) == 47}
    expected = {(y, x + left) for left in (0, 16, 32) for y, x in ((0, 0), (0, 16), (16, 0), (16, 16), (8, 8))}
    assert corners == expected
    assert torch.equal(shown[1::2], shown[::2].flip(3))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from(["10", "12", "144", "full"]))
@example(1, 1, "144")
@example(1, 400, "144")
@example(400, 1, "full")
def test_every_image_can_be_shown(height: int, width: int, crops: str) -> None:
    preprocess = Preprocess.standard(16)
    protocol = Protocol(crops=crops)
    shown = viewer(protocol, preprocess)(noise(height, width))
    assert sum(map(len, shown)) == protocol.views(preprocess)
    for one in shown:
        assert one.dtype == torch.uint8
        assert one.shape[1:] == (3, 16, 16) or (crops == "full" and min(one.shape[2:]) == 18)
        assert one.numel() < 3 * 144 * 18 * 18 * 16


@pytest.mark.parametrize("sampling", ["centres", "corners"])
def test_sampling_that_does_not_round(sampling: str) -> None:
    preprocess = Preprocess(size=(32, 32), resize="exact", sampling=sampling)
    (shown,) = viewer(Protocol(crops="12", scales=(40,)), preprocess)(noise(50, 70))
    assert shown.dtype == torch.float32
    assert shown.shape == (12, 3, 32, 32)
    whole = evaluation(Preprocess(size=(40, 56), resize="exact", sampling=sampling))(noise(50, 70))
    assert torch.equal(shown[0], whole[:, :32, 8:40])


def test_a_strip_is_cut_to_its_middle() -> None:
    (shown,) = viewer(Protocol(crops="full", scales=(20,)), Preprocess.standard(16))(noise(2, 400))
    assert shown.shape == (1, 3, 20, 320)
