"""Small folders of images, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

Plant = Callable[[Mapping[str, int]], Path]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def noise() -> Callable[..., Image.Image]:
    """An image that no two seeds share."""

    def make(seed: int, width: int = 24, height: int = 18) -> Image.Image:
        return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))

    return make


@pytest.fixture
def plant(tmp_path: Path, noise: Callable[..., Image.Image]) -> Plant:
    """Make a folder: {"train/cats": 3} puts three images there."""

    def make(folders: Mapping[str, int]) -> Path:
        root = tmp_path / "photos"
        for at, (name, count) in enumerate(folders.items()):
            (root / name).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                noise(1000 * at + i, 24 + i % 5, 18 + i % 3).save(root / name / f"{i}.png")
        return root

    return make
