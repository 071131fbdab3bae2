"""The family against implementations that are not ours, with weights and statistics as trained networks have them.

Each network is given the other library's random weights through the map that reads its checkpoints. The logits, and what leaves
every module on the way, must be equal on photographs: within 1e-4 of the largest value in float32.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
import timm as timm_library
import torch
import torchvision as torchvision_library
from PIL import Image
from torch import Tensor, nn

from inceptions.errors import WeightsError
from inceptions.network import Network, create_model
from inceptions.weights.families import facenet, keras, timm, torchvision
from inceptions.weights.families.names import Translation

CLASSES = 9
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def photographs(shared: Path) -> Callable[[int], Tensor]:
    """Photographs of a cat and a dog, `[2, 3, size, size]`, from -1 to 1."""

    def load(size: int) -> Tensor:
        folder = shared / "data/cats_and_dogs_filtered/validation"
        files = [next(iter(sorted((folder / kind).iterdir()))) for kind in ("cats", "dogs")]
        pictures = [np.asarray(Image.open(file).convert("RGB").resize((size, size)), dtype=np.float32) for file in files]
        return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 127.5 - 1

    return load


def shake(model: nn.Module, *, scales: bool = True) -> nn.Module:
    """Random weights and batch norm statistics far from (0, 1); without dropout, so that training can be compared."""
    generator = torch.Generator().manual_seed(7)
    for module in model.modules():
        match module:
            case nn.Conv2d() | nn.Linear():
                nn.init.kaiming_normal_(module.weight, generator=generator)
                if module.bias is not None:
                    nn.init.uniform_(module.bias, -0.5, 0.5, generator=generator)
            case nn.BatchNorm2d() | nn.BatchNorm1d():
                if scales:
                    nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
                nn.init.uniform_(module.bias, -0.5, 0.5, generator=generator)
                nn.init.uniform_(module.running_mean, -1, 1, generator=generator)
                nn.init.uniform_(module.running_var, 0.5, 3, generator=generator)
            case nn.Dropout():
                module.p = 0.0
    return model


def adopt(name: str, translation: Callable[..., Translation], foreign: Mapping[str, Tensor], **options: Any) -> Network:
    """Our network with a foreign state dict, which must come back bit for bit."""
    model = create_model(name, **options)
    names = translation(model.architecture)
    model.load_state_dict(names.to_ours(foreign, model.state_dict(), name))
    back = names.to_theirs(model.state_dict())
    assert set(back) == set(foreign)
    assert all(torch.equal(back[key], foreign[key]) for key in back)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model.eval()


def assert_equal(ours: Tensor, theirs: Tensor, what: str = "") -> None:
    assert ours.shape == theirs.shape, what
    difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    assert difference <= TOLERANCE, f"{what}: {difference:.1e}"


def outputs(model: nn.Module, x: Tensor, modules: Mapping[str, str]) -> dict[str, Tensor]:
    """What leaves the named modules of a foreign network, and its logits as "logits"."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> None:
        def hook(_module: nn.Module, _input: object, out: Tensor) -> None:
            found[name] = out.clone()

        model.get_submodule(modules[name]).register_forward_hook(hook)

    for name in modules:
        keep(name)
    with torch.no_grad():
        found["logits"] = model(x)
    return found


def assert_same_network(ours: Network, theirs: nn.Module, x: Tensor, modules: Mapping[str, str]) -> None:
    expected = outputs(theirs, x, modules)
    with torch.no_grad():
        found = ours.features(x, list(modules)) | {"logits": ours(x)}
    for name, tensor in expected.items():
        assert_equal(found[name], tensor, name)


V3_MODULES = {
    f"mixed_{stage}": f"Mixed_{stage}" for stage in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
}


def torchvision_v3(**options: Any) -> nn.Module:
    return shake(
        torchvision_library.models.inception_v3(weights=None, init_weights=False, transform_input=False, **options)
    ).eval()


@pytest.mark.parametrize("aux", [True, False])
def test_inception_v3_equals_torchvision(photographs: Callable[[int], Tensor], aux: bool) -> None:
    theirs = torchvision_v3(num_classes=CLASSES, aux_logits=aux)
    ours = adopt("inception_v3", torchvision.inception_v3, theirs.state_dict(), num_classes=CLASSES, aux=aux)
    assert_same_network(ours, theirs, photographs(299), V3_MODULES)


def test_inception_v3_equals_torchvision_in_training(photographs: Callable[[int], Tensor]) -> None:
    theirs = torchvision_v3(num_classes=CLASSES)
    ours = adopt("inception_v3", torchvision.inception_v3, theirs.state_dict(), num_classes=CLASSES)
    x = photographs(299)
    with torch.no_grad():
        found, expected = ours.train().heads(x), theirs.train()(x)
    assert_equal(found["main"], expected.logits, "main")
    assert_equal(found["aux_6e"], expected.aux_logits, "aux_6e")


def test_inception_v3_equals_timm(photographs: Callable[[int], Tensor]) -> None:
    theirs = shake(timm_library.create_model("inception_v3", num_classes=CLASSES)).eval()
    ours = adopt("inception_v3", torchvision.inception_v3, theirs.state_dict(), num_classes=CLASSES, aux=False)
    assert_same_network(ours, theirs, photographs(299), V3_MODULES)


def test_inception_v4_equals_timm(photographs: Callable[[int], Tensor]) -> None:
    theirs = shake(timm_library.create_model("inception_v4", num_classes=CLASSES)).eval()
    ours = adopt("inception_v4", timm.inception_v4, theirs.state_dict(), num_classes=CLASSES, aux=False)
    modules = {name: f"features.{i}" for i, name in enumerate(ours.architecture.taps)}
    assert_same_network(ours, theirs, photographs(299), modules)


def test_inception_resnet_v2_equals_timm(photographs: Callable[[int], Tensor]) -> None:
    theirs = shake(timm_library.create_model("inception_resnet_v2", num_classes=CLASSES)).eval()
    ours = adopt("inception_resnet_v2", timm.inception_resnet_v2, theirs.state_dict(), num_classes=CLASSES, aux=False)
    lists = {"block35": ("repeat", 10), "block17": ("repeat_1", 20), "block8": ("repeat_2", 9)}
    modules = {f"{kind}_{i + 1}": f"{name}.{i}" for kind, (name, count) in lists.items() for i in range(count)}
    modules |= {name: name for name in ("mixed_5b", "mixed_6a", "mixed_7a")} | {"block8_10": "block8", "conv_7b": "conv2d_7b"}
    assert_same_network(ours, theirs, photographs(299), modules)


def test_inception_resnet_v1_equals_facenet_pytorch(photographs: Callable[[int], Tensor]) -> None:
    library = pytest.importorskip(
        "facenet_pytorch.models.inception_resnet_v1",
        reason="facenet-pytorch is installed without its outdated pins by make venv",
    )
    theirs = shake(library.InceptionResnetV1(pretrained=None, classify=True, num_classes=CLASSES)).eval()
    ours = adopt("inception_resnet_v1/facenet", facenet.inception_resnet_v1, theirs.state_dict(), num_classes=CLASSES)
    lists = {"block35": ("repeat_1", 5), "block17": ("repeat_2", 10), "block8": ("repeat_3", 5)}
    modules = {f"{kind}_{i + 1}": f"{name}.{i}" for kind, (name, count) in lists.items() for i in range(count)}
    modules |= {"mixed_6a": "mixed_6a", "mixed_7a": "mixed_7a", "block8_6": "block8"}
    x = photographs(160)
    assert_same_network(ours, theirs, x, modules)
    theirs.classify = False
    with torch.no_grad():
        assert_equal(ours.features(x, ["embedding"])["embedding"].flatten(1), theirs(x), "embedding")


def test_fid_equals_pytorch_fid(photographs: Callable[[int], Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("pytorch_fid.inception", reason="pytorch-fid is in the dev extra")
    weights = torchvision_v3(num_classes=1008, aux_logits=False).state_dict()
    monkeypatch.setattr(library, "load_state_dict_from_url", lambda *_args, **_options: copy.deepcopy(weights))
    theirs = library.fid_inception_v3().eval()
    ours = adopt("inception_v3/fid", torchvision.inception_v3, weights, num_classes=1008)
    assert_same_network(ours, theirs, photographs(299), V3_MODULES)
    # The statistics of a Fréchet distance: the pooled features before the classifier.
    blocks = library.InceptionV3([3], resize_input=False, normalize_input=False).eval()
    x = photographs(299)
    with torch.no_grad():
        assert_equal(ours.features(x, ["mixed_7c"])["mixed_7c"].mean((2, 3)), blocks(x)[0].flatten(1), "pool3")


def keras_state(model: Any) -> dict[str, Tensor]:
    """Random weights for a Keras model, and the same by rank: Keras numbers its layers anew in every process."""
    generator = np.random.default_rng(0)
    names: dict[str, str] = {}
    for kind in ("conv2d", "batch_normalization"):
        numbered = [layer.name for layer in model.layers if layer.name == kind or layer.name.startswith(f"{kind}_")]
        numbered = [name for name in numbered if name == kind or name.removeprefix(f"{kind}_").isdigit()]
        ranked = sorted(numbered, key=lambda name: int(name.removeprefix(kind).removeprefix("_") or 0))
        names |= {name: f"{kind}/{rank}" for rank, name in enumerate(ranked)}
    draw = {
        "kernel": lambda shape: generator.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1])),
        "bias": lambda shape: generator.uniform(-0.5, 0.5, shape),
        "beta": lambda shape: generator.uniform(-0.5, 0.5, shape),
        "moving_mean": lambda shape: generator.uniform(-1, 1, shape),
        "moving_variance": lambda shape: generator.uniform(0.5, 3, shape),
    }
    state: dict[str, Tensor] = {}
    for layer in model.layers:
        drawn = [draw[variable.name](tuple(variable.shape)).astype(np.float32) for variable in layer.weights]
        layer.set_weights(drawn)
        for variable, values in zip(layer.weights, drawn, strict=True):
            state[f"{names.get(layer.name, layer.name)}/{variable.name}"] = torch.from_numpy(values)
    return state


@pytest.mark.parametrize(
    ("theirs", "ours", "translation", "modules"),
    [
        (
            "InceptionV3",
            "inception_v3/tensorflow",
            keras.inception_v3,
            {f"mixed_{stage}": f"mixed{i}" for i, stage in enumerate(("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a"))}
            | {"mixed_7b": "mixed9", "mixed_7c": "mixed10"},
        ),
        (
            "InceptionResNetV2",
            "inception_resnet_v2",
            keras.inception_resnet_v2,
            {"mixed_5b": "mixed_5b", "mixed_6a": "mixed_6a", "mixed_7a": "mixed_7a"}
            | {f"block35_{i}": f"block35_{i}_ac" for i in range(1, 11)}
            | {f"block17_{i}": f"block17_{i}_ac" for i in range(1, 21)}
            | {f"block8_{i}": f"block8_{i}_ac" for i in range(1, 10)}
            | {"conv_7b": "conv_7b_ac"},
        ),
    ],
)
def test_equals_keras(
    photographs: Callable[[int], Tensor],
    theirs: str,
    ours: str,
    translation: Callable[..., Translation],
    modules: Mapping[str, str],
) -> None:
    library = pytest.importorskip("keras", reason="keras is in the dev extra; it runs on torch here")
    whole = getattr(library.applications, theirs)(weights=None, classes=CLASSES, classifier_activation=None)
    model = adopt(ours, translation, keras_state(whole), num_classes=CLASSES, aux=False)
    x = photographs(299)
    tapped = library.Model(whole.input, [*(whole.get_layer(name).output for name in modules.values()), whole.output])
    with torch.no_grad():
        answers = tapped(x.permute(0, 2, 3, 1).contiguous())
        found = model.features(x, list(modules))
        for name, answer in zip(modules, answers[:-1], strict=True):
            assert_equal(found[name], answer.permute(0, 3, 1, 2), name)
        assert_equal(model(x), answers[-1], "logits")


def test_what_a_family_cannot_hold_is_refused() -> None:
    model = create_model("inception_v3/tensorflow", num_classes=CLASSES, aux=False, width=0.1)
    names = keras.inception_v3(model.architecture)
    model.get_submodule("conv_1a.bn").weight.data.fill_(2)
    with pytest.raises(WeightsError, match=r"cannot hold conv_1a\.bn\.weight"):
        names.to_theirs(model.state_dict())


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda state: state.pop("Conv2d_1a_3x3.conv.weight"), r"1 missing \(first: Conv2d_1a_3x3.conv.weight\)"),
        (lambda state: state.update(extra=torch.zeros(1)), r"1 left over \(first: extra\)"),
        (lambda state: state.update({"fc.bias": torch.zeros(2)}), r"fc.bias has the shape \[2\]"),
    ],
)
def test_state_dicts_that_do_not_fit_are_explained(spoil: Callable[[dict[str, Tensor]], object], says: str) -> None:
    model = create_model("inception_v3", num_classes=CLASSES, width=0.1)
    names = torchvision.inception_v3(model.architecture)
    state = names.to_theirs(model.state_dict())
    spoil(state)
    with pytest.raises(WeightsError, match=says):
        names.to_ours(state, model.state_dict(), "a file")
