"""Claim 1: a 1x1 convolution in front of a large one makes it ten times cheaper."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import torch

from inceptions.architecture.bottleneck import bottleneck
from inceptions.architecture.declaration import leaves
from inceptions.architecture.nodes import Conv
from inceptions.architecture.shapes import after
from inceptions.claims.claim import Claim, Count, Hypothesis, Panel, Record, Size, digest
from inceptions.claims.images import Sample, Share
from inceptions.claims.lab import Lab
from inceptions.claims.networks import network
from inceptions.claims.timing import processor_times

EXAMPLE = bottleneck()
LAYERS = {
    "direct": (Conv("5x5", EXAMPLE.filters, EXAMPLE.kernel),),
    "behind a 1×1": (Conv("1x1", EXAMPLE.reduced, 1), Conv("5x5", EXAMPLE.filters, EXAMPLE.kernel)),
}


def counts() -> tuple[Count, ...]:
    """The lecture's example, from the nodes of inception_3a's third branch."""
    behind = after(Conv("1x1", EXAMPLE.reduced, 1), EXAMPLE.input)
    relus = {arm: sum(node.relu for node in layers) for arm, layers in LAYERS.items()}
    return (
        Count(what="multiplications, 5×5 directly", ours=EXAMPLE.direct, published=120_422_400),
        Count(what="multiplications, 1×1 reduction", ours=EXAMPLE.reduce, published=2_408_448),
        Count(what="multiplications, 5×5 behind it", ours=EXAMPLE.behind, published=10_035_200),
        Count(what="multiplications, both", ours=EXAMPLE.total, published=12_443_648),
        Count(what="multiplications, directly, in millions", ours=EXAMPLE.direct / 1e6, published=120, digits=3),
        Count(what="multiplications, both, in millions", ours=EXAMPLE.total / 1e6, published=12.4, digits=3),
        Count(what="height behind the 1×1", ours=behind.height, published=EXAMPLE.input.height),
        Count(what="width behind the 1×1", ours=behind.width, published=EXAMPLE.input.width),
        Count(what="channels behind the 1×1", ours=behind.channels, published=16),
        Count(what="non-linearities more with the 1×1", ours=relus["behind a 1×1"] - relus["direct"], published=1),
    )


def trial(lab: Lab, arms: Sequence[str]) -> dict[str, Record]:
    """Both on the same map, turn by turn."""
    started = time.process_time()
    shape = EXAMPLE.input
    x = torch.randn(1, shape.channels, shape.height, shape.width, generator=torch.Generator().manual_seed(lab.seed))
    empty = Share(x, torch.zeros(1, dtype=torch.long))
    sample = Sample(empty, empty, classes=2, channels=shape.channels, side=shape.height)
    declared = {arm: network("one_by_one", LAYERS[arm], sample) for arm in arms}
    models = {arm: lab.factory(one, lab.seed).eval() for arm, one in declared.items()}
    works = {arm: partial(model, x) for arm, model in models.items()}
    times = processor_times(works, rounds=lab.size.steps)
    spent = (time.process_time() - started) / len(arms)
    return {
        arm: Record(
            values={"milliseconds": 1000 * times[arm], "layers": float(len(list(leaves(declared[arm].trunk))))},
            trace=digest(models[arm].state_dict().keys(), models[arm](x).detach().numpy().tobytes()),
            seconds=spent,
        )
        for arm in arms
    }


CLAIM = Claim(
    number=1,
    id="one-by-one",
    title="1×1 convolutions as bottlenecks",
    statement="A 1×1 convolution changes the channels, keeps height and width, adds a non-linearity, and in front of a 5×5 "
    "convolution makes it ten times cheaper.",
    source="Szegedy et al. 2014, arXiv:1409.4842, sections 3 and 4; the example with its numbers is A. Ng's lecture (2017)",
    experiment="Multiplications of the third branch of inception_3a (28×28×192 to 32 filters of 5×5), counted from the "
    "declaration with and without the reduction to 16 channels, and the processor time of both for one image.",
    published="120 M → 12.4 M multiplications (9.7 times fewer)",
    arms=tuple(LAYERS),
    trial=trial,
    hypotheses=(
        Hypothesis(
            statement="The 5×5 takes longer directly than behind a 1×1.",
            quantity="milliseconds",
            more="direct",
            less="behind a 1×1",
            ratio=True,
            published="9.7× fewer multiplications",
            timed=True,
        ),
    ),
    counts=counts,
    panels=(
        Panel(kind="counts"),
        Panel(kind="points", quantity="milliseconds", label="processor time an image, ms"),
    ),
    small=Size(steps=5),
    full=Size(steps=50),
    seconds=0.3,
    together=True,
    remark="Time falls by less than the multiplications: a narrow convolution keeps the processor less busy, and every layer "
    "has a cost of its own.",
)
