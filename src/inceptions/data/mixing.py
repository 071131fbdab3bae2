"""Batches whose images are mixed with each other: mixup and cutmix."""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from inceptions.data.augment import Augment


def mixed(images: Tensor, labels: Tensor, *, classes: int, augment: Augment, seed: int) -> tuple[Tensor, Tensor]:
    """Mix every image of a batch with the one before it, if the augmentation asks for that.

    The order of the images is random already, so the one before is any other. Mixing commutes with `normalise`, so it makes no
    difference which of the two is done first.

    Args:
        images: `[batch, channels, height, width]`, floating point; not changed.
        labels: int64, `[batch]`.
        classes: how many there are.
        augment: `mixup` and `cutmix`.
        seed: `order.batch_seed`; equal seeds mix equally.

    Returns:
        The images, and their targets: float32, `[batch, classes]`, each row with the sum 1. Without mixing both as they were.
    """
    kinds = [kind for kind in ("mixup", "cutmix") if getattr(augment, kind) > 0]
    if not kinds:
        return images, labels
    chance = random.Random(seed)
    kind = chance.choice(kinds)
    alpha = getattr(augment, kind)
    own = chance.betavariate(alpha, alpha)
    others = images.roll(1, 0)
    if kind == "mixup":
        images = torch.lerp(others, images, own)
    else:
        top, bottom, left, right = random_box(chance, (images.shape[-2], images.shape[-1]), 1 - own)
        images = images.clone()
        images[..., top:bottom, left:right] = others[..., top:bottom, left:right]
        # At the border the rectangle is cut off: what counts is what can be seen.
        own = 1 - (bottom - top) * (right - left) / (images.shape[-2] * images.shape[-1])
    targets = one_hot(labels, classes).to(torch.float32)
    return images, torch.lerp(targets.roll(1, 0), targets, own)


def random_box(chance: random.Random, size: tuple[int, int], share: float) -> tuple[int, int, int, int]:
    """A rectangle of the image's aspect around a random pixel, cut off at the border (Yun et al. 2019, equation 2).

    Args:
        chance: where the random numbers come from.
        size: (height, width) of the images.
        share: of the area, before it is cut off.

    Returns:
        (top, bottom, left, right), the second and the fourth behind the last pixel.
    """
    edges = []
    for side in size:
        centre, half = chance.randrange(side), 0.5 * math.sqrt(share) * side
        edges += [max(0, int(centre - half)), min(side, int(centre + half))]
    top, bottom, left, right = edges
    return top, bottom, left, right
