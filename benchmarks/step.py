"""One training step as the loop makes it, clipping and moving average included, against that of a hand-written loop."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torchvision
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.interleaved import Measured, in_turn
from inceptions.network import create_model
from inceptions.recipe import recipe
from inceptions.train.optim import optimiser
from inceptions.train.optim.average import Average
from inceptions.train.optim.loss import AllHeads, objective
from inceptions.train.optim.rearrange import rearrange

BATCH, SIZE = 32, 128


def measure() -> Measured:
    """Recipe `scratch` at its final size, bf16 autocast, channels last, on the CPU."""
    x = torch.randn(BATCH, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % 2
    return in_turn(
        f"GoogLeNet training step, batch {BATCH}, {SIZE}×{SIZE}, bf16",
        {"torchvision, plain loop": plain(x, labels), "inceptions, recipe scratch": ours(x, labels)},
        BATCH,
        note="ours clips the gradient and keeps a moving average of the weights besides",
    )


def plain(x: Tensor, labels: Tensor) -> Callable[[], None]:
    """Forward, three losses, backward, AdamW."""
    model = torchvision.models.googlenet(weights=None, aux_logits=True, init_weights=False, num_classes=2)
    model = model.train().to(memory_format=torch.channels_last)
    adamw = torch.optim.AdamW(model.parameters(), fused=True)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            out = model(x)
        loss = cross_entropy(out.logits.float(), labels)
        loss = loss + 0.3 * (cross_entropy(out.aux_logits1.float(), labels) + cross_entropy(out.aux_logits2.float(), labels))
        loss.backward()
        adamw.step()
        adamw.zero_grad()

    return step


def ours(x: Tensor, labels: Tensor) -> Callable[[], None]:
    """What `train.loop` does with a batch."""
    scratch = recipe("scratch")
    network = create_model("googlenet", num_classes=2).to(memory_format=torch.channels_last)
    adamw = optimiser.build(network, scratch.optim)
    assert scratch.ema is not None
    assert scratch.optim.clip is not None
    clip = scratch.optim.clip
    average, heads = Average(network, scratch.ema), AllHeads(network).train()
    rearrange(network)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            out = heads(x)
        objective(out, labels, aux_weight=scratch.aux_weight, label_smoothing=scratch.label_smoothing).backward()
        nn.utils.clip_grad_norm_(network.parameters(), clip)
        adamw.step()
        adamw.zero_grad()
        average.update()

    return step
