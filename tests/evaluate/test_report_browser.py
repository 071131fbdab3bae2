"""The report in a real browser: at four widths and themes, on paper, without a network, for everybody."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inceptions.architecture import Options
from inceptions.data import Files, Splits
from inceptions.evaluate import write_report
from inceptions.evaluate.evaluation import score
from inceptions.recipe import recipe
from inceptions.train import Manifest, Row

pytestmark = pytest.mark.slow

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
NAMES = ("<script>alert(1)</script>", "\"quoted'", "חתול גדול", "w" * 300, "caf\udce9", "plain", "a", "b", "c", "d")
WIDTHS = {"desktop": 1280, "phone": 390, "small phone": 360}


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=[2, 10, 200])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a pretended run with so many classes."""
    count, run = request.param, tmp_path_factory.mktemp("run")
    classes = tuple(f"{NAMES[i]}" if i < len(NAMES) else f"class {i}" for i in range(count))
    n = 6 * count + 20
    chance = np.random.default_rng(count)
    labels = chance.integers(count, size=n).tolist()
    scores = chance.normal(size=(n, count)).astype(np.float32)
    scores[np.arange(n), labels] += 2
    for i in range(n):
        pixels = chance.integers(256, size=(40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(run / f"{i}.png")
    images = Files(run, tuple(f"{i}.png" for i in range(n)), tuple(labels))
    evaluation = score(
        scores, labels, classes, protocol="seen once", precision="fp32", indices=tuple(range(n)), skipped=((NAMES[3], "empty"),)
    )
    manifest = Manifest(
        recipe=recipe("scratch"),
        data="/photos/cats & <dogs>",
        fingerprint="00",
        images=(n, n),
        classes=("a", "b"),
        model="googlenet",
        variant="bn",
        options=asdict(Options(num_classes=count)),
        precision="fp32",
        versions={"inceptions": "0"},
    )
    (run / "recipe.toml").write_text(manifest.to_toml())
    rows = [
        Row(epoch=i, step=i, split=split, loss=2 / i, accuracy=1 - 0.6 / i, lr=1e-3 / i, seconds=60 * i)
        for i in range(1, 9)
        for split in ("train", "validation")
    ]
    import json

    (run / "metrics.jsonl").write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    splits = Splits(name="pretended", classes=classes, train=images, validation=images, where=run, given=True)
    written = write_report(run, evaluation, images, splits=splits, explain=lambda image, answer: (image, image.rotate(180)))
    assert written.stat().st_size < 5_000_000
    return written


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_opens_anywhere_for_everybody(browser, report: Path, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed").Axe()
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert [address for address in asked if not address.startswith("data:")] == [report.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the screen"
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    for opened in (False, True):
        page.evaluate(f"for (const one of document.querySelectorAll('details')) one.open = {str(opened).lower()}")
        violations = axe.run(page).response["violations"]
        assert not violations, [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in violations]
    assert said == []
    context.close()


def test_the_theme_can_be_chosen_and_is_remembered(browser, report: Path) -> None:
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    page.goto(report.as_uri())
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Dark colours").press("Enter")
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    assert page.evaluate(paper) == dark
    page.get_by_role("button", name="Light colours").click()
    assert page.evaluate(paper) == light
    context.close()


def test_the_table_can_be_sorted_with_the_keyboard(browser, report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    table = page.locator("#classes table")

    def column(number: int) -> list[float]:
        cells = table.locator(f"tbody tr > :nth-child({number})")
        return [float(value) for value in cells.evaluate_all("cells => cells.map((cell) => cell.dataset.value)") if value]

    assert column(4) == sorted(column(4)), "the hardest class first"
    button = table.get_by_role("button", name=re.compile("precision"))
    button.focus()
    for way, backwards in (("descending", True), ("ascending", False)):
        page.keyboard.press("Enter")
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == way
        assert column(3) == sorted(column(3), reverse=backwards)
    page.close()


def test_is_whole_without_scripts_and_on_paper(browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("#classes tbody tr").count() > 1
    assert page.locator("#theme").is_hidden()
    context.close()
    page = browser.new_page()
    page.goto(report.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert page.locator("details[open]").count() == 0, "what was unfolded for paper is folded again"
    page.close()
