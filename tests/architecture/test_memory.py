"""Predicted memory against what a real step takes, by PyTorch's own account of every allocation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from inceptions.architecture import Options, cost, declare, names, variants
from inceptions.architecture.memory import VALUE, memory
from inceptions.network import Network
from inceptions.network.model import from_architecture


def peak(step: Callable[[], object]) -> int:
    """The most bytes that `step` has allocated at once."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        step()
    events = [event for event in watched.profiler.kineto_results.events() if event.name() == "[memory]"]
    living = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        living += event.nbytes()
        most = max(most, living)
    return most


def train_step(model: Network, images: torch.Tensor) -> None:
    torch.stack([logits.logsumexp(1).mean() for logits in model.heads(images).values()]).sum().backward()


def predict(model: Network, images: torch.Tensor) -> None:
    with torch.inference_mode():
        model.eval()(images)


# Beyond what is exact. Convolutions have working memory that no declaration knows of; inference is exact without it.
TOLERANCE = 0.10

# Sizes at which neither the weights nor the maps are a trifle.
CASES = [
    ("googlenet", 1.0, (224, 224), 4),
    ("googlenet/paper", 0.5, (160, 192), 4),
    ("bn_inception", 0.5, (97, 130), 4),
    ("bn_inception/slim", 0.5, (97, 130), 4),
    ("bn_inception/mxnet", 0.5, (160, 131), 4),
    ("googlenet/slim", 1.0, (171, 155), 4),
    ("inception_v3", 0.5, (171, 155), 4),
    ("inception_v3/paper-pool_last-5x5", 0.5, (171, 155), 4),
    ("inception_v4", 0.25, (139, 139), 4),
    ("inception_resnet_v1", 0.25, (160, 160), 4),
    ("inception_resnet_v2", 0.25, (139, 139), 4),
    ("plain_cnn", 1.0, (150, 150), 2),
]


@pytest.mark.parametrize(("name", "width", "size", "batch"), CASES)
def test_is_what_pytorch_takes(name: str, width: float, size: tuple[int, int], batch: int) -> None:
    """As images are trained on and predicted: channels last. Weights, images and optimiser are compared exactly."""
    architecture = declare(name, options=Options(num_classes=10, width=width))
    expected = memory(architecture, size, batch=batch)
    model = from_architecture(architecture, seed=0).to(memory_format=torch.channels_last)
    images = torch.rand(batch, 3, *size).contiguous(memory_format=torch.channels_last)
    before = expected.weights + expected.images
    assert expected.weights == sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    assert expected.images == images.nbytes
    assert expected.optimiser == 2 * sum(tensor.nbytes for tensor in model.parameters())
    assert expected.training - expected.optimiser - before == pytest.approx(
        peak(lambda: train_step(model, images)), rel=TOLERANCE
    )
    assert expected.inference - before == pytest.approx(peak(lambda: predict(model, images)), rel=TOLERANCE)


@pytest.mark.parametrize("name", [f"{name}/{variant}" for name in names() for variant in variants(name)])
def test_every_network(name: str) -> None:
    """Training takes more than predicting, a batch's maps are as many times larger as it has images, weights are not."""
    architecture = declare(name)
    one, eight = memory(architecture), memory(architecture, batch=8)
    assert one.weights == eight.weights
    assert eight.images == 8 * one.images
    assert eight.inference - eight.weights == 8 * (one.inference - one.weights)
    # The weight, its gradient, AdamW's two.
    assert eight.training > one.training > 2 * one.optimiser
    assert eight.training > eight.inference + eight.optimiser
    bill = cost(architecture)
    assert one.optimiser == 2 * VALUE * bill.params_with_heads


def test_the_optimiser_counts_by_what_it_remembers() -> None:
    network = declare("googlenet")
    plain, momentum, adam = (memory(network, states=states).training for states in range(3))
    assert momentum - plain == adam - momentum == VALUE * cost(network).params_with_heads


def test_an_example_by_hand() -> None:
    """plain_cnn's first layers hold the peak: 32 maps of 148x148, the pooled 74x74, and a 64-bit index for each of these."""
    peaks = memory(declare("plain_cnn"), batch=2)
    pooled = 32 * 74 * 74
    assert peaks.inference - peaks.weights == 2 * (4 * 3 * 150**2 + 4 * 32 * 148**2 + 4 * pooled + 8 * pooled)
    assert memory(declare("plain_cnn"), (299, 150)).images == 4 * 3 * 299 * 150
