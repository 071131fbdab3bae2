"""An image as the network is shown it outside training: resized and cut out, always the same way. Pillow and numpy suffice.

What comes out are pixels, RGB, channels last. Their scale and the order of their channels are another matter: `normalise`
(torch), or the first operation of a graph that was written down.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inceptions.weights.preprocess import Preprocess

Pixels = NDArray[np.uint8] | NDArray[np.float32]
"""`[height, width, 3]`, RGB, 0 to 255."""

# Beyond this ratio of its sides an image is a strip, whose middle is cut out before its shorter side is enlarged.
LONGEST_ASPECT = 16


def showing(preprocess: Preprocess) -> Callable[[Image.Image], Pixels]:
    """How a decoded image becomes what the network sees of it.

    Equal to torchvision's (and so timm's) `Resize` and `CenterCrop` on Pillow images, bit for bit. An image whose sides differ
    by more than a factor of 16 is cut to its middle first, so that a strip cannot fill the memory.

    Returns:
        A function from an image in mode RGB to pixels `[*preprocess.size, 3]`: uint8, or float32 where the preprocessing's
        `sampling` does not round to bytes. They may not be writable.
    """

    def show(image: Image.Image) -> Pixels:
        match preprocess.resize:
            case "shorter_side":
                image = _middle(image, preprocess.size)
            case "central":
                image = _central(image, preprocess.fraction)
        seen = _resized(image, preprocess)
        if preprocess.resize not in ("shorter_side", "squeezed"):
            return seen if isinstance(seen, np.ndarray) else np.asarray(seen)
        if isinstance(seen, np.ndarray):
            left, top, right, bottom = _centre((seen.shape[1], seen.shape[0]), preprocess.size)
            return seen[top:bottom, left:right]
        return np.asarray(seen.crop(_centre(seen.size, preprocess.size)))

    return show


def scaled_to(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """(width, height) of an image after its shorter side became `shorter`; the longer one is rounded down."""
    short = min(size)
    width, height = (shorter if length == short else int(shorter * length / short) for length in size)
    return width, height


def _resized(image: Image.Image, preprocess: Preprocess) -> Image.Image | Pixels:
    """The image before the crop, if there is one: Pillow's, or float32 where nothing is rounded."""
    match preprocess.resize:
        case "shorter_side":
            width, height = scaled_to(image.size, preprocess.resize_to)
        case "squeezed":
            height = width = preprocess.resize_to
        case "exact" | "central":
            height, width = preprocess.size
    if preprocess.sampling == "antialiased":
        filtering = Image.Resampling[preprocess.interpolation.upper()]
        return image if image.size == (width, height) else image.resize((width, height), filtering)
    pixels = np.asarray(image, dtype=np.float32)
    if preprocess.sampling == "centres":
        return _between_centres(pixels, height, width)
    return _between_corners(_between_corners(pixels, 0, height), 1, width)


def _between_centres(pixels: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Bilinear between the four nearest pixels, whose centres lie at a half: PyTorch's `interpolate`, to the last bit."""
    (top, bottom, down), (left, right, across) = _places(pixels.shape[0], height), _places(pixels.shape[1], width)
    low, high = pixels[top], pixels[bottom]
    down, across = down[:, None, None], across[None, :, None]
    up, back = np.float32(1) - down, np.float32(1) - across
    # The order of PyTorch's kernel, and its fused multiply-adds.
    found = (up * across) * low[:, right]
    for weight, corner in ((up * back, low[:, left]), (down * back, high[:, left]), (down * across, high[:, right])):
        found = _fused(weight, corner, found)
    return found


def _places(old: int, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """For each new pixel the two old ones around its centre, and how far it is from the first to the second."""
    scale = float(np.float32(old) / np.float32(length))
    place = np.maximum((scale * (np.arange(length) + 0.5) - 0.5).astype(np.float32), np.float32(0))
    first = np.minimum(place.astype(np.int64), old - 1)
    return first, np.minimum(first + 1, old - 1), np.clip(place - first.astype(np.float32), 0, 1)


def _between_corners(pixels: NDArray[np.float32], axis: int, length: int) -> NDArray[np.float32]:
    """One side of an image resized as TensorFlow 1 does: between the pixels at the foot and next to where one falls."""
    old = pixels.shape[axis]
    place = np.arange(length, dtype=np.float32) * np.float32(old / length)
    low = np.minimum(place.astype(np.int64), old - 1)
    share = (place - low.astype(np.float32)).reshape(-1, *(1,) * (pixels.ndim - 1 - axis))
    first, second = pixels.take(low, axis), pixels.take(np.minimum(low + 1, old - 1), axis)
    # From the nearer end, fused: PyTorch's `lerp`, to the last bit.
    near = share < 0.5
    return _fused(np.where(near, share, share - np.float32(1)), second - first, np.where(near, first, second))


def _fused(a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32]) -> NDArray[np.float32]:
    """The product of `a` and `b`, plus `c`, rounded once: a product of two float32 is exact in float64."""
    found: NDArray[np.float32] = (a.astype(np.float64) * b + c).astype(np.float32)
    return found


def _centre(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the middle (height, width) of an image of (width, height); it is not larger than that."""
    (width, height), (tall, wide) = size, wanted
    top, left = round((height - tall) / 2), round((width - wide) / 2)
    return left, top, left + wide, top + tall


def _central(image: Image.Image, fraction: float) -> Image.Image:
    """The middle of both sides, as TensorFlow's `central_crop` counts its pixels."""
    left, top = (int((length - length * fraction) / 2) for length in image.size)
    return image.crop((left, top, image.width - left, image.height - top))


def _middle(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    longest = round(LONGEST_ASPECT * max(size) / min(size) * min(image.size))
    if max(image.size) <= longest:
        return image
    return image.crop(_centre(image.size, (min(image.height, longest), min(image.width, longest))))
