"""Any size from a network's minimum up: squares and oblongs, odd and even, with real numbers through every layer and head."""

from __future__ import annotations

import random

import pytest
import torch

from inceptions.architecture.catalogue import steps
from inceptions.network import create_model, list_models

LADDER = [f"inception_v3/paper-{step}" for step in steps("inception_v3", "paper")]
pytestmark = pytest.mark.parametrize("name", [*list_models(), *LADDER])

LARGEST = 400


def run(name: str, sizes: list[tuple[int, int]]) -> None:
    model = create_model(name, num_classes=3, seed=3, width=0.05, depth=0.1, aux=True).eval()
    noise = torch.randn(1, 3, LARGEST, LARGEST, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        for height, width in sizes:
            for head, logits in model.heads(noise[..., :height, :width]).items():
                assert logits.shape == (1, 3), (head, height, width)
                assert logits.isfinite().all(), (head, height, width)


def test_some_sizes(name: str) -> None:
    least = create_model(name, device="meta").minimum_size
    squares = [least, least + 1, 76, 97, 128, 149, 224, 299]
    run(name, [*((side, side) for side in squares), (least, 201), (331, 75), (111, 112), (160, 93)])


@pytest.mark.slow
def test_every_size(name: str) -> None:
    """All squares from the minimum to 400 pixels, and fifty oblongs."""
    least = create_model(name, device="meta").minimum_size
    draw = random.Random(5)
    oblongs: set[tuple[int, int]] = set()
    while len(oblongs) < 50:
        height, width = draw.randint(least, LARGEST), draw.randint(least, LARGEST)
        oblongs |= {(height, width)} if height != width else set()
    run(name, [*((side, side) for side in range(least, LARGEST + 1)), *sorted(oblongs)])
