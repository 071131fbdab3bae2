"""Maps of what counted, against captum, against networks whose answer is known, and against the preprocessing itself."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inceptions.cli import execute
from inceptions.data import evaluation
from inceptions.errors import MachineError, UsageError, WeightsError
from inceptions.network import create_model
from inceptions.predict import Predictor
from inceptions.predict.explain import (
    branches,
    draw_branches,
    draw_explanation,
    draw_filters,
    explain,
    first_filters,
    gradcam,
    integrated_gradients,
    occlusion,
    open_predictor,
    overlay,
    png,
    seen,
)
from inceptions.predict.explain.branches import forked
from inceptions.weights import Card, Preprocess, save_weights

PREPROCESS = Preprocess(size=(96, 96), resize_to=112)


def predictor_of(name: str, *, classes: tuple[str, ...] = ("ant", "bee", "cat"), **options: object) -> Predictor:
    model = create_model(name, num_classes=3, width=0.125, seed=2, **options)
    with torch.no_grad():  # fresh batch norm lets every image look the same to the classifier
        model.get_submodule("main.logits.linear").weight.mul_(30)
    architecture = model.architecture
    card = Card(
        architecture=architecture.name,
        variant=architecture.variant,
        options=architecture.options,
        classes=classes,
        preprocess=PREPROCESS,
    )
    return Predictor(model, card, device="cpu")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return predictor_of("googlenet", aux=False)


@pytest.fixture(scope="module")
def weights(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_weights(path, predictor.model, predictor.card)
    return path


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(3))


def picture(width: int = 200, height: int = 120) -> Image.Image:
    image = Image.radial_gradient("L").resize((width, height)).convert("RGB")
    image.paste((200, 40, 80), (width // 4, height // 4, width // 2, height // 2))
    return image


@pytest.mark.parametrize(
    "tap", ["inception_5b", "inception_4c", "inception_4c.branch_2.3x3", "inception_3a.branch_1.1x1.bn", "conv_1"]
)
def test_gradcam_is_captums(predictor: Predictor, x: torch.Tensor, tap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from captum.attr import LayerGradCam

    classes = torch.tensor([2, 0])
    ours = gradcam(predictor.model, x, classes, tap=tap)
    # captum keeps no copy of a map that the ReLU behind it overwrites.
    monkeypatch.setattr("inceptions.network.layers.functional.relu", lambda values, inplace=False: values.relu())
    theirs = LayerGradCam(predictor.model, predictor.model.get_submodule(tap)).attribute(
        x.clone().requires_grad_(), classes, relu_attributions=True
    )
    theirs = theirs[:, 0].detach()
    assert theirs.max() > 0
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6 * float(theirs.max()))
    assert not any(module._forward_hooks for module in predictor.model.modules())


def test_gradcam_of_a_linear_head_is_known(predictor: Predictor, x: torch.Tensor) -> None:
    """Behind the last map is only a mean and a matrix, so each channel counts as its weight in the matrix."""
    model = predictor.model
    with torch.inference_mode():
        maps = model.features(x, ["inception_5b"])["inception_5b"]
        likeliest = model(x).argmax(dim=1)
    rows = model.get_submodule("main.logits.linear").weight.detach()[likeliest]
    expected = (rows[:, :, None, None] * maps).sum(dim=1).relu() / maps[0, 0].numel()
    torch.testing.assert_close(gradcam(model, x), expected, rtol=1e-4, atol=1e-6)


def test_gradcam_refuses(predictor: Predictor, x: torch.Tensor) -> None:
    with pytest.raises(UsageError, match="Unknown tap of googlenet"):
        gradcam(predictor.model, x, tap="inception_9z")
    with pytest.raises(UsageError, match="Unknown tap inside inception_4c"):
        gradcam(predictor.model, x, tap="inception_4c.branch_9")


class Corner(torch.nn.Module):
    """Answers with the sum of the first channel's upper left quarter, and with the negative of it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2] // 2, x.shape[3] // 2
        value = x[:, 0, :height, :width].sum(dim=(1, 2))
        return torch.stack([value, -value], dim=1)


def test_occlusion_finds_the_place() -> None:
    x = torch.ones(1, 3, 28, 28)
    found = occlusion(Corner(), x, torch.tensor([0]))
    assert found.shape == (1, 28, 28)
    # A patch of 4 × 4 that lies inside takes 16 away, wherever it is.
    assert torch.allclose(found[0, :12, :12], torch.tensor(16.0))
    assert not found[0, 16:].any()
    assert not found[0, :, 16:].any()
    assert (occlusion(Corner(), x, torch.tensor([1])) <= 0).all()


def test_integrated_gradients_add_up(predictor: Predictor, x: torch.Tensor) -> None:
    found = integrated_gradients(Corner(), x, torch.tensor([0, 1]))
    torch.testing.assert_close(found[0, :48, :48], x[0, 0, :48, :48], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found[1, :48, :48], -x[1, 0, :48, :48], rtol=1e-3, atol=1e-4)
    assert not found[:, 48:].any()
    classes = torch.tensor([0, 1])
    with torch.inference_mode():
        gap = (predictor.model(x) - predictor.model(torch.zeros_like(x))).gather(1, classes[:, None])[:, 0]
    total = integrated_gradients(predictor.model, x, classes).sum(dim=(1, 2))
    torch.testing.assert_close(total, gap.clone(), rtol=0.1, atol=0.1 * float(gap.abs().max()))


def test_without_captum(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum", None)
    for method in ("occlusion", "integrated"):
        with pytest.raises(MachineError, match=r"pip install 'inceptions\[explain\]'"):
            explain(predictor, picture(), method=method)
    assert explain(predictor, picture()).map.any()


preprocesses = st.one_of(
    st.builds(
        lambda size, more: Preprocess(size=size, resize_to=max(size) + more),
        st.tuples(*[st.integers(16, 40)] * 2),
        st.integers(0, 30),
    ),
    st.builds(
        lambda size, more: Preprocess(size=size, resize="squeezed", resize_to=max(size) + more),
        st.tuples(*[st.integers(16, 40)] * 2),
        st.integers(0, 30),
    ),
    st.builds(lambda size: Preprocess(size=size, resize="exact"), st.tuples(*[st.integers(16, 40)] * 2)),
    st.builds(
        lambda size, f: Preprocess(size=size, resize="central", fraction=f),
        st.tuples(*[st.integers(16, 40)] * 2),
        st.floats(0.5, 1),
    ),
)


@settings(max_examples=80, deadline=None)
@given(preprocesses, st.integers(20, 200), st.integers(20, 200))
def test_the_region_is_what_the_network_sees(preprocess: Preprocess, width: int, height: int) -> None:
    """An image whose colours are its coordinates: what comes out says where it came from."""
    across = np.linspace(0, 255, width)[None].repeat(height, axis=0)
    down = np.linspace(0, 255, height)[:, None].repeat(width, axis=1)
    image = Image.fromarray(np.stack([across, down, 0 * across], axis=2).round().astype(np.uint8))
    left, top, right, bottom = seen((width, height), preprocess)
    assert -1e-6 <= left < right <= width + 1e-6
    assert -1e-6 <= top < bottom <= height + 1e-6
    shown = evaluation(preprocess)(image).float()
    middle = shown[
        :, shown.shape[1] // 2 - 1 : -(-shown.shape[1] // 2) + 1, shown.shape[2] // 2 - 1 : -(-shown.shape[2] // 2) + 1
    ]
    for channel, (first, last, length) in enumerate([(left, right, width), (top, bottom, height)]):
        centre = ((first + last) / 2 - 0.5) * 255 / (length - 1)
        pixel = 255 / (length - 1) * (last - first) / shown.shape[2 - channel]
        assert float(middle[channel].mean()) == pytest.approx(centre, abs=2 + pixel)
        ends = (shown[0, 0, 0], shown[0, 0, -1]) if channel == 0 else (shown[1, 0, 0], shown[1, -1, 0])
        assert float(ends[0]) == pytest.approx((first - 0.5) * 255 / (length - 1), abs=2 + 1.5 * pixel + 255 / (length - 1))
        assert float(ends[1]) == pytest.approx((last - 0.5) * 255 / (length - 1), abs=2 + 1.5 * pixel + 255 / (length - 1))


def test_the_region_of_a_strip_is_its_middle() -> None:
    left, top, right, bottom = seen((4000, 10), Preprocess(size=(64, 64), resize_to=64))
    assert (top, bottom) == (0, 10)
    assert (left, right) == (1995, 2005)


def test_an_explanation(predictor: Predictor, tmp_path: Path) -> None:
    picture().save(tmp_path / "a $b$ & ｃ.png")
    found = explain(predictor, tmp_path / "a $b$ & ｃ.png", label="cat")
    assert (found.label, found.index, found.tap) == ("cat", 2, "inception_5b")
    answer = predictor.predict(tmp_path / "a $b$ & ｃ.png", top=3)
    assert found.probability == pytest.approx(next(guess.probability for guess in answer.top if guess.label == "cat"), abs=1e-5)
    assert explain(predictor, picture()).label == predictor.predict(picture()).label
    assert float(found.heat.max()) in (0, 1)
    photograph, marked = overlay(found)
    assert photograph.size == marked.size
    assert photograph.size == pytest.approx((360, 360), abs=1)  # 186 of 200 columns, each 1.07 pixels: not quite a square
    drawn = draw_explanation(found)
    assert png(drawn).startswith(b"\x89PNG")
    assert drawn.width >= 480
    with pytest.raises(UsageError, match="Unknown class 'dog'"):
        explain(predictor, picture(), label="dog")


def test_pictures_of_every_shape(predictor: Predictor) -> None:
    """The photograph keeps its aspect where the network sees it squeezed, and a strip can still be seen."""
    whole = replace(predictor.card, preprocess=Preprocess(size=(96, 96), resize="exact"))
    squeezed = Predictor(predictor.model, whole, device="cpu")
    assert overlay(explain(squeezed, picture(300, 100)))[1].size == (360, 120)
    assert overlay(explain(squeezed, picture(3, 900)))[1].size == (48, 360)
    assert draw_explanation(explain(squeezed, picture(3, 900))).height > 360


def test_nothing_speaks_for_it(predictor: Predictor) -> None:
    found = explain(predictor, picture())
    empty = replace(found, map=-found.map.abs())
    assert not empty.heat.any()
    overlay(empty)


@pytest.mark.parametrize(
    ("name", "tap", "words"),
    [
        ("googlenet", "inception_4a", ["1×1", "1×1, 3×3", "1×1, 3×3", "max pool, 1×1"]),
        ("inception_v3", "mixed_7c", ["1×1", "1×1, (1×3 | 3×1)", "1×1, 3×3, (1×3 | 3×1)", "average pool, 1×1"]),
        ("inception_resnet_v2", "block35_1", ["1×1", "1×1, 3×3", "1×1, 3×3, 3×3"]),
    ],
)
def test_branches(name: str, tap: str, words: list[str]) -> None:
    model = create_model(name, num_classes=3, width=0.125, aux=False, seed=0).eval()
    x = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    found = branches(model, x, tap=tap)
    assert [branch.layers for branch in found] == words
    path, _ = forked(model)[tap]
    with torch.inference_mode():
        joined = model.features(x, [path])[path][0] if "." in path else model.features(x, [tap])[tap][0]
    assert sum(len(branch.channels) for branch in found) <= len(joined)
    start = 0
    for branch in found:
        width = model.features(x, [branch.name])[branch.name].shape[1]
        part = joined[start : start + width]
        start += width
        torch.testing.assert_close(branch.mean, part.abs().mean(dim=0))
        torch.testing.assert_close(branch.maps[0], part[part.abs().mean(dim=(1, 2)).argmax()])
    assert draw_branches(found, picture(), title="x").height > 600
    assert len(branches(model, x)) > 1
    with pytest.raises(UsageError, match=r"has no branches\. Modules that have: "):
        branches(model, x, tap=model.architecture.taps[0])


@pytest.mark.parametrize("name", ["googlenet", "bn_inception/paper", "plain_cnn"])
def test_first_filters(name: str) -> None:
    """A filter's picture is the network's answer to single pixels, whatever the first layer is made of."""
    model = create_model(name, num_classes=3, width=0.5, seed=0)
    found = first_filters(model, PREPROCESS)
    count, height, _, colours = found.shape
    assert colours == 3
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    strongest = (found - 0.5).abs().amax(dim=(1, 2, 3))
    torch.testing.assert_close(strongest, torch.full((count,), 0.5))
    unit = model.get_submodule(model.architecture.taps[0])
    layers = [unit.conv] if hasattr(unit, "conv") else [unit.depthwise, unit.pointwise]
    side = 4 * height
    for channel in range(3):
        point = torch.zeros(1, 3, side, side)
        point[0, channel, side // 2, side // 2] = 1
        out = point
        for layer in layers:
            out = torch.nn.functional.conv2d(out, layer.weight.detach(), None, 1, layer.padding, groups=layer.groups)
        box = out[0].flatten(1)
        shown = found[..., channel] - 0.5
        scale = torch.stack([one.norm() for one in shown]) / box.norm(dim=1)
        if channel == 0:
            first = scale
        else:
            torch.testing.assert_close(scale, first, rtol=1e-3, atol=1e-3)
    assert draw_filters(found, title="x").width >= 320
    bgr = first_filters(model, Preprocess(size=(96, 96), resize="exact", channels="BGR"))
    torch.testing.assert_close(bgr, found.flip(3))


def test_filters_need_colours() -> None:
    assert first_filters(create_model("plain_cnn", in_channels=1, num_classes=2, seed=0), PREPROCESS).shape[3] == 3
    with pytest.raises(UsageError, match="sees 5 channels"):
        first_filters(create_model("plain_cnn", in_channels=5, num_classes=2, seed=0), PREPROCESS)


def test_the_command(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inceptions.predict.explain.attribution.PATCH", 2)  # few patches, quickly done
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        picture().save(tmp_path / folder / "a.png")
    (tmp_path / "two/broken.jpg").write_text("no image")
    out = tmp_path / "out"

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = execute(["explain", str(weights), *map(str, words), "--out", str(out), "--device", "cpu", "--quiet"])
        return code, *capsys.readouterr()

    code, text, err = call(tmp_path / "one", tmp_path / "two", "--json")
    document = json.loads(text)
    assert (code, err) == (0, "")
    assert [Path(one["picture"]).name for one in document if "picture" in one] == ["a-gradcam.png", "a-2-gradcam.png"]
    assert document[0]["method"] == "gradcam"
    assert "error" in document[2]
    with Image.open(document[0]["picture"]) as drawn:
        assert drawn.width >= 480
    for method in ("occlusion", "integrated", "branches"):
        code, text, _ = call(tmp_path / "one/a.png", "--method", method)
        assert code == 0
        assert (out / f"a-{method}.png").is_file()
        assert f"a-{method}.png" in text
    code, text, _ = call("--method", "filters")
    assert (code, (out / "googlenet-bn-filters.png").is_file()) == (0, True)
    assert call(tmp_path / "two/broken.jpg")[0] == 3
    assert call(tmp_path / "absent.jpg")[0] == 3
    for words in ((), ("a.png", "--method", "occlusion", "--module", "x"), ("a.png", "--method", "branches", "--class", "x")):
        code, text, err = call(*words)
        assert (code, text) == (2, "")
        assert err.startswith("inceptions: ")


def test_features_alone_show_branches_but_explain_nothing(tmp_path: Path) -> None:
    model = create_model("googlenet", width=0.125, aux=False, seed=0)
    options = model.architecture.options
    card = Card(architecture="googlenet", variant="bn", options=options, classes=(), preprocess=PREPROCESS)
    save_weights(tmp_path / "w.safetensors", {n: t for n, t in model.state_dict().items() if not n.startswith("main.")}, card)
    predictor = open_predictor(tmp_path / "w.safetensors", device="cpu")
    assert branches(predictor.model, torch.randn(1, 3, 96, 96))
    with pytest.raises(WeightsError, match="has no classifier"):
        explain(predictor, picture())
