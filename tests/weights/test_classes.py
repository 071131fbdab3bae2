"""Lists of classes: the published ones, people's own, left out and reordered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inceptions.errors import UsageError, WeightsError
from inceptions.network import create_model
from inceptions.weights.classes import imagenet, outputs, published_classes, read_classes


def test_imagenet_is_in_the_order_of_its_synsets(shared: Path) -> None:
    index = json.loads((shared / "labels/imagenet_class_index.json").read_text())
    assert list(imagenet()) == [index[str(i)][0] for i in range(1000)] == sorted(imagenet())
    assert len(set(imagenet().values())) == 1000
    same = [index[str(i)][1].replace("_", " ") == name for i, name in enumerate(imagenet().values())]
    assert same.count(False) == 3  # two cranes and a maillot share their names there


def test_published_lists() -> None:
    assert published_classes(1000, "ImageNet")[0] == "tench"
    background = published_classes(1001, "ImageNet, background first")
    assert background[:2] == ("background", "tench")
    # Which is which in the 2015 graph is not known without its label map, so nothing is pretended.
    assert published_classes(1008, "the 2015 graph's own")[449] == "2015 class 449"
    assert published_classes(8631, "VGGFace2")[-1] == "identity 8630"


def test_people_name_their_classes(tmp_path: Path) -> None:
    text, listed, numbered = (tmp_path / name for name in ("a.txt", "b.json", "c.json"))
    text.write_text("ant\nbee\n\n", encoding="utf-8")
    listed.write_text('["ant", "bee"]')
    numbered.write_text('{"1": ["n2", "bee"], "0": ["n1", "ant"]}')
    for file in (text, listed, numbered):
        assert read_classes(str(file), 2) == ("ant", "bee")
    assert read_classes("numbered", 3) == ("0", "1", "2")
    assert read_classes("synsets", 1001)[1] == "n01440764"


def test_the_label_map_of_the_2015_graph(tmp_path: Path) -> None:
    file = tmp_path / "map.pbtxt"
    entries = {449: "n01440764", 450: "n01443537"}
    file.write_text(
        "# a comment\n"
        + "".join(f'entry {{\n  target_class: {i}\n  target_class_string: "{s}"\n}}\n' for i, s in entries.items())
    )
    names = read_classes(str(file), 1008)
    assert (names[0], names[449], names[450], names[1007]) == ("nothing 0", "tench", "goldfish", "nothing 1007")


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        ("ant\n", UsageError, "names 1 classes, but the network has 2 outputs"),
        ("ant\nant\n", UsageError, "names the class 'ant' twice"),
        (b"\xff\xfe\x00", WeightsError, "cannot be read as a list"),
    ],
)
def test_lists_that_do_not_fit_are_refused(tmp_path: Path, content: str | bytes, error: type[Exception], says: str) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(error, match=says):
        read_classes(str(file), 2)


@pytest.mark.parametrize("content", ["{", '{"0": "a", "2": "b"}', "3", '[["a"], 4]', "[" * 100_000])
def test_json_that_names_nothing_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "names.json"
    file.write_text(content)
    with pytest.raises(WeightsError):
        read_classes(str(file), 2)


def test_an_unknown_list_is_explained() -> None:
    with pytest.raises(UsageError, match="no list of classes and no file"):
        read_classes("imagnet", 1000)


MODEL = create_model("googlenet", num_classes=6, width=0.1, seed=0)


@given(kept=st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True))
def test_outputs_are_left_out_and_reordered(kept: list[int]) -> None:
    state = MODEL.state_dict()
    changed = outputs(state, MODEL.architecture, kept)
    for head in MODEL.architecture.heads:
        for kind in ("weight", "bias"):
            name = f"{head.name}.logits.linear.{kind}"
            assert torch.equal(changed[name], state[name][kept])
    back = [kept.index(i) for i in range(6)] if len(kept) == 6 else None
    if back is not None:
        again = outputs(changed, MODEL.architecture, back)
        assert all(torch.equal(again[name], state[name]) for name in state)
    assert all(changed[name] is state[name] for name in state if ".logits." not in name)
