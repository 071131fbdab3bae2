"""Claim 7: sparse arithmetic against dense clusters."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from inceptions.architecture.nodes import Pool
from inceptions.claims.claim import Claim, Hypothesis, Panel, Record, Size, digest
from inceptions.claims.lab import Lab, record
from inceptions.claims.networks import conv, module, network
from inceptions.claims.timing import processor_times
from inceptions.claims.training import accuracy, predict
from inceptions.network import Network

# A 3x3 convolution of 192 to 256 channels on a 14x14 map, as a product of matrices.
OUT, CHANNELS, MAP = 256, 192, 14
IN, PIXELS = CHANNELS * 9, MAP * MAP
DENSITY = 0.1
BLOCK = 16
PRUNED = {"pruned, 50 %": 0.5, "pruned, 80 %": 0.8}
TIMED = ("dense cluster", "CSR", "COO", "BSR", "dense, with its zeros", "1×1 convolution", "3×3 convolution", "5×5 convolution")
ARMS = (*TIMED, "trained", *PRUNED)
# A weight is near zero if it is below this share of its layer's largest.
NEAR = 0.01


def trial(lab: Lab, arms: Sequence[str]) -> dict[str, Record]:
    """Times of one product in all forms with as many non-zeros, and a trained network with its smallest weights set to zero."""
    started = time.process_time()
    chance = torch.Generator().manual_seed(lab.seed)
    x = torch.randn(IN, PIXELS, generator=chance)
    matrices = _matrices(chance)
    count = round(DENSITY * OUT * IN)
    works: dict[str, Callable[[], Tensor]] = {name: partial(torch.matmul, matrix, x) for name, matrix in matrices.items()}
    columns = round(DENSITY * IN)
    works["dense cluster"] = partial(torch.matmul, torch.randn(OUT, columns, generator=chance), x[:columns].contiguous())
    for side in (1, 3, 5):
        inputs = max(1, round(count / OUT / side**2))
        weight = torch.randn(OUT, inputs, side, side, generator=chance)
        maps = torch.randn(1, inputs, MAP, MAP, generator=chance)
        works[f"{side}×{side} convolution"] = partial(conv2d, maps, weight, padding=side // 2)
    times = processor_times(works, rounds=7)
    found = {
        name: Record(values={"milliseconds": 1000 * times[name]}, trace=digest(name, work().numpy().tobytes()))
        for name, work in works.items()
    }
    sample = lab.sample()
    trunk = (conv("conv_1", 16, 3, stride=2), module("mixed_2", 32), Pool("pool_2", "max", 3, stride=2), module("mixed_3", 48))
    model, log = lab.trained(network("pruned", trunk, sample), sample, lab.training())
    found["trained"] = record(log, started, values={"near_zero": _near_zero(model)})
    for arm, share in PRUNED.items():
        smaller = pruned(model, share)
        logits = predict(smaller, sample.held)
        reached = accuracy(logits, sample.held.y)
        found[arm] = Record(values={**log.values(), "accuracy": reached}, trace=digest(arm, logits.numpy().tobytes()))
    spent = (time.process_time() - started) / len(arms)
    return {
        arm: Record(values=found[arm].values, curves=found[arm].curves, trace=found[arm].trace, seconds=spent) for arm in arms
    }


def _matrices(chance: torch.Generator) -> dict[str, Tensor]:
    """The weights with a tenth of them not zero: anywhere, or in whole blocks."""
    weights = torch.randn(OUT, IN, generator=chance)
    anywhere = weights * (torch.rand(OUT, IN, generator=chance) < DENSITY)
    chosen = torch.rand(OUT // BLOCK, IN // BLOCK, generator=chance) < DENSITY
    blocks = weights * chosen.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
    with warnings.catch_warnings():
        # torch says once that its sparse formats are in beta state.
        warnings.simplefilter("ignore", UserWarning)
        return {
            "CSR": anywhere.to_sparse_csr(),
            "COO": anywhere.to_sparse().coalesce(),
            "BSR": blocks.to_sparse_bsr((BLOCK, BLOCK)),
            "dense, with its zeros": anywhere,
        }


def pruned(model: Network, share: float) -> Network:
    """A copy whose smallest weights, this share of each layer's, are zero (Han et al. 2015, without training again)."""
    smaller = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in smaller.parameters():
            if parameter.ndim > 1:
                limit = parameter.abs().flatten().quantile(share)
                parameter.mul_(parameter.abs() > limit)
    return smaller


def _near_zero(model: Network) -> float:
    """Share of the weights that are near zero."""
    layers = [parameter.detach().abs() for parameter in model.parameters() if parameter.ndim > 1]
    near = sum(int((layer < NEAR * layer.max()).sum()) for layer in layers)
    return near / sum(layer.numel() for layer in layers)


CLAIM = Claim(
    number=7,
    id="sparsity",
    title="sparse arithmetic against dense clusters",
    statement="Computers are slow at sparse arithmetic: with as many multiply-adds, sparse matrices take longer than dense "
    "clusters, which is why Inception approximates a sparse structure by dense blocks.",
    source="Szegedy et al. 2014, arXiv:1409.4842, section 3",
    experiment="A 3×3 convolution of 192 to 256 channels on 14×14 as a product of matrices, a tenth of its weights not zero: "
    "processor time as CSR, COO and BSR (blocks of 16×16), dense with its zeros, and as dense products and "
    "convolutions of equally many weights. And a trained network of two modules whose smallest weights are set to zero.",
    published="even a hundredfold saving in operations “would not pay off” (2014)",
    arms=ARMS,
    trial=trial,
    hypotheses=(
        Hypothesis(
            statement="The CSR product takes longer than a dense cluster of as many weights.",
            quantity="milliseconds",
            more="CSR",
            less="dense cluster",
            ratio=True,
            timed=True,
        ),
        Hypothesis(
            statement="COO likewise.",
            quantity="milliseconds",
            more="COO",
            less="dense cluster",
            ratio=True,
            timed=True,
        ),
        Hypothesis(
            statement="Blocks (BSR) likewise.",
            quantity="milliseconds",
            more="BSR",
            less="dense cluster",
            ratio=True,
            timed=True,
        ),
        Hypothesis(
            statement="CSR takes longer than the dense product that multiplies all the zeros too.",
            quantity="milliseconds",
            more="CSR",
            less="dense, with its zeros",
            ratio=True,
            timed=True,
        ),
        Hypothesis(
            statement="Half of a trained network's weights can be set to zero for less than two points.",
            quantity="accuracy",
            more="pruned, 50 %",
            less="trained",
            unit="points",
            margin=-0.02,
        ),
        Hypothesis(
            statement="Setting 80 % to zero does harm.",
            quantity="accuracy",
            more="trained",
            less="pruned, 80 %",
            unit="points",
        ),
    ),
    panels=(
        Panel(kind="points", quantity="milliseconds", label="processor time of one product, ms", arms=TIMED),
        Panel(kind="points", quantity="accuracy", label="validation accuracy, %", percent=True, arms=("trained", *PRUNED)),
    ),
    small=Size(side=16, steps=60),
    seconds=1.5,
    together=True,
    remark="At a tenth of the weights, CSR takes about half the time of the product that multiplies all the zeros: sparse "
    "arithmetic wastes most of what it saves, not all. Pruning hurts a network that was trained for some dozen steps more than "
    "one that was trained to the end, and nothing was trained again afterwards.",
    learns=("trained",),
)
