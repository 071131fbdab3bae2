"""Images to the network's input: at random for training, exactly for everything else.

The kernels are torchvision's (`transforms.v2.functional`). The random numbers are ours: each sample draws its own from a seed,
so nothing depends on what was drawn before it, and no global random state is touched. What comes out is RGB in bytes;
`normalise` alone knows the network's channels and scale.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torchvision.transforms.v2.functional as kernels
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import RandAugment

from inceptions.data.augment import Augment, Fill
from inceptions.data.showing import showing
from inceptions.weights.preprocess import Preprocess

Transform = Callable[[Tensor, int], Tensor]
"""(an image: uint8, `[3, height, width]`; the sample's seed) -> what training shows of it: uint8, `[3, *size]`."""

# Weights of red, green and blue in a grey (ITU-R BT.601), as torchvision's colour changes take them.
GREY = (0.2989, 0.587, 0.114)

# Principal components of ImageNet's colours on the scale 0 to 1, one a column, and their variances: fb.resnet.torch's.
COMPONENTS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
VARIANCES = (0.2175, 0.0188, 0.0045)

METHODS = ("bilinear", "area", "nearest", "bicubic")


@dataclass(frozen=True, slots=True)
class Training:
    """What training shows of an image, decided by the sample's seed alone (a `Transform`).

    Attributes:
        augment: what may be changed.
        size: (height, width) that comes out.
    """

    augment: Augment
    size: tuple[int, int]

    def __call__(self, pixels: Tensor, seed: int) -> Tensor:
        """Show an image.

        Args:
            pixels: uint8, `[3, height, width]`, RGB; not changed. Fastest where the channels of a pixel lie side by side.
            seed: of the sample; equal seeds draw equally.

        Returns:
            uint8, `[3, *size]`.
        """
        chance = random.Random(seed)
        augment = self.augment
        if augment.crop == "random_resized":
            top, left, height, width = random_rectangle(chance, pixels.shape[-2:], augment.crop_scale, augment.crop_ratio)
            pixels = pixels[..., top : top + height, left : left + width]
        shown = resized(pixels, self.size, chance.choice(METHODS) if augment.interpolation == "random" else "bilinear")
        if augment.moves:
            shown = moved(shown, random_map(chance, augment, self.size), augment.fill)
        if augment.flip and chance.random() < 0.5:
            shown = kernels.horizontal_flip(shown)
        if augment.randaugment:
            with torch_chance(chance.getrandbits(63)):
                shown = RandAugment(augment.randaugment, augment.magnitude)(_bytes(shown))
        if augment.recolours:
            factors = [_factor(chance, width) for width in _colours(augment)]
            if augment.colour_order == "together":
                shown = recoloured(shown, *factors)
            else:
                for place in chance.sample(range(3), 3):
                    alone = [1.0, 1.0, 1.0]
                    alone[place] = factors[place]
                    shown = recoloured(shown, *alone)
        if augment.hue:
            shown = kernels.adjust_hue(_bytes(shown), chance.uniform(-augment.hue, augment.hue))
        if augment.lighting:
            multiples = [chance.gauss(0, augment.lighting) * variance for variance in VARIANCES]
            light = 255 * torch.tensor(COMPONENTS) @ torch.tensor(multiples)
            shown = shown.to(torch.float32).add(light.view(3, 1, 1)).clamp_(0, 255)
        shown = _bytes(shown)
        if chance.random() < augment.erase:
            top, left, height, width = random_rectangle(chance, self.size, (0.02, 1 / 3), (0.3, 1 / 0.3))
            mean = shown.to(torch.float32).mean(dim=(1, 2), keepdim=True)
            shown = kernels.erase(shown, top, left, height, width, _bytes(mean))
        return shown


def training(augment: Augment, size: int | tuple[int, int]) -> Transform:
    """The transform of a recipe's augmentation at a size: a side, or (height, width)."""
    return Training(augment, (size, size) if isinstance(size, int) else size)


def evaluation(preprocess: Preprocess) -> Callable[[Image.Image], Tensor]:
    """The transform for everything but training: `showing`, as a tensor.

    Returns:
        A function from a decoded image in mode RGB to `[3, *preprocess.size]`, 0 to 255: uint8, or float32 where the
        preprocessing's `sampling` does not round to bytes. The channels of a pixel lie side by side.
    """
    show = showing(preprocess)
    return lambda image: torch.from_numpy(np.require(show(image), requirements="W")).permute(2, 0, 1)


def to_tensor(image: Image.Image) -> Tensor:
    """An RGB image as uint8, `[3, height, width]`, with the channels of a pixel side by side as Pillow keeps them."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def resized(pixels: Tensor, size: tuple[int, int], method: str) -> Tensor:
    """An image at another size.

    Args:
        pixels: uint8, `[3, height, width]`.
        size: (height, width) that comes out.
        method: "bilinear" or "bicubic" with antialiasing, "nearest", or "area": the mean of the pixels that one of the new ones
            covers, as `tf.image.resize_area` for whole factors.

    Returns:
        uint8, `[3, *size]`.
    """
    if method == "area":
        return _bytes(torch.nn.functional.adaptive_avg_pool2d(pixels.to(torch.float32), size))
    mode = InterpolationMode.NEAREST_EXACT if method == "nearest" else InterpolationMode(method)
    # A part of an image is copied first: the kernel for channels that lie side by side takes whole images.
    whole = pixels[None].contiguous(memory_format=torch.channels_last)
    shown: Tensor = kernels.resize(whole, list(size), mode, antialias=True)[0]
    return shown


@contextmanager
def torch_chance(seed: int) -> Iterator[None]:
    """Let torch's global generator begin at a seed while the block runs, for library code that knows no other."""
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)


def random_rectangle(
    chance: random.Random, size: tuple[int, ...], scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[int, int, int, int]:
    """A rectangle of random area, aspect and place, as torchvision's `RandomResizedCrop` draws it.

    Args:
        chance: where the random numbers come from.
        size: (height, width) of the image.
        scale: smallest and largest share of the image's area.
        ratio: smallest and largest width by height.

    Returns:
        (top, left, height, width), inside the image. After ten rectangles that do not fit: the largest central one whose aspect
        is in range.
    """
    height, width = size
    for _ in range(10):
        area = height * width * chance.uniform(*scale)
        aspect = math.exp(chance.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return chance.randint(0, height - h), chance.randint(0, width - w), h, w
    aspect = min(max(width / height, ratio[0]), ratio[1])
    w, h = max(1, min(width, round(height * aspect))), max(1, min(height, round(width / aspect)))
    return (height - h) // 2, (width - w) // 2, h, w


def random_map(chance: random.Random, augment: Augment, size: tuple[int, int]) -> NDArray[np.float64]:
    """A random affine map, composed as Keras's `ImageDataGenerator` does: rotation · shift · shear · zoom.

    Returns:
        float64, `[3, 3]`: from (row, column, 1) of what is shown to that of the image, both in pixels from the centre.
    """
    turn = math.radians(chance.uniform(-augment.rotation, augment.rotation))
    down, right = (chance.uniform(-augment.shift, augment.shift) * side for side in size)
    lean = math.radians(chance.uniform(-augment.shear, augment.shear))
    tall, wide = (chance.uniform(1 - augment.zoom, 1 + augment.zoom) for _ in range(2))
    rotation = np.array([[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0], [0, 0, 1]])
    shift = np.array([[1, 0, down], [0, 1, right], [0, 0, 1]])
    shear = np.array([[1, -math.sin(lean), 0], [0, math.cos(lean), 0], [0, 0, 1]])
    composed: NDArray[np.float64] = rotation @ shift @ shear @ np.diag([tall, wide, 1.0])
    return composed


def moved(pixels: Tensor, matrix: NDArray[np.float64], fill: Fill) -> Tensor:
    """An image under an affine map, interpolated bilinearly.

    Args:
        pixels: `[channels, height, width]`.
        matrix: as `random_map` returns it.
        fill: "nearest" repeats the border's pixels outwards, "constant" shows black.

    Returns:
        float32, `[channels, height, width]`, from 0 to 255 where `pixels` are bytes.
    """
    height, width = pixels.shape[-2:]
    ((rr, rc, r), (cr, cc, c), _) = matrix.tolist()
    # torch samples by (x, y) from -1 to 1 across the image, whatever its sides.
    theta = torch.tensor([[[cc, cr * height / width, 2 * c / width], [rc * width / height, rr, 2 * r / height]]])
    image = pixels[None].to(torch.float32)
    grid = torch.nn.functional.affine_grid(theta, list(image.shape), align_corners=False)
    padding = "border" if fill == "nearest" else "zeros"
    return torch.nn.functional.grid_sample(image, grid, padding_mode=padding, align_corners=False)[0]


def recoloured(pixels: Tensor, brightness: float, contrast: float, saturation: float) -> Tensor:
    """Brightness, contrast and saturation changed by factors, in that order.

    All three are linear in a pixel's colour, so they are one 3 × 3 matrix and an offset; the result is clamped once, where
    torchvision's functions clamp (and round) after each of the three.

    Args:
        pixels: `[3, height, width]`, 0 to 255.
        brightness: 0 is black, 1 leaves it.
        contrast: 0 is the mean grey everywhere, 1 leaves it.
        saturation: 0 is grey, 1 leaves it.

    Returns:
        float32, `[3, height, width]`, 0 to 255; the channels of a pixel lie side by side.
    """
    height, width = pixels.shape[-2:]
    numbers = 3 * height * width
    # Four pixels at a time, so that the matrix fills the registers; the channels of a pixel stay side by side.
    colours = torch.zeros(-(-numbers // 12), 12)
    flat = colours.view(-1)[:numbers]
    flat.view(height, width, 3).copy_(pixels.permute(1, 2, 0))
    means = flat.view(height, 3 * width).mean(dim=0).view(width, 3).mean(dim=0)
    grey = torch.tensor(GREY)
    mix = brightness * contrast * (saturation * torch.eye(3) + (1 - saturation) * grey.expand(3, 3))
    offset = (1 - contrast) * brightness * (grey @ means)
    changed = torch.addmm(offset.expand(12), colours, torch.kron(torch.eye(4), mix.T.contiguous())).clamp_(0, 255)
    return changed.view(-1)[:numbers].view(height, width, 3).permute(2, 0, 1)


def _colours(augment: Augment) -> tuple[float, float, float]:
    return augment.brightness, augment.contrast, augment.saturation


def _factor(chance: random.Random, width: float) -> float:
    return chance.uniform(1 - width, 1 + width)


def _bytes(pixels: Tensor) -> Tensor:
    """Numbers from 0 to 255 as bytes; they are rounded where they are."""
    return pixels if pixels.dtype == torch.uint8 else pixels.round_().to(torch.uint8)
