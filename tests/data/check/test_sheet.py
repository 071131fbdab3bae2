from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib import get_data_path
from PIL import Image, ImageFont

from inceptions.cli import execute
from inceptions.data import Augment, open_data, training
from inceptions.data.check import Showing, sheet
from inceptions.data.check.sheet import CELL, GAP, HEADING, LABEL, TRAINED, VALIDATED, clipped
from inceptions.weights import Preprocess


@pytest.fixture
def colours(tmp_path):
    root = tmp_path / "photos"
    for name, colour in (("blue", (0, 0, 200)), ("red", (200, 0, 0))):
        for part, count in (("train", 3), ("val", 1)):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                image = Image.new("RGB", (40, 30), colour)
                image.putpixel((i, 0), (i, i, len(part)))
                image.save(root / part / name / f"{i}.png")
    return root


def cell(picture: Image.Image, row: int, column: int) -> np.ndarray:
    left = GAP + column * (CELL + GAP) + (GAP if column >= TRAINED else 0)
    top = HEADING + row * (CELL + LABEL + GAP) + LABEL
    return np.asarray(picture.crop((left, top, left + CELL, top + CELL)), dtype=int)


def test_each_class_has_its_row(colours, tmp_path):
    (colours / "train/red/1.png").write_bytes(b"")
    splits = open_data(colours)
    dark = training(Augment(brightness=0.5, flip=False), 24)
    showing = Showing(transform=dark, source_size=None, preprocess=Preprocess.standard(24), seed=0)
    state = torch.get_rng_state()
    sheet(tmp_path / "sheet.png", splits, showing, title="x" * 500)
    assert torch.equal(torch.get_rng_state(), state)
    with Image.open(tmp_path / "sheet.png") as opened:
        picture = opened.copy()
    for row, channel in ((0, 2), (1, 0)):
        brightness = []
        for column in range(TRAINED + 1):
            middle = cell(picture, row, column)[40:90, 40:90].mean(axis=(0, 1))
            assert middle.argmax() == channel
            assert middle.sum() == middle[channel]
            brightness.append(middle[channel])
        assert len(set(brightness[:TRAINED])) > 3, "each is augmented for itself"
        assert brightness[TRAINED] == 200, "validation is not"
        for missing in range(TRAINED + 1, TRAINED + VALIDATED):
            assert cell(picture, row, missing).min() == 255


def test_the_command_draws_what_the_recipe_shows(colours, tmp_path, capsys):
    arguments = ["data", "check", str(colours), "--quiet", "--sheet", str(tmp_path / "s.png"), "--recipe", "tutorial"]
    assert execute(arguments) == 0
    assert f"drawn in {tmp_path / 's.png'}\n" in capsys.readouterr().err
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.size == (2 * GAP + (TRAINED + VALIDATED) * (CELL + GAP), HEADING + 2 * (CELL + LABEL + GAP))
    assert execute([*arguments[:-1], "nonsense"]) == 2
    assert "Unknown recipe 'nonsense'" in capsys.readouterr().err


def test_labels_are_clipped_and_escaped():
    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", 15)
    assert clipped("Katze", font, 200) == "Katze"
    long = clipped("<script>" * 10_000_000, font, 200)
    assert long.endswith("…")
    assert font.getlength(long) <= 200
    assert clipped("a\nb\x1b[0m\u202e", font, 300) == "a\\nb\\x1b[0m\\u202e"
