"""The page as people use it, in a browser."""

from __future__ import annotations

import base64
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import COLOURS, Running, picture

sync_api = pytest.importorskip("playwright.sync_api")
axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")
CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine (name one: CHROMIUM=/path/to/it)"),
    # Chromium's driver keeps an event loop of its own.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DROP = """([kind, files]) => {
  const carried = new DataTransfer();
  for (const { name, content } of files) {
    carried.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type: 'image/png' }));
  }
  const event = kind === 'drop' ? new DragEvent('drop', { dataTransfer: carried, bubbles: true, cancelable: true })
    : new ClipboardEvent('paste', { clipboardData: carried, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""

DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser: Any, service: Running) -> Iterator[Any]:
    """Opens the page; whatever the browser complains of, and whatever it asks others for, fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(**options: Any) -> Any:
        context = browser.new_context(**{**DESK, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((service.address, "blob:", "data:")) else complaints.append(asked.url),
        )
        page.goto(service.address)
        page.locator("#about", has_text="tells").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def give(page: Any, *names: str, kind: str = "drop") -> None:
    files = [{"name": f"{name}.png", "content": base64.b64encode(picture(name, 3)).decode()} for name in names]
    page.evaluate(DROP, [kind, files])


def verdicts(page: Any, count: int) -> list[str]:
    page.locator(".verdict").nth(count - 1).wait_for()
    return page.locator(".verdict").all_inner_texts()


def violations(page: Any) -> list[str]:
    found = axe_module.Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


def test_three_photographs_are_dropped(opened: Any, tmp_path: Path) -> None:
    page = opened()
    give(page, *COLOURS)
    assert sorted(verdicts(page, 3)) == sorted(COLOURS)
    for card in page.locator(".card").all():
        name = card.locator("figcaption").inner_text().split(".")[0]
        assert card.locator(".bars .name").first.inner_text() == name
        share = float(card.locator(".bars .share").first.inner_text().removesuffix(" %"))
        widths = [fill.bounding_box()["width"] for fill in card.locator(".fill").all()]
        whole = card.locator(".track").first.bounding_box()["width"]
        page.wait_for_timeout(400)  # the bars grow
        widths = [fill.bounding_box()["width"] for fill in card.locator(".fill").all()]
        assert widths[0] / whole == pytest.approx(share / 100, abs=0.02)
    assert page.locator("#past li").count() == 3
    page.reload()
    page.locator("#past li").nth(2).wait_for()
    page.get_by_text("Forget it").click()
    assert page.locator("#past li").count() == 0
    assert page.evaluate("sessionStorage.getItem('past')") is None


def test_pasted_and_chosen(opened: Any, tmp_path: Path) -> None:
    page = opened()
    give(page, "green", kind="paste")
    assert verdicts(page, 1) == ["green"]
    (tmp_path / "b.png").write_bytes(picture("blue", 2))
    page.set_input_files("#files", [tmp_path / "b.png"])
    assert verdicts(page, 2) == ["blue", "green"], "the newest is on top"
    page.locator(".card").first.get_by_text("Remove").click()
    assert page.locator(".card").count() == 1


def test_what_is_no_image_is_said(browser: Any, service: Running, tmp_path: Path) -> None:
    (tmp_path / "evil.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    context = browser.new_context()
    page = context.new_page()
    page.on("dialog", lambda _dialog: pytest.fail("a script ran"))
    page.goto(service.address)
    page.locator("#about", has_text="tells").wait_for()
    page.set_input_files("#files", [tmp_path / "evil.svg"])
    said = page.locator(".bad").first.inner_text()
    assert "vector drawing" in said
    assert page.locator(".card img").count() == 0
    context.close()


def test_why(opened: Any) -> None:
    page = opened()
    give(page, "red")
    verdicts(page, 1)
    page.get_by_role("button", name=re.compile("Why red")).click()
    overlay = page.locator(".stack img").nth(1)
    overlay.wait_for()
    slider = page.get_by_label("Strength of the overlay")
    for value in ("0", "100", "30"):
        slider.fill(value)
        assert float(overlay.evaluate("e => getComputedStyle(e).opacity")) == float(value) / 100
    assert page.locator(".heads > li").count() == 3
    assert page.locator(".branch").count() == 4
    assert all(image.evaluate("e => e.complete && e.naturalWidth > 0") for image in page.locator(".branch img").all())
    page.locator(".why-module").select_option("inception_4b")
    page.locator(".branch img[width='4']").first.wait_for()
    page.locator(".why-class").select_option("blue")
    page.get_by_text("What spoke for blue").wait_for()
    assert violations(page) == []


def test_two_models(opened: Any, service: Running) -> None:
    first, second = [model.name for model in service.models.all]
    page = opened()
    give(page, "red", "green")
    verdicts(page, 2)
    page.locator("#model").select_option(second)
    page.locator("#about", has_text="not sure").wait_for()
    assert sorted(text.split("\n")[0].strip("?") for text in verdicts(page, 2)) == ["green", "red"]
    page.locator("#other").select_option(first)
    assert len(verdicts(page, 4)) == 4
    assert page.locator(".card").first.locator(".of").all_inner_texts() == [second, first]
    assert violations(page) == []
    page.locator("#other").select_option("")
    assert page.locator(".verdict").count() == 2


def test_not_sure(opened: Any, service: Running) -> None:
    page = opened()
    page.locator("#model").select_option(service.models.all[1].name)
    page.route("**/v1/predict*", lambda route: route.fulfill(json={
        "model": "careful", "version": "1", "head": "main", "batch": 1, "timings": {},
        "results": [{"index": 0, "name": None, "width": 9, "height": 9, "sure": False, "error": None, "top": [
            {"class": "red", "index": 2, "probability": 0.52}, {"class": "blue", "index": 0, "probability": 0.48}]}],
    }))  # fmt: skip
    give(page, "red")
    assert verdicts(page, 1) == ["red?\nnot sure"]
    assert "not sure, perhaps red, 52.0 %" in page.locator("#status").inner_text()


def test_by_keyboard_alone(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(picture("red", 1))
    page = opened()

    def focused() -> str:
        return page.evaluate(
            "document.activeElement.id || document.activeElement.getAttribute('aria-label') || document.activeElement.className"
        )

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = []
    while "choose" not in seen:
        page.keyboard.press("Tab")
        seen.append(focused())
        assert len(seen) < 12
    assert seen == ["tab-photographs", "model", "other", "choose"]
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(tmp_path / "red.png")
    verdicts(page, 1)
    while not focused().startswith("Why red"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator(".stack img").first.wait_for()
    while focused() != "Strength of the overlay":
        page.keyboard.press("Tab")
    before = page.get_by_label("Strength of the overlay").input_value()
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("Strength of the overlay").input_value() != before
    page.locator("#tab-photographs").focus()
    page.keyboard.press("ArrowRight")
    assert focused() == "tab-network"
    page.locator("#drawing img").wait_for()
    page.keyboard.press("End")
    assert focused() == "tab-api"
    page.locator(".address").first.wait_for()


def test_network_and_api(opened: Any) -> None:
    page = opened()
    page.get_by_role("tab", name="Network").click()
    page.locator("#drawing img").wait_for()
    assert page.locator("#drawing img").evaluate("e => e.decode().then(() => e.naturalWidth)") > 100
    assert page.locator("#costs tbody tr").count() > 10
    assert violations(page) == []
    with page.context.expect_page() as alone:
        page.get_by_text("Open it alone").click()
    picture_page = alone.value
    picture_page.wait_for_load_state()
    module = picture_page.locator(".module").first
    module.locator(".fold").click()
    assert "closed" in module.get_attribute("class"), "its one script runs"
    page.get_by_role("tab", name="API").click()
    page.locator(".address").first.wait_for()
    assert violations(page) == []


@pytest.mark.parametrize("look", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_size_and_light(opened: Any, look: dict[str, Any], scheme: str) -> None:
    page = opened(**look, color_scheme=scheme)
    assert violations(page) == []
    give(page, *COLOURS)
    verdicts(page, 3)
    page.get_by_role("button", name=re.compile("Why")).first.click()
    page.locator(".stack img").first.wait_for()
    page.wait_for_timeout(500)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= look["viewport"]["width"], "nothing sticks out"
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper)[:3])) < 200) == (scheme == "dark")
