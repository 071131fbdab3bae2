"""GoogLeNet against implementations that are not ours: torchvision's, and Caffe's prototxt written out in plain functions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms.v2.functional import pil_to_tensor

from inceptions.network import Network, create_model
from inceptions.weights.families.torchvision import googlenet as torchvision_names


def photographs(shared: Path, size: int) -> Tensor:
    """Four photographs of cats and dogs, `[4, 3, size, size]`, normalised roughly."""
    folder = shared / "data/cats_and_dogs_filtered/validation"
    files = [sorted((folder / kind).iterdir())[i] for kind in ("cats", "dogs") for i in (0, 7)]
    pictures = [Image.open(file).convert("RGB").resize((size, size)) for file in files]
    stack = torch.stack([pil_to_tensor(picture) for picture in pictures])
    return (stack.float() / 255 - 0.45) / 0.225


def shake(model: nn.Module) -> None:
    """Random weights, and batch norm statistics far from (0, 1), as trained networks have them."""
    generator = torch.Generator().manual_seed(7)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.5, 0.5, generator=generator)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.uniform_(module.bias, -0.5, 0.5, generator=generator)
            nn.init.uniform_(module.running_mean, -1, 1, generator=generator)
            nn.init.uniform_(module.running_var, 0.5, 3, generator=generator)


def without_dropout(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


@pytest.fixture
def torchvision_googlenet() -> nn.Module:
    model = torchvision.models.googlenet(
        weights=None, aux_logits=True, init_weights=False, num_classes=11, transform_input=False
    )
    shake(model)
    return without_dropout(model)


@pytest.fixture
def ours(torchvision_googlenet: nn.Module) -> Network:
    model = create_model("googlenet", num_classes=11)
    names = torchvision_names(model.architecture)
    model.load_state_dict(names.to_ours(torchvision_googlenet.state_dict(), model.state_dict(), "torchvision"))
    without_dropout(model)
    return model


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    assert ((ours - theirs).abs().max() / theirs.abs().max()).item() <= 1e-5


@pytest.mark.parametrize("size", [224, 161])
def test_equals_torchvision_in_evaluation(shared: Path, ours: Network, torchvision_googlenet: nn.Module, size: int) -> None:
    x = photographs(shared, size)
    with torch.no_grad():
        assert_close(ours.eval()(x), torchvision_googlenet.eval()(x))


def test_every_module_equals_torchvisions(shared: Path, ours: Network, torchvision_googlenet: nn.Module) -> None:
    x = photographs(shared, 224)
    modules = {name: name.replace("_", "") for name in ours.architecture.taps if name.startswith("inception_")}
    assert len(modules) == 9
    expected: dict[str, Tensor] = {}

    def keep(name: str) -> None:
        def hook(_module: nn.Module, _input: object, out: Tensor) -> None:
            expected[name] = out.clone()

        torchvision_googlenet.get_submodule(modules[name]).register_forward_hook(hook)

    for name in modules:
        keep(name)
    with torch.no_grad():
        torchvision_googlenet.eval()(x)
        found = ours.eval().features(x, list(modules))
    for name, tensor in expected.items():
        assert_close(found[name], tensor)


def test_equals_torchvision_in_training(shared: Path, ours: Network, torchvision_googlenet: nn.Module) -> None:
    x = photographs(shared, 224)
    found = ours.train().heads(x)
    expected = torchvision_googlenet.train()(x)
    assert list(found) == ["aux_4a", "aux_4d", "main"]
    assert_close(found["aux_4a"], expected.aux_logits1)
    assert_close(found["aux_4d"], expected.aux_logits2)
    assert_close(found["main"], expected.logits)
    # The same step moved the same batch norm averages.
    for name, tensor in torchvision_names(ours.architecture).to_theirs(ours.state_dict()).items():
        torch.testing.assert_close(tensor, torchvision_googlenet.state_dict()[name], rtol=1e-5, atol=1e-5)


def test_gradients_equal_torchvision(shared: Path, ours: Network, torchvision_googlenet: nn.Module) -> None:
    x = photographs(shared, 96)
    ours.eval()(x).logsumexp(1).sum().backward()
    torchvision_googlenet.eval()(x).logsumexp(1).sum().backward()
    first = ours.get_submodule("conv_1.conv").weight.grad
    assert_close(first, torchvision_googlenet.conv1.conv.weight.grad)


def test_translation_is_a_bijection(ours: Network, torchvision_googlenet: nn.Module) -> None:
    back = torchvision_names(ours.architecture).to_theirs(ours.state_dict())
    theirs = torchvision_googlenet.state_dict()
    assert set(back) == set(theirs)
    assert all(torch.equal(back[name], theirs[name]) for name in theirs)


def caffe(model: Network, x: Tensor) -> dict[str, Tensor]:
    """`models/bvlc_googlenet/train_val.prototxt` of BVLC Caffe (test phase) with the weights of `model`."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        layer = model.get_submodule(f"{name}.conv")
        return functional.relu(functional.conv2d(x, layer.weight, layer.bias, stride, layer.weight.shape[-1] // 2))

    def dense(x: Tensor, name: str) -> Tensor:
        layer = model.get_submodule(f"{name}.linear")
        return x @ layer.weight.T + layer.bias

    def pool(x: Tensor) -> Tensor:
        return functional.max_pool2d(x, 3, 2, ceil_mode=True)

    def lrn(x: Tensor) -> Tensor:
        squares = functional.pad(x.square(), (0, 0, 0, 0, 2, 2))
        near = sum(squares[:, i : i + x.shape[1]] for i in range(5))
        return x / (1 + 1e-4 / 5 * near) ** 0.75

    def inception(x: Tensor, name: str) -> Tensor:
        one = conv(x, f"{name}.branch_1.1x1")
        three = conv(conv(x, f"{name}.branch_2.3x3_reduce"), f"{name}.branch_2.3x3")
        five = conv(conv(x, f"{name}.branch_3.5x5_reduce"), f"{name}.branch_3.5x5")
        pooled = conv(functional.max_pool2d(x, 3, 1, 1), f"{name}.branch_4.pool_proj")
        return torch.cat([one, three, five, pooled], 1)

    def auxiliary(x: Tensor, name: str) -> Tensor:
        x = conv(functional.avg_pool2d(x, 5, 3), f"{name}.conv").flatten(1)
        return dense(functional.relu(dense(x, f"{name}.fc")), f"{name}.logits")

    out = {}
    x = lrn(pool(conv(x, "conv_1", stride=2)))
    x = pool(lrn(conv(conv(x, "conv_2_reduce"), "conv_2")))
    for block in ("3a", "3b", "pool", "4a", "4b", "4c", "4d", "4e", "pool", "5a", "5b"):
        x = pool(x) if block == "pool" else inception(x, f"inception_{block}")
        if block in ("4a", "4d"):
            out[f"aux_{block}"] = auxiliary(x, f"aux_{block}")
    out["main"] = dense(functional.avg_pool2d(x, 7).flatten(1), "main.logits")
    return out


def test_paper_variant_equals_caffes_prototxt(shared: Path) -> None:
    model = create_model("googlenet/paper", num_classes=11)
    shake(model)
    model.eval()
    x = photographs(shared, 224) * 50  # large enough for the response normalisation to matter
    with torch.no_grad():
        found, expected = model.heads(x), caffe(model, x)
    assert list(found) == list(expected)
    for name in found:
        assert_close(found[name], expected[name])
