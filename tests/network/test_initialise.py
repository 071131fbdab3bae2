"""First weights: the distributions their names promise."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys

import pytest
import torch

from inceptions.architecture import names
from inceptions.network import create_model, truncated_normal_


def weight(name: str, path: str) -> torch.Tensor:
    return create_model(name, seed=1, num_classes=1000).get_submodule(path).weight.detach()


def test_truncated_normal_is_cut_at_two_sigma() -> None:
    x = truncated_normal_(torch.empty(100_000), 0.1, torch.Generator().manual_seed(1))
    assert x.std().item() == pytest.approx(0.1, rel=0.01)
    assert x.abs().max().item() <= 2 * 0.1 / 0.8796 + 1e-6


def test_inception_v3_starts_as_its_authors_code() -> None:
    model = create_model("inception_v3", seed=1)
    # TensorFlow's deviations are those before the cut, which takes an eighth off.
    for path, std in (
        ("mixed_6b.branch_2.7x1.conv", 0.1 * 0.8796),
        ("aux_6e.5x5.conv", 0.01 * 0.8796),
        ("aux_6e.logits.linear", 0.001 * 0.8796),
        ("main.logits.linear", 0.01),
    ):
        assert model.get_submodule(path).weight.std().item() == pytest.approx(std, rel=0.02), path


def test_variance_scaling() -> None:
    # 1024 channels of 17x17 enter a 1x1: fan-in 1024.
    assert weight("inception_v4", "mixed_6c.branch_1.1x1.conv").std().item() == pytest.approx(math.sqrt(2 / 1024), rel=0.02)


def test_glorot() -> None:
    x = weight("inception_resnet_v1/facenet", "bottleneck.fc.linear")
    bound = math.sqrt(6 / (1792 + 512))
    assert bound * 0.99 < x.abs().max().item() <= bound
    assert not create_model("inception_resnet_v1", seed=1).get_submodule("block35_1.up.conv").bias.any()


def digest() -> str:
    """Of every seeded weight of a small form of every network."""
    found = hashlib.sha256()
    for name in names():
        for key, value in create_model(name, seed=5, width=0.1, depth=0.2).state_dict().items():
            found.update(key.encode() + value.numpy().tobytes())
    return found.hexdigest()


def test_the_seed_alone_decides() -> None:
    """Not what was drawn before, and not the process; and nobody else's random numbers move."""
    before = torch.get_rng_state()
    here = digest()
    assert torch.equal(torch.get_rng_state(), before)
    code = f"import runpy, torch; torch.rand(3); print(runpy.run_path({__file__!r})['digest']())"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert there.stdout.strip() == here, there.stderr
    one, two = (create_model("googlenet", seed=seed, width=0.1, depth=0.2).state_dict() for seed in (5, 6))
    assert not any(torch.equal(one[key], two[key]) for key in one if key.endswith("conv.weight"))


@pytest.mark.parametrize("name", ["inception_v3", "inception_resnet_v2"])
def test_the_first_loss_is_log_classes(name: str) -> None:
    torch.set_num_threads(1)
    model = create_model(name, num_classes=10, seed=1, width=0.25, depth=0.3).train()
    x = torch.randn(4, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    loss = torch.nn.functional.cross_entropy(model(x), torch.tensor([1, 2, 3, 4]))
    assert loss.item() == pytest.approx(math.log(10), abs=0.5)
