"""The picture of a network: well-formed, complete, inside its page, nothing on top of anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations
from xml.etree.ElementTree import Element, fromstring

import pytest

from inceptions.architecture import Options, cost, declare, diagram, names, variants
from inceptions.architecture.catalogue import steps
from inceptions.architecture.declaration import Architecture
from inceptions.architecture.nodes import Chain, Concat, Conv, Head, Residual, concat

SVG = "{http://www.w3.org/2000/svg}"
NETWORKS = [f"{name}/{variant}" for name in names() for variant in variants(name)]
NETWORKS += [
    f"inception_v3/paper-{step}" for step in (*steps("inception_v3", "paper"), "5x5-7x7-convolution-7x7_stem-plain_aux")
]

Rectangle = tuple[float, float, float, float]


@cache
def drawn(name: str) -> Element:
    """With the heads that are there only if asked for."""
    return picture(declare(name, options=Options(aux=True)))


def picture(architecture: Architecture) -> Element:
    return fromstring(diagram(cost(architecture)))


def of_class(root: Element, kind: str) -> list[Element]:
    return [element for element in root.iter() if kind in element.get("class", "").split()]


def words(root: Element) -> str:
    """All text, and what shows under the mouse; not the style and the script."""
    return "\n".join(element.text or "" for element in root.iter() if element.tag in (f"{SVG}text", f"{SVG}title"))


def placed(element: Element, down: float = 0, *, folded: bool = False) -> Iterator[tuple[Element, float]]:
    """Every element with how far down its row moves it; of a module the open form, or the folded one too."""
    if element.get("class") == "shut" and not folded:
        return
    moved = re.fullmatch(r"translate\([\d.]+ ([\d.]+)\)", element.get("transform", ""))
    down += float(moved[1]) if moved else 0
    yield element, down
    for child in element:
        yield from placed(child, down, folded=folded)


def rectangles(root: Element, *, frames: bool, folded: bool = False) -> list[Rectangle]:
    """(left, top, right, bottom) of the boxes, or of the frames around them."""
    found = []
    for element, down in placed(root, folded=folded):
        if element.tag == f"{SVG}rect" and (element.get("class") == "frame") == frames:
            x, y, width, height = (float(element.get(key, "nan")) for key in ("x", "y", "width", "height"))
            found.append((x, y + down, x + width, y + down + height))
    return found


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def points(root: Element) -> Iterator[tuple[float, float]]:
    """Where texts start and lines bend."""
    for element, down in placed(root):
        if element.tag == f"{SVG}text":
            yield float(element.get("x", "nan")), float(element.get("y", "nan")) + down
        if element.tag == f"{SVG}path":
            x = y = 0.0
            for step, numbers in re.findall(r"([MLHVvz])([^MLHVvz]*)", element.get("d", "")):
                match step, [float(number) for number in numbers.split()]:
                    case "M" | "L", [x, y]:
                        pass
                    case "H", [x]:
                        pass
                    case "V", [y]:
                        pass
                    case "v", [by]:
                        y += by
                yield x, y + down


@pytest.mark.parametrize("name", NETWORKS)
def test_every_node_and_head_is_named(name: str) -> None:
    architecture, shown = declare(name, options=Options(aux=True)), words(drawn(name))
    heads = [head.name for head in architecture.heads]
    for wanted in (architecture.full_name, architecture.source, *architecture.taps, *heads):
        assert wanted in " ".join(shown.split()), wanted


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_is_drawn_outside_the_page(name: str) -> None:
    root = drawn(name)
    left, top, width, height = map(float, root.get("viewBox", "").split())
    corners = [
        corner
        for frames in (True, False)
        for x1, y1, x2, y2 in rectangles(root, frames=frames, folded=True)
        for corner in ((x1, y1), (x2, y2))
    ]
    assert corners
    for x, y in (*corners, *points(root)):
        assert left <= x <= left + width
        assert top <= y <= top + height


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("frames", [False, True], ids=["boxes", "frames"])
def test_nothing_lies_on_anything_else(name: str, frames: bool) -> None:
    for one, other in combinations(rectangles(drawn(name), frames=frames), 2):
        assert not overlap(one, other), (one, other)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_box_of_a_module_lies_in_its_frame(name: str) -> None:
    for row in of_class(drawn(name), "module"):
        (opened,) = of_class(row, "open")
        ((left, top, right, bottom),) = rectangles(opened, frames=True)
        for x1, y1, x2, y2 in rectangles(opened, frames=False):
            assert left < x1 < x2 < right
            assert top < y1 < y2 < bottom


@pytest.mark.parametrize("name", NETWORKS)
def test_the_end_of_a_page_cuts_no_row(name: str) -> None:
    root = drawn(name)
    page = float(root.get("width", "nan")) * 277 / 190
    for _, top, _, bottom in (*rectangles(root, frames=True), *rectangles(root, frames=False)):
        assert top // page == bottom // page


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_drawn_as_often_as_it_is_declared(name: str) -> None:
    """Boxes and the ×n beside them against the leaves of the tree."""
    architecture, seen = declare(name, options=Options(aux=True)), 0
    for row in of_class(drawn(name), "row"):
        (corner,) = [element.text or "" for element in of_class(row, "corner")] or ["×1"]
        (node,), (beside,) = of_class(row, "fold"), of_class(row, "tail")
        seen += layers(node) * int(corner.removeprefix("×")) + layers(beside)
    assert seen == sum(map(leaf_count, (architecture.trunk, *(head.body for head in architecture.heads))))


def layers(root: Element) -> int:
    return len([hint for hint in root.iter(f"{SVG}title") if " multiply-adds" in (hint.text or "")])


def leaf_count(node: object) -> int:
    match node:
        case Chain(nodes=inner) | Concat(branches=inner):
            return sum(map(leaf_count, inner))
        case Residual(body=body):
            return leaf_count(body)
        case _:
            return 1


def test_modules_that_differ_in_name_only_are_drawn_once() -> None:
    shown = words(drawn("inception_resnet_v2/released"))
    assert "block17_1 … block17_20 ×20" in shown
    assert "input + 0.1 × body" in shown
    assert "input + body" in shown, "the last block has no scale"


def test_tensorflows_padding_is_marked_where_it_matters() -> None:
    slim, even = words(drawn("googlenet/slim")), words(drawn("googlenet/bn"))
    assert [line for line in slim.splitlines() if line.endswith(" T")] == ["conv 7×7/2 T", *["3×3/2 T"] * 3, "2×2/2 T"]
    assert "T: TensorFlow's" in slim
    assert "3×3/2" in even
    assert "3×3/2 T" not in even
    assert "T: TensorFlow's" not in even


def test_a_head_ends_a_run_of_equal_modules() -> None:
    """At this width all rows of the table are equal; the head on 4a must not seem to hang on a later one."""
    shown = words(picture(declare("googlenet", "bn", Options(width=0.001))))
    assert "inception_4b … inception_4d ×3" in shown


def test_heads_on_neighbouring_nodes_keep_their_distance() -> None:
    plain = declare("plain_cnn")
    heads = tuple(Head(f"aux_{at}", plain.main.body, at=at) for at in ("conv_1", "pool_1", "conv_2"))
    frames = rectangles(picture(replace(plain, heads=(*heads, plain.main))), frames=True)
    assert len(frames) == len(heads)
    for one, other in combinations(frames, 2):
        assert not overlap(one, other)


def test_the_label_holds_the_sums_of_the_cost_table() -> None:
    bill = cost(declare("googlenet/bn"))
    root = drawn("googlenet/bn")
    assert f"{bill.params:,} parameters ({bill.params_with_heads:,} with the auxiliary heads)" in words(root)
    assert "28×28×256 · 156 K · 122 M" in words(root), "inception_3a: 155,968 parameters, 122,257,408 multiply-adds"


def test_a_module_has_a_folded_form_of_one_box() -> None:
    modules = of_class(drawn("inception_v3"), "module")
    assert modules
    for row in modules:
        (shut,) = of_class(row, "shut")
        ((_, top, _, bottom),) = rectangles(shut, frames=False, folded=True)
        assert float(row.get("data-shut", "nan")) > bottom - top


def test_hostile_names_stay_text() -> None:
    evil = "</text><script>alert('&amp;\"')</script>\x00"
    node = Conv(evil, 4, 3)
    plain = declare("plain_cnn")
    hostile = replace(
        plain,
        name=evil,
        summary=evil,
        source=evil,
        trunk=Chain("trunk", (node, concat(f"{evil}2", (node,)), Residual(f"{evil}3", Chain("body", (node,))))),
        heads=(Head(f"{evil}4", plain.main.body, at=evil), plain.main),
        input_size=(32, 32),
    )
    root = picture(hostile)
    assert [element.tag for element in root.iter() if element.tag == f"{SVG}script"] == [f"{SVG}script"]
    readable = evil.replace("\x00", "\ufffd")
    for wanted in (readable, f"{readable}2", f"{readable}3", f"{readable}4"):
        assert wanted in words(root)
