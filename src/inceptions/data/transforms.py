"""Images to the network's input: at random for training, exactly for everything else.

The kernels are torchvision's (`transforms.v2.functional`). The random numbers are ours: each sample draws its own from a seed,
so nothing depends on what was drawn before it, and no global random state is touched. What comes out is RGB in bytes;
`normalise` alone knows the network's channels and scale.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torchvision.transforms.v2.functional as kernels
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import RandAugment

from inceptions.data.augment import Augment, Fill
from inceptions.data.colours import VARIANCES, lit, put, recoloured, to_bytes
from inceptions.data.showing import showing
from inceptions.weights.preprocess import Preprocess

METHODS = ("bilinear", "area", "nearest", "bicubic")

# An image is decoded at a half or a quarter of its size where so many times the pixels that are shown are left, side by side.
# On photographs with details of single pixels the mean difference is then below 1 of 255; at an eighth it would not be.
SPARE, SMALLEST = 1.5, 4


class Transform(Protocol):
    """What training shows of images, each decided by its own seed."""

    def at_least(self, size: tuple[int, int], seed: int) -> int | None:
        """Pixels that the shorter side of an image of (height, width) must keep for what will be shown of it; None: all."""
        ...

    def batch(self, images: Iterable[tuple[Tensor, int]]) -> Tensor:
        """Images (uint8, `[3, height, width]`) and their seeds to `[batch, 3, height, width]`, a pixel's channels together."""
        ...


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
        return self.batch([(pixels, seed)])[0]

    def at_least(self, size: tuple[int, int], seed: int) -> int | None:
        """How far an image of (height, width) may be reduced while it is decoded, so that the part shown keeps enough pixels.

        Drawn with the numbers that the part itself is drawn with; of an image that was reduced, rounding lets one in a hundred
        parts lie elsewhere. Where images are not always resized with antialiasing, every other size is another image.
        """
        if self.augment.interpolation != "bilinear" or self._spare(size) < 2:
            return None
        shown = size
        if self.augment.crop == "random_resized":
            chance = random.Random(seed)
            shown = random_rectangle(chance, size, self.augment.crop_scale, self.augment.crop_ratio)[2:]
        spare = self._spare(shown)
        return max(math.ceil(min(size) / spare), min(size) // SMALLEST) if spare >= 2 else None

    def batch(self, images: Iterable[tuple[Tensor, int]]) -> Tensor:
        """Show images side by side.

        All are cut out before the first is recoloured: image by image, the decoder and the colours would take the processor's
        caches from each other, and last a quarter longer.

        Args:
            images: each as in a call, with its seed; taken one by one, so that they may be decoded on the way.

        Returns:
            uint8, `[batch, 3, *size]`, the channels of a pixel side by side.
        """
        cut, chances = [], []
        for pixels, seed in images:
            chances.append(random.Random(seed))
            cut.append(self._cut(pixels, chances[-1]))
        batch = torch.stack(cut).permute(0, 3, 1, 2)
        for shown, chance in zip(batch, chances, strict=True):
            self._change(shown, chance)
        return batch

    def _spare(self, size: tuple[int, int]) -> float:
        """How many times smaller something of (height, width) may become before it is shown."""
        return min(size[0] / self.size[0], size[1] / self.size[1]) / SPARE

    def _cut(self, pixels: Tensor, chance: random.Random) -> Tensor:
        """The part of an image that is shown, at its size and in its place: uint8, `[*size, 3]`."""
        augment = self.augment
        if augment.crop == "random_resized":
            top, left, height, width = random_rectangle(chance, pixels.shape[-2:], augment.crop_scale, augment.crop_ratio)
            pixels = pixels[..., top : top + height, left : left + width]
        shown = resized(pixels, self.size, chance.choice(METHODS) if augment.interpolation == "random" else "bilinear")
        if augment.moves:
            shown = to_bytes(moved(shown, random_map(chance, augment, self.size), augment.fill))
        shown = shown.permute(1, 2, 0)
        return shown.flip(1) if augment.flip and chance.random() < 0.5 else shown

    def _change(self, pixels: Tensor, chance: random.Random) -> None:
        """Change the colours of an image, and erase a part of it, where it is."""
        augment, shown = self.augment, pixels
        if augment.randaugment:
            with torch_chance(chance.getrandbits(63)):
                shown = RandAugment(augment.randaugment, augment.magnitude)(shown)
        if augment.recolours:
            widths = (augment.brightness, augment.contrast, augment.saturation)
            factors = [chance.uniform(1 - width, 1 + width) for width in widths]
            if augment.colour_order == "together":
                shown = recoloured(shown, *factors)
            else:
                for place in chance.sample(range(3), 3):
                    alone = [1.0, 1.0, 1.0]
                    alone[place] = factors[place]
                    shown = recoloured(shown, *alone)
        if augment.hue:
            shown = kernels.adjust_hue(to_bytes(shown), chance.uniform(-augment.hue, augment.hue))
        if augment.lighting:
            shown = lit(shown, [chance.gauss(0, augment.lighting) for _ in VARIANCES])
        if shown is not pixels:
            put(shown, pixels)
        if chance.random() < augment.erase:
            top, left, height, width = random_rectangle(chance, self.size, (0.02, 1 / 3), (0.3, 1 / 0.3))
            mean = pixels.to(torch.float32).mean(dim=(1, 2), keepdim=True)
            pixels[:, top : top + height, left : left + width] = to_bytes(mean)


def training(augment: Augment, size: int | tuple[int, int]) -> Training:
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
        return to_bytes(torch.nn.functional.adaptive_avg_pool2d(pixels.to(torch.float32), size))
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
