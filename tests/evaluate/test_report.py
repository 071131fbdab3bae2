from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from dataclasses import asdict, replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inceptions.architecture import Options
from inceptions.cli import execute
from inceptions.data import Files, Splits
from inceptions.errors import UsageError
from inceptions.evaluate import ClassScore, Contender, Evaluation, Protocol, write_evaluation_report, write_report
from inceptions.evaluate.evaluation import score
from inceptions.evaluate.report.commands import train_command
from inceptions.recipe import override, recipe
from inceptions.train import Manifest, Row

NASTY = "<script>alert('x')</script>"
QUOTES = "\"'><img src=x onerror=alert(1)>"
RTL = "חתול \u202eabc"
LONG = "w" * 300
BROKEN = b"caf\xe9.png".decode("utf-8", "surrogateescape")
BELL = "bell\x07\x00\x1b[31m"
NAMES = (NASTY, QUOTES, RTL, LONG, BROKEN, BELL)
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
    confusion=((NASTY, NASTY, 10), ("red", NASTY, 3), ("red", "red", 7)),
)


class Outline(HTMLParser):
    """Checks that every element is closed where it should be, and keeps what matters of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.seen if name == tag]


def outlined(page: str) -> Outline:
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    return outline


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
    (tmp_path / "recipe.toml").write_text(manifest().to_toml())
    rows = []
    for epoch, accuracy in enumerate((0.5, 0.85, 0.85), start=1):
        for split in ("train", "validation"):
            rows.append(Row(epoch=epoch, step=epoch, split=split, loss=1 / epoch, accuracy=accuracy, lr=0.1, seconds=61.0))
    rows[-1] = replace(rows[-1], loss=9.0)  # as accurate as the epoch before, but not as good
    write_rows(tmp_path, rows)
    return tmp_path


def write_rows(run: Path, rows: list[Row]) -> None:
    (run / "metrics.jsonl").write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))


@pytest.fixture
def pictures(tmp_path: Path) -> Files:
    """Images of every nasty name, one in a class of each nasty name."""
    files = []
    for i, name in enumerate(NAMES):
        short = name.replace("/", "_").replace("\x00", "")[:120]
        Image.new("RGB", (30, 20), (40 * i, 90, 20)).save(tmp_path / f"{i}{short}", format="PNG")
        files.append(f"{i}{short}")
    return Files(tmp_path, tuple(files), tuple(range(len(NAMES))))


def nasty_evaluation(skipped: tuple[tuple[str, str], ...] = ()) -> Evaluation:
    """Every image of a nasty class taken for another one."""
    scores = np.roll(3 * np.eye(len(NAMES), dtype=np.float32), 1, axis=1)
    classes = tuple(NAMES)
    return score(
        scores, range(len(NAMES)), classes, protocol="once", precision="fp32", skipped=skipped, indices=tuple(range(len(NAMES)))
    )


def test_one_page_that_needs_nothing_else(run: Path) -> None:
    page = write_report(run, EVALUATION).read_text()
    outline = outlined(page)
    assert all(address.startswith(("#", "data:")) for address in outline.addresses)
    assert not re.search(r"https?:|url\(|@import", page)
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert len(page.encode()) < 5_000_000


def test_no_script_but_our_own_may_run(run: Path) -> None:
    page = write_report(run, EVALUATION).read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [meta["content"] for meta in outlined(page).all("meta") if "http-equiv" in meta]
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_can_be_walked_through_without_eyes(run: Path) -> None:
    page = write_report(run, EVALUATION).read_text()
    outline = outlined(page)
    assert [tag for tag, _ in outline.seen if tag in ("header", "main", "nav", "footer")] == ["header", "main", "nav", "footer"]
    levels = [int(tag[1]) for tag, _ in outline.seen if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.count("<table") == page.count("<caption>") > 3
    assert all("scope" in head for head in outline.all("th"))
    assert all(image["alt"] for image in outline.all("img"))
    assert all(one.get("aria-label") or one.get("aria-hidden") for one in outline.all("svg"))
    ids = [str(attrs["id"]) for _, attrs in outline.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {address[1:] for address in outline.addresses if address.startswith("#")} <= set(ids)


def test_says_what_was_measured(run: Path) -> None:
    page = unescape(write_report(run, EVALUATION).read_text()).replace("\u00a0", " ")
    for said in ("googlenet on my photos", "85.0 %", "0.432", "1:01", "seen once", "red/9.png", "it is empty", "(epoch 2)"):
        assert said in page
    assert "17 of 20 images are answered rightly: 85.0 %" in page
    assert "<strong>What limited the run:</strong> " in page
    assert "<strong>What to do next:</strong> judge it by more than 20 images" in page
    table = page[page.index('id="classes"') : page.index('id="confusion"')]
    assert table.index("70.0 %") < table.rindex("100.0 %"), "the hardest class comes first"
    assert (run / "recipe.toml").read_text() in page
    assert "10,277,618" not in page
    assert "multiply-adds" in page


def test_the_same_run_gives_the_same_bytes(run: Path) -> None:
    assert write_report(run, EVALUATION).read_bytes() == write_report(run, EVALUATION).read_bytes()


def test_no_run_no_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run in"):
        write_report(tmp_path, EVALUATION)
    (tmp_path / "recipe.toml").write_text(manifest().to_toml())
    with pytest.raises(UsageError, match="has not finished an epoch"):
        write_report(tmp_path, EVALUATION)


def test_one_epoch_has_numbers_but_no_curves(run: Path) -> None:
    both = [Row(epoch=1, step=1, split=split, loss=1, accuracy=0.5, lr=0.1, seconds=5) for split in ("train", "validation")]
    assert "Validation accuracy" not in write_report(run, EVALUATION).read_text()
    assert 'aria-label="Accuracy by epoch.' in write_report(run, EVALUATION).read_text()
    write_rows(run, both)
    page = write_report(run, EVALUATION).read_text()
    assert "no curves to draw" in page
    assert "by epoch." not in page


def test_epochs_that_were_not_validated_are_gaps(run: Path) -> None:
    rows = [Row(epoch=i, step=i, split="train", loss=1 / i, accuracy=0.5, lr=0.1, seconds=i) for i in (1, 2, 3)]
    rows.append(Row(epoch=3, step=3, split="validation", loss=1, accuracy=0.5, lr=0.1, seconds=3))
    write_rows(run, rows)
    assert "<td></td>" in write_report(run, EVALUATION).read_text()


def test_names_are_text_and_nothing_else(run: Path, pictures: Files) -> None:
    skipped = tuple((pictures.names[i], name) for i, name in enumerate(NAMES))
    evaluation = nasty_evaluation(skipped)
    splits = Splits(name="n", classes=NAMES, train=pictures, validation=pictures, where=Path("x"), copied=NAMES, given=True)
    (run / "recipe.toml").write_text(manifest(data=f"/photos/{QUOTES}", classes=NAMES[:4]).to_toml())
    file = write_report(
        run,
        evaluation,
        pictures,
        splits=splits,
        unread=[(NASTY, QUOTES)],
        explain=lambda image, answer: (image, image.rotate(90)),
    )
    page = file.read_text(encoding="utf-8")
    outline = outlined(page)
    assert len(outline.all("script")) == 1
    assert not any(name.startswith("on") for _, attrs in outline.seen for name in attrs)
    # The digit before each class's name in the mistakes' pictures is the file's.
    assert len(outline.all("img")) == 2 * len(NAMES)
    assert all((image["src"] or "").startswith("data:image/jpeg;base64,") for image in outline.all("img"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", page)
    shown = unescape(page)
    for name in (NASTY, QUOTES, RTL, LONG, "caf\ufffd.png", "bell\ufffd\ufffd\ufffd[31m"):
        assert name in shown
    assert f"<bdi>{RTL}</bdi>" in page, "a name written from right to left moves nothing beside it"


def test_mistakes_are_the_surest_and_few(pictures: Files, tmp_path: Path) -> None:
    n = 40
    images = Files(tmp_path, tuple(pictures.files[i % 6] for i in range(n)), tuple([0] * n))
    scores = np.stack([np.zeros(n), np.linspace(-1, 3, n)], axis=1).astype(np.float32)
    evaluation = score(scores, [0] * n, ("a", "b"), protocol="once", precision="fp32", indices=tuple(range(n)))
    asked: list[int] = []

    def explain(image, answer):
        asked.append(answer)
        return image, image

    card = Contender("x", *small_network())
    write_evaluation_report(
        tmp_path / "r.html", evaluation, images, [card], data="my/photos", protocol=Protocol(), seconds=1.5, explain=explain
    )
    assert asked == [1] * 12
    page = (tmp_path / "r.html").read_text()
    probabilities = [float(one) for one in re.findall(r"probability ([\d.]+)\s%, of its own", page)]
    assert len(probabilities) == 12
    assert probabilities == sorted(probabilities, reverse=True)
    assert "inceptions evaluate x my/photos --precision fp32" in re.sub(r"<[^>]*>", "", page)


def small_network():
    from inceptions.network import create_model
    from inceptions.weights import Card, Preprocess

    network = create_model("plain_cnn", num_classes=2, width=0.125, seed=0).eval()
    return network, Card(
        architecture="plain_cnn",
        variant="tutorial",
        options=network.architecture.options,
        classes=("a", "b"),
        preprocess=Preprocess.standard(48),
    )


def test_the_command_writes_one_with_grad_cam(saved, muddled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, file = saved(0), tmp_path / "found.html"
    words = ["evaluate", str(weights), str(muddled), "--device", "cpu", "--precision", "fp32"]
    assert execute([*words, "--report", str(file)]) == 0
    page = file.read_text(encoding="utf-8")
    outline = outlined(page)
    wrong = 20 - int(re.search(r"(\d+) of 20 images", page)[1])
    assert len(outline.all("img")) == 2 * min(wrong, 12) > 0
    assert shlex.join(["inceptions", *words[:3], "--precision", "fp32"]) in unescape(re.sub(r"<[^>]*>", "", page))
    assert execute([*words, "--report", str(tmp_path / "found.pdf")]) == 2
    assert execute([*words, "--calibrate", "--report", str(file)]) == 2
    assert "--report go with a plain evaluation" in capsys.readouterr().err


@pytest.mark.parametrize(
    "settings",
    [[], ["epochs=3"], ["optim.lr=0.00012", "augment.crop_scale=0.08,1", "ema=none", "augment.flip=false", "optim.clip=none"]],
)
def test_the_command_brings_the_recipe_back(settings: list[str]) -> None:
    changed = override(recipe("scratch"), settings)
    words = shlex.split(train_command(manifest(recipe=changed, options=asdict(Options(width=0.5)))))
    assert words[:3] == ["inceptions", "train", "my photos"]
    given = [value for word, value in pairwise(words) if word == "--set"]
    assert override(recipe("scratch"), given) == changed
    assert words[words.index("--width") + 1] == "0.5"
    assert "--depth" not in words


def test_the_command_names_weights_and_what_was_left_out() -> None:
    begun = manifest(recipe=recipe("finetune"), weights="/some weights.safetensors", ignore="left out.txt")
    words = shlex.split(train_command(begun))
    assert words[words.index("--weights") + 1] == "/some weights.safetensors"
    assert words[words.index("--ignore") + 1] == "left out.txt"
    assert "--model" not in words
    assert "--set" not in words
    older = replace(begun, recipe=replace(begun.recipe, result="what an older version promised"))
    assert shlex.split(train_command(older)) == words
    assert "digits" not in shlex.split(train_command(manifest(data="digits")))
