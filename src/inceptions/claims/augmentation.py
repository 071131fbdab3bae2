"""What training images go through in the experiments, a batch at once: `Training.augment`.

The recipes' own transforms work on single photographs and their decoded size; these do the same to small tensors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from inceptions.claims.training import Augmentation


def crops(pad: int, *, flips: bool) -> Augmentation:
    """Shifts by up to `pad` pixels either way, as crops of a padded image are, and mirroring."""

    def change(x: Tensor, chance: torch.Generator) -> Tensor:
        side = x.shape[-1]
        right, down = (2 * pad * (2 * _uniform(x, chance) - 1) / side for _ in range(2))
        one = torch.ones_like(right)
        return _warped(x, one * _mirror(x, chance, flips), one, 0 * one, right, down)

    return change


def tutorial(*, flips: bool) -> Augmentation:
    """The Keras tutorial's (Chollet 2016): rotation up to 40°, shifts, shear and zoom of 0.2, mirroring."""

    def change(x: Tensor, chance: torch.Generator) -> Tensor:
        turn = math.radians(40) * (2 * _uniform(x, chance) - 1)
        right, down = (0.4 * (2 * _uniform(x, chance) - 1) for _ in range(2))
        across, along = (0.8 + 0.4 * _uniform(x, chance) for _ in range(2))
        return _warped(x, across * _mirror(x, chance, flips), along, turn, right, down)

    return change


def distortions(*, flips: bool) -> Augmentation:
    """GoogLeNet's (section 6): a crop of 8 % to 100 % of the area, aspect 3/4 to 4/3, brightness and contrast."""

    def change(x: Tensor, chance: torch.Generator) -> Tensor:
        area = 0.08 + 0.92 * _uniform(x, chance)
        aspect = torch.exp(math.log(4 / 3) * (2 * _uniform(x, chance) - 1))
        width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
        right, down = ((1 - side) * (2 * _uniform(x, chance) - 1) for side in (width, height))
        cut = _warped(x, width * _mirror(x, chance, flips), height, torch.zeros_like(right), right, down)
        return photometric(cut, chance)

    return change


def photometric(x: Tensor, chance: torch.Generator) -> Tensor:
    """Brightness by up to an eighth of the range, contrast by up to a half."""
    contrast, brightness = 0.5 + _uniform(x, chance), 0.25 * (2 * _uniform(x, chance) - 1)
    return x * contrast[:, None, None, None] + brightness[:, None, None, None]


def _uniform(x: Tensor, chance: torch.Generator) -> Tensor:
    return torch.rand(len(x), generator=chance)


def _mirror(x: Tensor, chance: torch.Generator, flips: bool) -> Tensor:
    side = torch.where(_uniform(x, chance) < 0.5, -1.0, 1.0)
    return side if flips else torch.ones_like(side)


def _warped(x: Tensor, across: Tensor, along: Tensor, turn: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Each image through its own affine map, `[n]` each; outside of an image its pixels are -1."""
    rows = [
        torch.stack([across * turn.cos(), -along * turn.sin(), right], dim=1),
        torch.stack([across * turn.sin(), along * turn.cos(), down], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(x.shape), align_corners=False)
    return functional.grid_sample(x + 1, grid, mode="bilinear", padding_mode="zeros", align_corners=False) - 1
