"""Claim 10: how maps are halved."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from inceptions.architecture import cost
from inceptions.architecture.cost import leaf_cost
from inceptions.architecture.nodes import Conv, Node, Pool, concat
from inceptions.architecture.shapes import Shape
from inceptions.claims.claim import Claim, Count, Hypothesis, Panel, Record, Size, each
from inceptions.claims.lab import Lab, record
from inceptions.claims.networks import conv, network

K = 16
POOL = Pool("pool", "max", 3, stride=2)
# Arm: the reduction of K channels to twice as many on a map of half the side, and its narrowest map.
REDUCTIONS: dict[str, tuple[tuple[Node, ...], str]] = {
    "pool, then convolve": ((POOL, conv("expand", 2 * K, 3)), "pool"),
    "convolve, then pool": ((conv("expand", 2 * K, 3), POOL), "pool"),
    "both in parallel": ((concat("mixed", (conv("3x3", K, 3, stride=2),), (POOL,)),), "mixed"),
}


def counts() -> tuple[Count, ...]:
    """Section 5's arithmetic for k = 320 on 35x35, with 1x1 convolutions to 2k, on an even side so that halves are whole."""
    k, side = 320, 34
    whole, half = Shape(k, side, side), Shape(k, side // 2, side // 2)
    layer = Conv("conv", 2 * k, 1)
    late, early = (
        leaf_cost(layer, whole, Shape(2 * k, side, side))[1],
        leaf_cost(layer, half, Shape(2 * k, side // 2, side // 2))[1],
    )
    return (
        Count(what="convolve, then pool: multiply-adds / d²k²", ours=late / (side**2 * k**2), published=2),
        Count(what="pool, then convolve: multiply-adds / d²k²", ours=early / (side**2 * k**2), published=0.5),
        Count(what="late / early pooling, multiply-adds", ours=late / early, published=4),
    )


def effective_rank(maps: Tensor) -> float:
    """Exp of the entropy of the singular values of `[images, values]`, centred (Roy and Vetterli 2007)."""
    rows = maps.flatten(1).double()
    values = torch.linalg.svdvals(rows - rows.mean(dim=0))
    shares = values / values.sum()
    shares = shares[shares > 0]
    return float(torch.exp(-(shares * shares.log()).sum()))


def run(lab: Lab, arm: str) -> Record:
    """Train, then look at what is left of the images at the narrowest place of the reduction."""
    started = time.process_time()
    sample = lab.sample()
    reduction, narrowest = REDUCTIONS[arm]
    trunk = (conv("conv_1", K, 3), conv("conv_2", K, 3), *reduction, conv("conv_3", 2 * K, 3))
    declared = network("reduction", trunk, sample)
    model, log = lab.trained(declared, sample, lab.training())
    with torch.inference_mode():
        maps = model.features(sample.held.x[torch.arange(min(400, len(sample.held)))], [narrowest])[narrowest]
    inside = {node.name: node.macs for node in cost(declared).nodes}
    spent = sum(inside[node.name] for node in reduction)
    values = {"effective_rank": effective_rank(maps), "values": float(maps[0].numel()), "macs": float(spent)}
    return record(log, started, values=values)


CLAIM = Claim(
    number=10,
    id="grid-reduction",
    title="reducing the grid",
    statement="Pooling before the channels are widened makes a representational bottleneck; widening before pooling costs four "
    "times as much; a strided convolution and a pooling in parallel avoid both.",
    source="Szegedy et al. 2015, arXiv:1512.00567, section 5, figures 9 and 10",
    experiment="Three networks on the digits that differ in one reduction: effective rank of the narrowest map over the "
    "held-out images, multiply-adds, accuracy.",
    published="2d²k² → ½d²k² operations with the bottleneck; no accuracy is given",
    arms=tuple(REDUCTIONS),
    trial=each(run),
    hypotheses=(
        Hypothesis(
            statement="The narrowest map has a higher effective rank in parallel than behind a pooling that comes first.",
            quantity="effective_rank",
            more="both in parallel",
            less="pool, then convolve",
            ratio=True,
        ),
        Hypothesis(
            statement="The parallel reduction takes fewer multiply-adds than convolving first.",
            quantity="macs",
            more="convolve, then pool",
            less="both in parallel",
            ratio=True,
            published="",
        ),
        Hypothesis(
            statement="In parallel is more accurate than pooling first.",
            quantity="accuracy",
            more="both in parallel",
            less="pool, then convolve",
            unit="points",
        ),
        Hypothesis(
            statement="In parallel is not worse than convolving first by more than two points.",
            quantity="accuracy",
            more="both in parallel",
            less="convolve, then pool",
            unit="points",
            margin=-0.02,
        ),
    ),
    counts=counts,
    panels=(
        Panel(kind="points", quantity="effective_rank", label="effective rank of the narrowest map"),
        Panel(kind="points", quantity="accuracy", label="validation accuracy, %", percent=True),
    ),
    small=Size(side=16, steps=200, held=600),
    seconds=5.0,
    learns=("both in parallel",),
    remark="The parallel reduction is half as expensive as pooling first with a 3×3 behind it, and an eighth of convolving "
    "first; the dearer ones end a point or two more accurate on the digits, whose maps are not crowded.",
)
