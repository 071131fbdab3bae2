from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inceptions.deploy.sample import sample
from inceptions.errors import DataError
from inceptions.weights import Preprocess

SMALL = Preprocess(size=(8, 8), resize_to=8)


def test_some_of_a_folder_evenly_spread(tmp_path: Path) -> None:
    for level in range(0, 200, 10):
        Image.new("RGB", (10, 12), (level, level, level)).save(tmp_path / f"{level:03d}.png")
    every = sample(tmp_path, SMALL, 20)
    assert every.shape == (20, 8, 8, 3)
    assert np.array_equal(sample(tmp_path, SMALL, 5), every[::4])
    (tmp_path / "010.png").write_bytes(b"no image")
    assert len(sample(tmp_path, SMALL, 100)) == 19


def test_what_cannot_be_sampled(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        sample(tmp_path / "nowhere", SMALL, 5)
    with pytest.raises(DataError, match="no image"):
        sample(tmp_path, SMALL, 5)
