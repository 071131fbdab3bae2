from __future__ import annotations

import base64
import json
import re
import shlex
from dataclasses import asdict, replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from inceptions.architecture import Options
from inceptions.errors import UsageError
from inceptions.evaluate import ClassScore, Evaluation, write_report
from inceptions.evaluate.report import command
from inceptions.recipe import override, recipe
from inceptions.train import Manifest, Row

NASTY = "<script>alert('x')</script>"
VOID = {"meta", "img", "br", "link", "input", "hr"}
EVALUATION = Evaluation(
    n=20,
    top1=0.85,
    top5=1.0,
    loss=0.4321,
    protocol="seen once",
    precision="fp32",
    per_class=(
        ClassScore(name=NASTY, n=10, correct=10, accuracy=1.0, mistaken_for=None),
        ClassScore(name="red", n=10, correct=7, accuracy=0.7, mistaken_for=NASTY),
    ),
    skipped=(("red/9.png", "it is empty"),),
)


class Outline(HTMLParser):
    """Checks that every element is closed where it should be, and keeps what would be fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def manifest(**changes: object) -> Manifest:
    whole = Manifest(
        recipe=recipe("scratch"),
        data="my photos",
        fingerprint="00",
        images=(160, 20),
        classes=(NASTY, "red"),
        model="googlenet",
        variant="bn",
        options=asdict(Options(num_classes=2)),
        precision="fp32",
        versions={"inceptions": "0"},
    )
    return replace(whole, **changes)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "accuracy.png").write_bytes(b"not really a picture")
    (tmp_path / "recipe.toml").write_text(manifest().to_toml())
    rows = []
    for epoch, accuracy in enumerate((0.5, 0.85, 0.85), start=1):
        for split in ("train", "validation"):
            rows.append(Row(epoch=epoch, step=epoch, split=split, loss=1 / epoch, accuracy=accuracy, lr=0.1, seconds=61.0))
    rows[-1] = replace(rows[-1], loss=9.0)  # as accurate as the epoch before, but not as good
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    return tmp_path


def test_one_page_that_needs_nothing_else(run: Path) -> None:
    page = write_report(run, EVALUATION).read_text()
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert outline.addresses == ["data:image/png;base64," + base64.b64encode(b"not really a picture").decode()]
    assert "script" not in outline.seen
    assert not re.search(r"https?:|url\(|@import", page)
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_says_what_was_measured(run: Path) -> None:
    page = unescape(write_report(run, EVALUATION).read_text())
    for said in ("googlenet on my photos", "85.0 %", "0.432", "1:01", "seen once", "red/9.png: it is empty", "(epoch 2)"):
        assert said in page
    assert page.index("70.0 %") < page.rindex("100.0 %"), "the hardest class comes first"
    assert (run / "recipe.toml").read_text() in page


def test_the_same_run_gives_the_same_bytes(run: Path) -> None:
    assert write_report(run, EVALUATION).read_bytes() == write_report(run, EVALUATION).read_bytes()


def test_no_run_no_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run in"):
        write_report(tmp_path, EVALUATION)
    (tmp_path / "recipe.toml").write_text(manifest().to_toml())
    with pytest.raises(UsageError, match="has not finished an epoch"):
        write_report(tmp_path, EVALUATION)


@pytest.mark.parametrize(
    "settings",
    [[], ["epochs=3"], ["optim.lr=0.00012", "augment.crop_scale=0.08,1", "ema=none", "augment.flip=false", "clip=none"]],
)
def test_the_command_brings_the_recipe_back(settings: list[str]) -> None:
    settings = [setting.replace("clip=", "optim.clip=") for setting in settings]
    changed = override(recipe("scratch"), settings)
    words = shlex.split(command(manifest(recipe=changed, options=asdict(Options(width=0.5)))))
    assert words[:3] == ["inceptions", "train", "my photos"]
    given = [value for word, value in pairwise(words) if word == "--set"]
    assert override(recipe("scratch"), given) == changed
    assert words[words.index("--width") + 1] == "0.5"
    assert "--depth" not in words
