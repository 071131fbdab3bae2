from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageChops

from inceptions.data import open_data
from inceptions.predict import an_image


def test_digits_are_written_pixel_for_pixel(tmp_path: Path) -> None:
    splits = open_data()
    path = an_image(splits, tmp_path)
    assert path == tmp_path / "samples" / "9.png"
    held = splits.validation
    for label in range(10):
        first = held.open(list(held.labels).index(label))
        with Image.open(tmp_path / "samples" / f"{label}.png") as written:
            assert ImageChops.difference(first, written.convert("RGB")).getbbox() is None


def test_a_folder_has_images_of_its_own(photos: Path, tmp_path: Path) -> None:
    path = an_image(open_data(photos), tmp_path / "run")
    assert path.is_file()
    assert path.is_relative_to(photos)
    assert not (tmp_path / "run").exists()
