"""One decoded image as what the network is shown of it: each scale is resized once, windows are cut out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch import Tensor

from inceptions.data import evaluation
from inceptions.data.showing import LONGEST_ASPECT
from inceptions.evaluate.crops import Crop, Windows, crops, resized
from inceptions.evaluate.protocol import Protocol
from inceptions.weights import Preprocess
from inceptions.weights.preprocess import LARGEST_SIDE

Pixels = NDArray[np.uint8] | NDArray[np.float32]
"""`[height, width, 3]`, RGB, 0 to 255."""
Viewer = Callable[[PIL.Image.Image], list[Tensor]]
"""An image in mode RGB → what is shown of it: `[views, 3, height, width]` for each size that its views have."""


def viewer(protocol: Protocol, preprocess: Preprocess, *, pinned: bool = False) -> Viewer:
    """What a protocol makes of an image. All is done by Pillow and numpy, which let other threads work meanwhile.

    Args:
        protocol: which views.
        preprocess: of the weights: size, interpolation and sampling.
        pinned: put the views where a GPU can fetch them by itself.

    Returns:
        A function from a decoded image to its views: uint8, or float32 where the preprocessing does not round to bytes.

    Raises:
        UsageError: the protocol does not fit the preprocessing.
    """
    sized = protocol.sized(preprocess)
    if protocol.crops == "1":
        once = evaluation(sized)
        return lambda image: [placed([array(once(image))], pinned)]
    scales = protocol.sides(preprocess)
    if protocol.crops == "full":
        return lambda image: [placed([scaled(image, side, sized)], pinned) for side in scales]
    count, size = protocol.crops, sized.size[0]
    return lambda image: [placed(windows(image, count, size, scales, sized), pinned)]


def windows(image: PIL.Image.Image, count: Windows, size: int, scales: tuple[int, ...], preprocess: Preprocess) -> list[Pixels]:
    """The windows of an image, in the order of `crops`: views of its resized images, where they need no resize of their own."""
    image = shortened(image, max(scales))
    found: list[Pixels] = []
    every = crops(count, (image.height, image.width), size=size, scales=scales)
    for shorter, same in groupby(every, lambda crop: crop.shorter):
        pixels = scaled(image, shorter, preprocess)
        found += [cut(pixels, crop, preprocess) for crop in same if not crop.mirrored]
    return [shown for window in found for shown in (window, window[:, ::-1])]


def cut(pixels: Pixels, crop: Crop, preprocess: Preprocess) -> Pixels:
    """One window of a resized image. A whole square is resized once more, from bytes whatever the sampling."""
    window = pixels[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    if (crop.side, crop.side) == preprocess.size:
        return window
    square = PIL.Image.fromarray(np.ascontiguousarray(np.rint(window).clip(0, 255).astype(np.uint8)))
    return array(evaluation(replace(preprocess, resize="exact"))(square))


def scaled(image: PIL.Image.Image, shorter: int, preprocess: Preprocess) -> Pixels:
    """The whole image, its shorter side `shorter` pixels, resized as the preprocessing does."""
    image = shortened(image, shorter)
    size = resized((image.height, image.width), shorter)
    return array(evaluation(replace(preprocess, resize="exact", size=size))(image))


def shortened(image: PIL.Image.Image, shorter: int) -> PIL.Image.Image:
    """An image whose sides differ by more than a factor of 16 cut to its middle, so that a strip cannot fill the memory."""
    longest = min(LONGEST_ASPECT, LARGEST_SIDE // shorter) * min(image.size)
    if max(image.size) <= longest:
        return image
    left, top = (max(0, length - longest) // 2 for length in image.size)
    return image.crop((left, top, left + min(image.width, longest), top + min(image.height, longest)))


def array(pixels: Tensor) -> Pixels:
    """`[3, height, width]` as `[height, width, 3]`, without a copy."""
    found: Pixels = pixels.permute(1, 2, 0).numpy()
    return found


def placed(views: list[Pixels], pinned: bool) -> Tensor:
    """Views of one size, side by side in memory."""
    first = views[0]
    dtype = torch.uint8 if first.dtype == np.uint8 else torch.float32
    place = torch.empty((len(views), *first.shape), dtype=dtype, pin_memory=pinned)
    np.stack(views, out=place.numpy())
    return place.permute(0, 3, 1, 2)
