"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every run: a change is judged by what it changes. `--hypothesis-profile default` looks at new ones.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of photographs and weights that lies beside the project where it is developed; never part of it."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared (photographs, odd images, weights) is not on this machine")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tests run beside each other, on machines of two cores: more threads would only wait for one another."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two classes that a child could tell apart, ten small images each: red ones and blue ones."""
    from PIL import Image

    root = tmp_path / "photos"
    for name, colour in (("blue", (20, 40, 200)), ("red", (210, 30, 20))):
        (root / name).mkdir(parents=True)
        for i in range(10):
            image = Image.new("RGB", (40 + i, 36), colour)
            image.paste((90 + 10 * i, 120, 60), (i, 2 * i, i + 6, 2 * i + 6))
            image.save(root / name / f"{i}.png")
    return root
