"""The doctor finds what was done to a network, and which preprocessing its statistics were made with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from inceptions.cli import execute
from inceptions.data import evaluation, normalise
from inceptions.errors import DataError
from inceptions.network import Network, create_model
from inceptions.predict.doctor import Checkup, examine
from inceptions.predict.doctor.fingerprint import fingerprint, judged
from inceptions.predict.doctor.photographs import photographs, show
from inceptions.weights import Card, Preprocess, open_any, save_weights

SMALL = {"width": 0.15, "depth": 0.5}
IMAGENET = Preprocess.standard(64)
WAYS = {
    "ImageNet's mean and deviation": IMAGENET,
    "-1 to 1": replace(IMAGENET, mean=(0.5,) * 3, std=(0.5,) * 3),
    "0 to 1": replace(IMAGENET, mean=(0.0,) * 3, std=(1.0,) * 3),
    "bytes": replace(IMAGENET, mean=(0.0,) * 3, std=(1 / 255,) * 3),
    "bytes less a mean": replace(IMAGENET, mean=(104 / 255, 117 / 255, 123 / 255), std=(1 / 255,) * 3, channels="BGR"),
}


def see(model: Network, preprocess: Preprocess, pixels: Tensor) -> Network:
    """Set a network's statistics to those of some pictures, as training does."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.train().heads(normalise(pixels, preprocess))
    return model.eval()


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    """Photographs that are not those the doctor takes: mirrored, and cut elsewhere."""
    whole = photographs(())[::5]
    parts = [image.crop((x, y, x + 300, y + 250)) for image in whole for x in (30, 170, 310) for y in (20, 160)]
    return show([part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for part in parts], IMAGENET)


@pytest.fixture(scope="module")
def sound(pixels: Tensor) -> Network:
    model = create_model("googlenet", num_classes=5, seed=0, **SMALL)
    with torch.no_grad():
        model.main.logits.linear.weight.mul_(100)  # as sure of itself as a trained one
    return see(model, IMAGENET, pixels)


def written(path: Path, model: Network, state: dict[str, Tensor] | None = None, preprocess: Preprocess = IMAGENET) -> Path:
    declared = model.architecture
    card = Card(
        architecture=declared.name,
        variant=declared.variant,
        options=declared.options,
        classes=tuple(map(str, range(declared.options.num_classes))),
        preprocess=preprocess,
    )
    save_weights(path, model if state is None else state, card)
    return path


def levels(checkup: Checkup) -> dict[str, str]:
    return {finding.check: finding.level for finding in checkup.findings}


def test_a_sound_network_is_healthy(sound: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "sound.safetensors", sound)
    assert execute(["doctor", str(file)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{file}: googlenet/bn, 5 classes\nok    numbers")
    assert said.out.endswith("\nHealthy.\n")
    assert said.err == ""
    assert execute(["doctor", str(file), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["healthy"] is True
    checks = ["numbers", "filters", "batch norm", "classifier", "activity", "outputs", "preprocessing"]
    assert [(finding["check"], finding["level"]) for finding in document["findings"]] == [(check, "ok") for check in checks]


def changed(state: dict[str, Tensor], name: str, change: Callable[[Tensor], Tensor]) -> None:
    state[name] = change(state[name].clone())


def filled(value: float, rows: slice = slice(None)) -> Callable[[Tensor], Tensor]:
    def change(tensor: Tensor) -> Tensor:
        tensor[rows] = value
        return tensor

    return change


def first_row_everywhere(tensor: Tensor) -> Tensor:
    return tensor[:1].expand_as(tensor).clone()


def second_like_first(tensor: Tensor) -> Tensor:
    tensor[1] = tensor[0]
    return tensor


LOGITS, BIAS, UNIT = "main.logits.linear.weight", "main.logits.linear.bias", "inception_3a.branch_2.3x3"


@pytest.mark.parametrize(
    ("changes", "check", "level", "says"),
    [
        ({f"{UNIT}.bn.bias": filled(torch.nan)}, "numbers", "fail", rf"1 tensor \({UNIT}.bn.bias\) holds NaN"),
        ({"conv_1.conv.weight": filled(torch.inf, slice(1))}, "numbers", "fail", "or infinity"),
        ({f"{UNIT}.conv.weight": filled(0.0, slice(2))}, "filters", "warn", "^2 of .* filters are dead"),
        ({f"{UNIT}.bn.weight": filled(1e-30, slice(3))}, "filters", "warn", "^3 of .* filters are dead"),
        ({f"{UNIT}.conv.weight": filled(0.0)}, "filters", "fail", "1 layer .* of nothing but dead filters"),
        (
            {f"{UNIT}.bn.running_mean": filled(0.0), f"{UNIT}.bn.running_var": filled(1.0)},
            "batch norm",
            "fail",
            r"1 layer \(inception_3a.branch_2.3x3.bn\) of .* they never saw an image",
        ),
        ({f"{UNIT}.bn.running_var": filled(-1.0, slice(1))}, "batch norm", "fail", "negative variance"),
        ({LOGITS: filled(0.0, slice(1, 3))}, "classifier", "warn", r"2 are \(nearly\) zero \(outputs 1, 2…\)"),
        ({LOGITS: second_like_first, BIAS: second_like_first}, "classifier", "warn", r"2 equal another one \(outputs 0, 1…\)"),
        ({LOGITS: first_row_everywhere, BIAS: first_row_everywhere}, "classifier", "fail", "All its rows are the same"),
        ({"conv_2.bn.bias": filled(-1e4)}, "activity", "fail", "All channels of conv_2 are silent"),
        ({"conv_2.bn.bias": filled(-1e4)}, "outputs", "fail", "Every image gets the same answer"),
        ({"conv_2.bn.weight": filled(1e9)}, "activity", "fail", "Answers explode"),
        ({LOGITS: lambda tensor: tensor * 1e6}, "outputs", "fail", "Answers explode"),
        ({LOGITS: lambda tensor: tensor * 1e-3}, "outputs", "warn", r"hardly more than chance \(0\.2\)"),
    ],
)
def test_what_was_done_to_it_is_found(
    sound: Network, tmp_path: Path, changes: dict[str, Callable], check: str, level: str, says: str
) -> None:
    state = dict(sound.state_dict())
    for name, change in changes.items():
        changed(state, name, change)
    checkup = examine(written(tmp_path / "x.safetensors", sound, state))
    finding = next(one for one in checkup.findings if one.check == check)
    assert finding.level == level
    assert re.search(says, finding.says), finding.says
    assert (check in checkup.broken) == (level == "fail")
    json.dumps(checkup.to_dict(), allow_nan=False)


def test_numbers_that_are_none_end_the_examination(sound: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = dict(sound.state_dict())
    changed(state, f"{UNIT}.conv.weight", filled(torch.nan))
    file = written(tmp_path / "x.safetensors", sound, state)
    assert execute(["doctor", str(file)]) == 4
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == "Broken: numbers."
    assert said.err == f"inceptions: {file} is broken: numbers.\n"


def test_a_fresh_network_was_never_trained(tmp_path: Path) -> None:
    fresh = create_model("googlenet", num_classes=5, seed=0, **SMALL)
    checkup = examine(written(tmp_path / "fresh.safetensors", fresh))
    assert levels(checkup)["batch norm"] == "fail"
    assert levels(checkup)["preprocessing"] == "note"
    assert "it was never trained" in checkup.to_text()


def test_without_batch_norm_the_preprocessing_cannot_be_judged(tmp_path: Path) -> None:
    checkup = examine(written(tmp_path / "caffe.safetensors", create_model("googlenet/paper", num_classes=5, seed=0, **SMALL)))
    assert levels(checkup)["batch norm"] == levels(checkup)["preprocessing"] == "note"


@pytest.mark.parametrize("trained", WAYS)
def test_the_statistics_tell_the_preprocessing(trained: str, pixels: Tensor) -> None:
    model = create_model("googlenet", num_classes=2, until="inception_3a", aux=False, seed=1, **SMALL)
    see(model, WAYS[trained], pixels)
    shown = show(photographs(()), IMAGENET)
    for claimed, preprocess in WAYS.items():
        finding = judged(fingerprint(model, preprocess, shown))
        if claimed == trained:
            assert finding.level == "ok", finding
        else:
            assert finding.level in ("warn", "fail"), (claimed, finding)
            assert f"{trained!r} does" in finding.says


@pytest.mark.parametrize("trained", ["RGB", "BGR"])
def test_exchanged_colours_are_noticed_where_they_show(trained: str) -> None:
    sky = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 60
    sky += torch.tensor([20.0, 90.0, 190.0]).view(1, 3, 1, 1)  # blue, as no average of photographs is
    sky = sky.to(torch.uint8)
    model = create_model("googlenet", num_classes=2, until="inception_3a", aux=False, seed=1, **SMALL)
    see(model, replace(IMAGENET, channels=trained), sky)
    for claimed in ("RGB", "BGR"):
        own = replace(IMAGENET, channels=claimed)
        finding = judged(fingerprint(model, own, sky))
        assert finding.level == ("ok" if claimed == trained else "warn"), finding
        assert "cannot be told" not in finding.says


def test_greys_are_judged_too(pixels: Tensor) -> None:
    grey = Preprocess(size=(64, 64), resize="exact", mean=(0.5,), std=(0.5,), channels="L")
    model = create_model("googlenet", num_classes=2, in_channels=1, until="inception_3a", aux=False, seed=1, **SMALL)
    see(model, grey, pixels)
    shown = show(photographs(()), grey)
    assert judged(fingerprint(model, grey, shown)).level == "ok"
    assert judged(fingerprint(model, replace(grey, std=(1 / 255,)), shown)).level == "fail"


def test_pictures_of_something_else_prove_nothing(pixels: Tensor) -> None:
    model = create_model("googlenet", num_classes=2, until="inception_3a", aux=False, seed=1, **SMALL)
    see(model, IMAGENET, (pixels > 128).to(torch.uint8) * 255)
    finding = judged(fingerprint(model, IMAGENET, show(photographs(()), IMAGENET)))
    assert finding.level != "fail"


def test_own_photographs(sound: Network, tmp_path: Path) -> None:
    file = written(tmp_path / "sound.safetensors", sound)
    picture = tmp_path / "picture.png"
    Image.radial_gradient("L").convert("RGB").save(picture)
    examine(file, [picture])
    with pytest.raises(DataError, match=r"absent\.png cannot be read as an image"):
        examine(file, [picture, tmp_path / "absent.png"])


@pytest.fixture(scope="module")
def real(shared: Path) -> tuple[Path, Path]:
    """The real trunk of 2015, and a folder of photographs of ImageNet."""
    return shared / "weights/inception_v3_2015_trunk.safetensors", shared / "data/imagenette_mini/train"


@pytest.mark.slow
def test_the_real_trunk_is_sound_as_far_as_it_goes(real: tuple[Path, Path]) -> None:
    checkup = examine(real[0])
    assert levels(checkup) == {
        "tensors": "warn",
        "numbers": "ok",
        "filters": "ok",
        "batch norm": "note",
        "classifier": "note",
        "activity": "ok",
        "preprocessing": "note",
    }
    assert checkup.findings[0].details["missing"] == (
        ["mixed_9/tower_1/conv_1/weight", "mixed_10/tower_1/conv_1/weight", "softmax/weight"]
    )


@pytest.mark.parametrize("trained", WAYS)
def test_real_filters_and_photographs_of_imagenet_tell_the_preprocessing(real: tuple[Path, Path], trained: str) -> None:
    """Filters of the real network, statistics of 40 photographs of ImageNet, judged by two other photographs."""
    tensors = open_any(real[0], partial=True).tensors
    model = create_model("inception_v3/fid", num_classes=2, until="conv_2b", seed=0)
    model.load_state_dict({name: tensors.get(name, tensor) for name, tensor in model.state_dict().items()})
    way = replace(WAYS[trained], size=(149, 149), resize_to=170)
    with torch.no_grad():  # what learning with another scale and order would have made of the same filters
        weight = model.conv_1a.conv.weight
        weight.copy_((weight.flip(1) if way.channels == "BGR" else weight) * (torch.tensor(way.std) / 0.5).view(1, 3, 1, 1))
    files = sorted(real[1].glob("*/*"))[::25]
    see(model, way, torch.stack([evaluation(way)(Image.open(file).convert("RGB")) for file in files]))
    shown = show(photographs(()), way)
    for claimed, preprocess in WAYS.items():
        finding = judged(fingerprint(model, replace(preprocess, size=(149, 149), resize_to=170), shown))
        assert (finding.level == "ok") == (claimed == trained), (claimed, finding)
        assert claimed == trained or f"{trained!r} does" in finding.says


@pytest.mark.slow
def test_a_foreign_file_is_asked_what_it_does_not_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torchvision

    theirs = torchvision.models.googlenet(num_classes=7, aux_logits=False, init_weights=False)
    torch.save(theirs.state_dict(), tmp_path / "mine.pth")
    assert execute(["doctor", str(tmp_path / "mine.pth")]) == 2
    assert "add --preprocess" in capsys.readouterr().err
    assert execute(["doctor", str(tmp_path / "mine.pth"), "--preprocess", "imagenet"]) == 4
    assert "it was never trained" in capsys.readouterr().out
