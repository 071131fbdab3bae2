"""What a training image costs: our transform against the same one put together from torchvision's classes, on one core."""

from __future__ import annotations

import torch
import torchvision.transforms.v2 as transforms

from benchmarks.interleaved import Measured, in_turn
from inceptions.data import training
from inceptions.recipe import recipe

IMAGES, SIDE = 64, 176


def measure() -> Measured:
    """Random crop to 128, flip, brightness, contrast and saturation of images whose shorter side is 176."""
    scratch = recipe("scratch")
    augment, size = scratch.augment, scratch.image_size
    images = [torch.randint(0, 256, (SIDE, SIDE + 3 * i % 90, 3), dtype=torch.uint8).permute(2, 0, 1) for i in range(IMAGES)]
    ours = training(augment, size)
    theirs = transforms.Compose(
        [
            transforms.RandomResizedCrop(size, scale=augment.crop_scale, ratio=augment.crop_ratio, antialias=True),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(augment.brightness, augment.contrast, augment.saturation),
        ]
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return in_turn(
            f"Training transform, {SIDE} to {size} pixels, one core",
            {
                "torchvision v2": lambda: [theirs(image) for image in images],
                "inceptions": lambda: [ours(image, seed) for seed, image in enumerate(images)],
            },
            IMAGES,
        )
    finally:
        torch.set_num_threads(threads)
