"""From the file that the original writes to probabilities: the original's own way, and ours.

Random weights with the statistics of trained networks; photographs of cats and dogs; the original's own preprocessing. Equal
means within 1e-4 of the largest probability. On the way home every tensor comes back bit for bit, under its own name.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.transforms import v2

import inceptions
from inceptions.weights import open_any, save_weights
from inceptions.weights.containers import read
from inceptions.weights.home import write_home

pytestmark = pytest.mark.slow
TOLERANCE = 1e-4
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def photographs(shared: Path) -> list[Path]:
    folder = shared / "data/cats_and_dogs_filtered/validation"
    return [sorted((folder / kind).iterdir())[2] for kind in ("cats", "dogs")]


def shaken(model: nn.Module) -> nn.Module:
    """Random weights, batch norm far from (0, 1), and a classifier small enough for probabilities that differ."""
    generator = torch.Generator().manual_seed(5)
    for name, module in model.named_modules():
        match module:
            case nn.Conv2d() | nn.Linear():
                nn.init.kaiming_normal_(module.weight, generator=generator)
                if isinstance(module, nn.Linear) and "aux" not in name.lower():
                    module.weight.data *= 0.1
                if module.bias is not None:
                    nn.init.uniform_(module.bias, -0.5, 0.5, generator=generator)
            case nn.BatchNorm2d() | nn.BatchNorm1d():
                nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
                nn.init.uniform_(module.bias, -0.5, 0.5, generator=generator)
                nn.init.uniform_(module.running_mean, -1, 1, generator=generator)
                nn.init.uniform_(module.running_var, 0.5, 3, generator=generator)
                module.num_batches_tracked.fill_(1234)
    return model.eval()


def whole_way(
    file: Path, expected: list[Tensor], photographs: list[Path], *, home: str, ending: str, family: str, **options: Any
) -> None:
    """Convert, predict, compare, and go home again.

    Args:
        file: what the original wrote.
        expected: its logits for each photograph, `[classes]`.
        photographs: what it was shown.
        home: family for the way back.
        ending: of the file to write there.
        family: that it must be recognised as.
        options: what must be said.
    """
    opened = open_any(file, background="keep", **options)
    assert opened.report is not None
    assert opened.report.family == family
    assert not opened.report.missing
    assert not opened.report.unexpected
    ours = file.parent / "ours.safetensors"
    save_weights(ours, opened.tensors, opened.card)
    predictor = inceptions.load(ours, device="cpu")
    for photograph, logits in zip(photographs, expected, strict=True):
        theirs = logits.softmax(0)
        found = torch.zeros_like(theirs)
        for guess in predictor.predict(photograph, top=len(theirs)).top:
            found[guess.index] = guess.probability
        difference = ((found - theirs).abs().max() / theirs.abs().max()).item()
        assert 1.5 / len(theirs) < theirs.max() < 0.999, "too sure or too unsure to compare"
        assert difference <= TOLERANCE, f"{difference:.1e}"
    back = file.parent / f"home{ending}"
    again = open_any(ours)
    write_home(back, again.tensors, again.card, home)
    original, returned = read(file).tensors, read(back).tensors
    original = {name: tensor for name, tensor in original.items() if name != "global_step"}
    assert set(returned) == set(original)
    assert all(torch.equal(returned[name], original[name]) for name in original)


def answers(model: nn.Module, prepare: Callable[[Image.Image], Tensor], photographs: list[Path]) -> list[Tensor]:
    with torch.inference_mode():
        return [model(prepare(Image.open(file).convert("RGB"))[None])[0] for file in photographs]


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_torchvision(tmp_path: Path, photographs: list[Path], name: str) -> None:
    weights = {
        "googlenet": torchvision.models.GoogLeNet_Weights.IMAGENET1K_V1,
        "inception_v3": torchvision.models.Inception_V3_Weights.IMAGENET1K_V1,
    }[name]
    # As torchvision builds it for its published weights: ImageNet's statistics, undone inside.
    model = shaken(torchvision.models.get_model(name, weights=None, init_weights=False, transform_input=True))
    torch.save(model.state_dict(), tmp_path / "theirs.pth")
    expected = answers(model, weights.transforms(), photographs)
    whole_way(tmp_path / "theirs.pth", expected, photographs, home="torchvision", ending=".pth", family="torchvision")


TIMM = (
    "inception_v3.tv_in1k",
    "inception_v3.tf_in1k",
    "inception_v3.tf_adv_in1k",
    "inception_v3.gluon_in1k",
    "inception_v4.tf_in1k",
    "inception_resnet_v2.tf_in1k",
    "inception_resnet_v2.tf_ens_adv_in1k",
)


@pytest.mark.parametrize("name", TIMM)
def test_timm(tmp_path: Path, photographs: list[Path], name: str) -> None:
    model = shaken(timm.create_model(name, pretrained=False))
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    settings = timm.data.resolve_model_data_config(model)
    expected = answers(model, timm.data.create_transform(**settings, is_training=False), photographs)
    whole_way(
        tmp_path / "model.safetensors",
        expected,
        photographs,
        home="timm",
        ending=".safetensors",
        family="timm",
        preprocess=f"timm_{name.partition('.')[2]}",
    )


@pytest.mark.parametrize("classes", [8631, 10575])
def test_facenet_pytorch(tmp_path: Path, photographs: list[Path], classes: int) -> None:
    library = pytest.importorskip("facenet_pytorch.models.inception_resnet_v1")
    mtcnn = pytest.importorskip("facenet_pytorch.models.mtcnn")
    model = shaken(library.InceptionResnetV1(pretrained=None, classify=True, num_classes=classes))
    torch.save(model.state_dict(), tmp_path / "theirs.pt")

    def prepare(face: Image.Image) -> Tensor:
        resized = face.resize((160, 160), Image.Resampling.BILINEAR)
        return mtcnn.fixed_image_standardization(v2.functional.pil_to_tensor(resized).float())

    expected = answers(model, prepare, photographs)
    whole_way(tmp_path / "theirs.pt", expected, photographs, home="facenet", ending=".pt", family="facenet")


def test_pytorch_fid(tmp_path: Path, photographs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("pytorch_fid.inception")
    plain = shaken(torchvision.models.inception_v3(weights=None, init_weights=False, num_classes=1008, aux_logits=False))
    monkeypatch.setattr(library, "load_state_dict_from_url", lambda *_args, **_options: plain.state_dict())
    model = library.fid_inception_v3().eval()
    torch.save(model.state_dict(), tmp_path / "theirs.pth")

    def prepare(image: Image.Image) -> Tensor:
        # What pytorch_fid.inception.InceptionV3.forward does before its first block.
        x = v2.functional.to_dtype(v2.functional.pil_to_tensor(image), torch.float32, scale=True)[None]
        return (2 * nn.functional.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False) - 1)[0]

    expected = answers(model, prepare, photographs)
    whole_way(tmp_path / "theirs.pth", expected, photographs, home="fid", ending=".pth", family="fid")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, on torch
@pytest.mark.parametrize("name", ["InceptionV3", "InceptionResNetV2"])
@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_keras(tmp_path: Path, photographs: list[Path], name: str, ending: str) -> None:
    keras = pytest.importorskip("keras")
    # Two in one process: the second's layers are numbered on.
    keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3))
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    generator = np.random.default_rng(1)
    draw = {
        "kernel": lambda shape: generator.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1])),
        "bias": lambda shape: generator.uniform(-0.5, 0.5, shape),
        "beta": lambda shape: generator.uniform(-0.5, 0.5, shape),
        "moving_mean": lambda shape: generator.uniform(-1, 1, shape),
        "moving_variance": lambda shape: generator.uniform(0.5, 3, shape),
    }
    for layer in model.layers:
        small = 0.1 if layer.name == "predictions" else 1.0
        layer.set_weights([small * draw[one.name](tuple(one.shape)).astype(np.float32) for one in layer.weights])
    file = tmp_path / f"theirs{ending}"
    model.save(file)
    package = "inception_v3" if name == "InceptionV3" else "inception_resnet_v2"
    expected = []
    for photograph in photographs:
        image = keras.utils.load_img(photograph, target_size=(299, 299), interpolation="bilinear")
        x = getattr(keras.applications, package).preprocess_input(keras.utils.img_to_array(image)[None].copy())
        with torch.no_grad():
            expected.append(model(x)[0].detach().cpu())
    opened = open_any(file)
    assert opened.report is not None
    assert opened.report.family == "keras"
    assert not opened.report.unexpected
    save_weights(tmp_path / "ours.safetensors", opened.tensors, opened.card)
    predictor = inceptions.load(tmp_path / "ours.safetensors", device="cpu")
    for photograph, logits in zip(photographs, expected, strict=True):
        theirs = logits.softmax(0)
        found = torch.zeros_like(theirs)
        for guess in predictor.predict(photograph, top=len(theirs)).top:
            found[guess.index] = guess.probability
        assert ((found - theirs).abs().max() / theirs.max()).item() <= TOLERANCE
    # Home: Keras itself reads the file into a fresh model, whatever its layers are called, and has the same weights.
    home = tmp_path / "home.h5"
    again = open_any(tmp_path / "ours.safetensors")
    write_home(home, again.tensors, again.card, "keras")
    fresh = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    fresh.load_weights(home)
    for mine, theirs in zip(fresh.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)


SLIM = {
    "inception_v1": "googlenet/slim",
    "inception_v2": "bn_inception/slim",
    "inception_v3": "inception_v3/tensorflow",
    "inception_v4": "inception_v4/released",
    "inception_resnet_v2": "inception_resnet_v2/released",
    "facenet": "inception_resnet_v1/facenet",
}


@pytest.mark.parametrize("name", SLIM)
def test_slim(tmp_path: Path, photographs: list[Path], name: str) -> None:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("tensorflow is in the dev extra")
    script = [sys.executable, str(HERE / "slim_nets.py"), name, str(photographs[0]), str(tmp_path)]
    done = subprocess.run(script, capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": "tensorflow"})
    assert done.returncode == 0, done.stderr[-3000:]
    expected = [torch.from_numpy(np.load(tmp_path / "answers.npz")["logits"][0])]
    family = "facenet_tensorflow" if name == "facenet" else "slim"
    whole_way(tmp_path / "model.ckpt", expected, photographs[:1], home=family, ending=".ckpt", family=family)
    frozen = open_any(tmp_path / "frozen.pb", background="keep")
    assert f"{frozen.card.architecture}/{frozen.card.variant}" == SLIM[name]
    checkpoint = open_any(tmp_path / "model.ckpt", background="keep")
    main = {key: tensor for key, tensor in checkpoint.tensors.items() if not key.startswith("aux")}
    assert set(main) == set(frozen.tensors)  # what does not lead to the answer is not frozen
    assert all(torch.equal(main[key], frozen.tensors[key]) for key in main)


WIDTHS = {
    "3a": (64, 64, 64, 64, 96, 32), "3b": (64, 64, 96, 64, 96, 64), "3c": (0, 128, 160, 64, 96, 0),
    "4a": (224, 64, 96, 96, 128, 128), "4b": (192, 96, 128, 96, 128, 128), "4c": (160, 128, 160, 128, 160, 128),
    "4d": (96, 128, 192, 160, 192, 128), "4e": (0, 128, 192, 192, 256, 0), "5a": (352, 192, 320, 160, 224, 128),
    "5b": (352, 192, 320, 192, 224, 128),
}  # fmt: skip


class BnInception(nn.Module):
    """Cadene's bninception from its names and the table of widths: flat names, biases under batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self._layer("conv1_7x7_s2", 3, 64, 7, 2)
        self._layer("conv2_3x3_reduce", 64, 64, 1)
        self._layer("conv2_3x3", 64, 192, 3)
        width = 192
        for block, (one, r3, n3, rd, nd, proj) in WIDTHS.items():
            name, stride = f"inception_{block}", 1 if one else 2
            if one:
                self._layer(f"{name}_1x1", width, one, 1)
            self._layer(f"{name}_3x3_reduce", width, r3, 1)
            self._layer(f"{name}_3x3", r3, n3, 3, stride)
            self._layer(f"{name}_double_3x3_reduce", width, rd, 1)
            self._layer(f"{name}_double_3x3_1", rd, nd, 3)
            self._layer(f"{name}_double_3x3_2", nd, nd, 3, stride)
            if one:
                self._layer(f"{name}_pool_proj", width, proj, 1)
            width = one + n3 + nd + (proj or width)
        self.last_linear = nn.Linear(width, 1000)

    def _layer(self, name: str, before: int, after: int, kernel: int, stride: int = 1) -> None:
        self.add_module(name, nn.Conv2d(before, after, kernel, stride, kernel // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(after))

    def _run(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = getattr(self, f"{name}_bn")(getattr(self, name)(x)).relu()
        return x

    def forward(self, x: Tensor) -> Tensor:
        pool = nn.functional.max_pool2d
        x = pool(self._run(x, "conv1_7x7_s2"), 3, 2, ceil_mode=True)
        x = pool(self._run(x, "conv2_3x3_reduce", "conv2_3x3"), 3, 2, ceil_mode=True)
        for block, (one, *_) in WIDTHS.items():
            name = f"inception_{block}"
            third = self._run(x, f"{name}_3x3_reduce", f"{name}_3x3")
            double = self._run(x, *(f"{name}_double_3x3_{part}" for part in ("reduce", "1", "2")))
            if not one:
                x = torch.cat([third, double, pool(x, 3, 2, ceil_mode=True)], 1)
                continue
            pooled = pool(x, 3, 1, 1) if block == "5b" else nn.functional.avg_pool2d(x, 3, 1, 1)
            x = torch.cat([self._run(x, f"{name}_1x1"), third, double, self._run(pooled, f"{name}_pool_proj")], 1)
        return self.last_linear(x.mean((2, 3)))


def test_cadene_bninception(tmp_path: Path, photographs: list[Path]) -> None:
    model = shaken(BnInception())
    torch.save(model.state_dict(), tmp_path / "theirs.pth")

    def prepare(image: Image.Image) -> Tensor:
        # pretrainedmodels.utils.TransformImage with input_space BGR and input_range [0, 255]
        x = v2.functional.center_crop(v2.functional.resize(image, [256]), [224, 224])
        x = v2.functional.pil_to_tensor(x).float()[[2, 1, 0]]
        return x - torch.tensor([104.0, 117.0, 128.0])[:, None, None]

    expected = answers(model, prepare, photographs)
    whole_way(tmp_path / "theirs.pth", expected, photographs, home="cadene", ending=".pth", family="cadene")
    # As its published file may be: batch norm's vectors as [1, channels], no counters.
    rows = {
        name: tensor[None] if "_bn." in name else tensor
        for name, tensor in model.state_dict().items()
        if "num_batches" not in name
    }
    torch.save(rows, tmp_path / "rows.pth")
    opened, plain = open_any(tmp_path / "rows.pth"), open_any(tmp_path / "theirs.pth")
    assert all(torch.equal(opened.tensors[name], plain.tensors[name]) for name in plain.tensors if "num_batches" not in name)


@pytest.mark.parametrize("name", ["inception_v4", "inception_resnet_v2"])
def test_cadene(tmp_path: Path, photographs: list[Path], name: str) -> None:
    model = shaken(timm.create_model(name, pretrained=False, num_classes=1001))
    state = {key.replace("classif.", "last_linear."): tensor for key, tensor in model.state_dict().items()}
    torch.save(state, tmp_path / "theirs.pth")
    transform = v2.Compose(
        [
            v2.Resize(341),
            v2.CenterCrop(299),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    expected = answers(model, transform, photographs)
    whole_way(tmp_path / "theirs.pth", expected, photographs, home="cadene", ending=".pth", family="cadene")
    # Without the background: as Cadene's loader for "imagenet" drops it.
    dropped = open_any(tmp_path / "theirs.pth")
    assert dropped.card.classes[0] == "tench"
    assert torch.equal(dropped.tensors["main.logits.linear.weight"], state["last_linear.weight"][1:])
