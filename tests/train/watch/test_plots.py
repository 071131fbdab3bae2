"""The history as pictures."""

from __future__ import annotations

import io

from PIL import Image

from inceptions.train.run.folder import Row
from inceptions.train.watch.plots import COLOURS, draw_history, picture


def rows(count: int) -> list[Row]:
    return [
        Row(epoch=i + 1, step=i, split=split, loss=1 / (i + 1), accuracy=i / count, lr=0.1, seconds=i)
        for i in range(count)
        for split in ("train", "validation")
    ]


def test_both_pictures_are_written_and_show_both_curves(tmp_path) -> None:
    draw_history(rows(5), tmp_path)
    for name in ("accuracy.png", "loss.png"):
        with Image.open(tmp_path / name) as image:
            colours = {colour for _, colour in image.convert("RGB").getcolors(100_000)}
        for colour in COLOURS.values():
            assert tuple(bytes.fromhex(colour[1:])) in colours


def test_no_history_is_an_empty_picture() -> None:
    assert Image.open(io.BytesIO(picture([], "loss"))).size == (768, 480)
