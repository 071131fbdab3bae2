"""A network that starts from a weight file: what fits is taken, what differs on purpose is fresh, the rest is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import inceptions
from inceptions.errors import WeightsError
from inceptions.network import Network, create_model
from inceptions.weights import Card, Preprocess, save_weights

SMALL = {"width": 0.1, "depth": 0.5}


@pytest.fixture
def model() -> Network:
    return create_model("googlenet", num_classes=3, seed=0, **SMALL).eval()


@pytest.fixture
def file(tmp_path: Path, model: Network) -> Path:
    declared = model.architecture
    card = Card(
        architecture=declared.name,
        variant=declared.variant,
        options=declared.options,
        classes=("a", "b", "c"),
        preprocess=Preprocess.standard(64),
    )
    save_weights(tmp_path / "weights.safetensors", model, card)
    return tmp_path / "weights.safetensors"


def test_the_same_network_gives_the_same_answers(file: Path, model: Network) -> None:
    x = torch.randn(2, 3, 64, 64)
    for where in (file, str(file), file.parent):
        again = inceptions.create_model("googlenet", num_classes=3, weights=where, **SMALL).eval()
        assert all(torch.equal(again.heads(x)[name], logits) for name, logits in model.heads(x).items())


def test_without_weights_it_is_the_networks_own(model: Network) -> None:
    fresh = inceptions.create_model("googlenet", num_classes=3, weights=None, seed=0, **SMALL)
    assert all(torch.equal(fresh.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


def test_what_is_not_said_is_the_files(file: Path, model: Network) -> None:
    again = inceptions.create_model("googlenet", weights=file, **SMALL).eval()
    assert again.architecture.options == model.architecture.options
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


def test_heads_the_file_lacks_are_fresh_if_asked_for_and_else_left_out(tmp_path: Path) -> None:
    model = create_model("bn_inception", num_classes=3, seed=0, **SMALL).eval()
    declared = model.architecture
    card = Card(
        architecture=declared.name,
        variant=declared.variant,
        options=declared.options,
        classes=("a", "b", "c"),
        preprocess=Preprocess.standard(64),
    )
    save_weights(tmp_path / "weights.safetensors", model, card)
    x = torch.randn(2, 3, 64, 64)
    for aux, heads in ((None, ["main"]), (False, ["main"]), (True, ["aux_3c", "aux_4e", "main"])):
        again = inceptions.create_model("bn_inception", weights=tmp_path / "weights.safetensors", aux=aux, **SMALL).eval()
        assert list(again.heads(x)) == heads
        assert torch.equal(again(x), model(x))


def test_other_classes_get_fresh_classifiers_on_the_same_trunk(file: Path, model: Network) -> None:
    other = inceptions.create_model("googlenet", num_classes=5, weights=file, **SMALL)
    for name, tensor in other.state_dict().items():
        if ".logits." in name:
            assert tensor.shape[0] == 5
        else:
            assert torch.equal(tensor, model.state_dict()[name]), name


@pytest.mark.parametrize("channels", [1, 4, 6])
def test_other_channels_keep_the_answer_of_a_grey_image(file: Path, model: Network, channels: int) -> None:
    other = inceptions.create_model("googlenet", num_classes=3, in_channels=channels, weights=file, **SMALL).eval()
    grey = torch.randn(2, 1, 64, 64)
    torch.testing.assert_close(
        other(grey.expand(-1, channels, -1, -1)), model(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4
    )


def test_a_trunk_may_end_early_and_heads_may_be_left_out(file: Path, model: Network) -> None:
    cut = inceptions.create_model("googlenet", num_classes=2, weights=file, until="inception_3a", aux=False, **SMALL).eval()
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(cut.features(x, ["inception_3a"])["inception_3a"], model.features(x, ["inception_3a"])["inception_3a"])
    assert list(cut.heads(x)) == ["main"]


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("googlenet/paper", SMALL, "holds weights of googlenet/bn, not of googlenet/paper"),
        ("plain_cnn", SMALL, "holds weights of googlenet/bn"),
        ("googlenet", {"width": 0.2, "depth": 0.5}, "does not fit googlenet/bn"),
        ("googlenet", {"width": 0.1}, "is missing"),
    ],
)
def test_another_networks_weights_are_refused(file: Path, name: str, options: dict, says: str) -> None:
    with pytest.raises(WeightsError, match=says):
        inceptions.create_model(name, num_classes=3, weights=file, **options)
