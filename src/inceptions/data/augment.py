"""What training may do to an image, as data: a part of every recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from inceptions.errors import UsageError

Crop = Literal["random_resized", "whole"]
Fill = Literal["nearest", "constant"]
Resampling = Literal["bilinear", "random"]
ColourOrder = Literal["together", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Random changes that leave the class as it is. Zero, or False, turns each of them off.

    They are made in this order: crop and resize, one affine map (rotation, shift, shear and zoom, as Keras's
    `ImageDataGenerator` composes them), mirror, RandAugment, colours (brightness, contrast, saturation; hue; lighting),
    erasing; then whole batches are mixed.

    Attributes:
        crop: "random_resized" cuts out a random rectangle (GoogLeNet paper, section 6: "various sized patches of the image");
            "whole" resizes the whole image to the network's size, whatever its aspect.
        crop_scale: smallest and largest share of the area that a random rectangle covers.
        crop_ratio: its smallest and largest width by height, drawn evenly on a logarithmic scale.
        interpolation: of the resize: "bilinear" with antialiasing, or "random": for each image bilinear, area (the mean of what
            a pixel covers), nearest or cubic, each as likely (GoogLeNet paper, section 6).
        flip: mirror every other image, left to right.
        rotation: up to so many degrees either way.
        shift: up to this share of height and width, each either way.
        shear: up to so many degrees either way.
        zoom: height and width are scaled by factors between 1 - zoom and 1 + zoom, drawn independently.
        fill: what an affine map shows beyond the border: the nearest pixel of the border, or black.
        brightness: the image is multiplied by a factor between 1 - brightness and 1 + brightness.
        contrast: the same for the distance of each pixel from the mean grey.
        saturation: the same for the distance of each pixel from its own grey.
        colour_order: "together" makes the three changes at once and clamps once. "random" makes them one after the other, in an
            order drawn for each image, and clamps after each: the photometric distortions of Howard 2013 (arXiv:1312.5402), who
            used Pillow's `ImageEnhance` with factors from 0.5 to 1.5.
        hue: turn of the colour circle, in turns, up to 0.5 either way.
        lighting: standard deviation of the random multiples of the colours' principal components that are added to all pixels
            alike; 0.1 in Krizhevsky et al. 2012, section 4.1, whom Howard follows.
        randaugment: how many of RandAugment's changes are made in a row (Cubuk et al. 2020, arXiv:1909.13719), torchvision's.
        magnitude: how strong they are, 0 to 30.
        erase: probability that a random rectangle is painted over with the image's mean colour (Zhong et al. 2017).
        mixup: images and targets of a batch are averaged in pairs, with a share from Beta(mixup, mixup) (Zhang et al. 2018,
            arXiv:1710.09412).
        cutmix: each image of a batch gets a rectangle of another, whose area is a share from Beta(cutmix, cutmix), and the same
            share of its target (Yun et al. 2019, arXiv:1905.04899). With `mixup` too, each batch draws one of the two.

    Raises:
        UsageError: a value out of its range.
    """

    crop: Crop = "random_resized"
    crop_scale: tuple[float, float] = (0.35, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: Resampling = "bilinear"
    flip: bool = True
    rotation: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    fill: Fill = "nearest"
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    colour_order: ColourOrder = "together"
    hue: float = 0.0
    lighting: float = 0.0
    randaugment: int = 0
    magnitude: int = 9
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        for name, kind in KINDS.items():
            if getattr(self, name) not in get_args(kind):
                raise UsageError(f"augment.{name} must be one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}.")
        for name, most in (("crop_scale", 1.0), ("crop_ratio", math.inf)):
            low, high = getattr(self, name)
            if not 0 < low <= high <= most:
                raise UsageError(
                    f"augment.{name} must be two rising numbers above 0 (and at most {most:g}), not {low:g}, {high:g}."
                )
        for name, most in LIMITS.items():
            if not 0 <= getattr(self, name) <= most:
                raise UsageError(f"augment.{name} must lie between 0 and {most:g}, not {getattr(self, name):g}.")

    @property
    def moves(self) -> bool:
        """Whether there is an affine map."""
        return max(self.rotation, self.shift, self.shear, self.zoom) > 0

    @property
    def recolours(self) -> bool:
        """Whether brightness, contrast or saturation change."""
        return max(self.brightness, self.contrast, self.saturation) > 0


KINDS = {"crop": Crop, "fill": Fill, "interpolation": Resampling, "colour_order": ColourOrder}

# Factors may not turn negative (1 - brightness, 1 - zoom), and a shear of 90 degrees flattens the image.
LIMITS = {
    "rotation": 180.0,
    "shift": 1.0,
    "shear": 89.0,
    "zoom": 0.99,
    "brightness": 1.0,
    "contrast": 1.0,
    "saturation": 1.0,
    "hue": 0.5,
    "lighting": 1.0,
    "randaugment": 10.0,
    "magnitude": 30.0,
    "erase": 1.0,
    "mixup": 100.0,
    "cutmix": 100.0,
}
