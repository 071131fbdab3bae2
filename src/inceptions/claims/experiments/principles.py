"""Claim 18: the four design principles."""

from __future__ import annotations

import time
from functools import lru_cache

from inceptions.architecture import cost
from inceptions.architecture.nodes import Concat, Node, Pool, concat
from inceptions.claims.claim import Claim, Hypothesis, Panel, Record, Size, each
from inceptions.claims.images import Sample, scattered
from inceptions.claims.lab import Lab, record
from inceptions.claims.networks import conv, module, network

# Arm: modules in each of the two stages. Filters follow from the cost, which is that of two modules of WIDTH filters a stage.
DEPTHS = {"both": 2, "wider": 1, "deeper": 5}
WIDTH = 32
EARLY, LATE = "squeezed early", "squeezed late"
EXPANDED, PLAIN = "wide last map", "narrow last map"
REDUCED, DIRECT = "3×3 behind a reduction", "3×3 directly"
ARMS = (*DEPTHS, EARLY, LATE, EXPANDED, PLAIN, REDUCED, DIRECT)
SQUEEZE = 3


def scaled(count: int, filters: int) -> tuple[Node, ...]:
    """A stem and two stages of so many modules."""
    first = tuple(module(f"mixed_2_{i}", filters) for i in range(count))
    second = tuple(module(f"mixed_3_{i}", filters + filters // 2) for i in range(count))
    return (conv("conv_1", 16, 3, stride=2), *first, Pool("pool_2", "max", 3, stride=2), *second)


@lru_cache(maxsize=8)
def filters(count: int, side: int, channels: int) -> int:
    """The width that makes so many modules cost what the arm with both does."""
    blank = _blank(side, channels)
    wanted = cost(network("principles", scaled(DEPTHS["both"], WIDTH), blank)).macs
    return min(
        range(8, 4 * WIDTH, 2), key=lambda wide: abs(cost(network("principles", scaled(count, wide), blank)).macs - wanted)
    )


def trunk(arm: str, sample: Sample) -> tuple[Node, ...]:
    """The arm's network, without its head."""
    if arm in DEPTHS:
        return scaled(DEPTHS[arm], filters(DEPTHS[arm], sample.side, sample.channels))
    pool = Pool("pool_2", "max", 3, stride=2)
    if arm in (EARLY, LATE):
        squeeze = conv("squeeze", SQUEEZE, 1)
        early = (squeeze,) if arm == EARLY else ()
        late = (squeeze,) if arm == LATE else ()
        widen = conv("widen", 32, 1)
        return (conv("conv_1", 16, 3, stride=2), *early, module("mixed_2", 32), pool, module("mixed_3", 48), *late, widen)
    if arm in (EXPANDED, PLAIN):
        last = conv("last", 192 if arm == EXPANDED else 24, 3)
        return (conv("conv_1", 16, 3, stride=2), module("mixed_2", 32), pool, last)
    return (conv("conv_1", 32, 3, stride=2), _spatial("mixed_2", arm), pool, _spatial("mixed_3", arm))


def _spatial(name: str, arm: str) -> Concat:
    reduce = (conv("3x3_reduce", 8, 1),) if arm == REDUCED else ()
    return concat(name, (*reduce, conv("3x3", 32, 3)))


def _blank(side: int, channels: int) -> Sample:
    import torch

    from inceptions.claims.images import Share

    empty = Share(torch.zeros(0, channels, side, side), torch.zeros(0, dtype=torch.long))
    return Sample(empty, empty, classes=10, channels=channels, side=side)


def run(lab: Lab, arm: str) -> Record:
    """Train one."""
    started = time.process_time()
    canvas = lab.size.side
    sample = scattered(lab.sample(), canvas // 3, canvas, lab.seed)
    declared = network("principles", trunk(arm, sample), sample)
    _, log = lab.trained(declared, sample, lab.training())
    bill = cost(declared)
    return record(log, started, values={"macs": float(bill.macs), "params": float(bill.params)})


CLAIM = Claim(
    number=18,
    id="design-principles",
    title="the design principles",
    statement="At equal computing, widening and deepening together is better than either (4); bottlenecks early in the network "
    "do harm (1); wide representations train faster (2); channels can be reduced before spatial "
    "aggregation without much loss (3).",
    source="Szegedy et al. 2015, arXiv:1512.00567, section 2",
    experiment="Small networks of modules on digits of a third to the whole of the image's side: one, two or five modules a "
    "stage, as wide as makes them cost the same; three channels early or late; a last map of 192 or 24 filters; 3×3 with and "
    "without a reduction to a quarter.",
    published="stated as principles, “somewhat speculative”, without figures",
    arms=ARMS,
    trial=each(run),
    hypotheses=(
        Hypothesis(
            statement="4: both is more accurate than wider.",
            quantity="accuracy",
            more="both",
            less="wider",
            unit="points",
        ),
        Hypothesis(
            statement="4: both is more accurate than deeper.",
            quantity="accuracy",
            more="both",
            less="deeper",
            unit="points",
        ),
        Hypothesis(
            statement="1: three channels early do more harm than late.",
            quantity="accuracy",
            more=LATE,
            less=EARLY,
            unit="points",
        ),
        Hypothesis(
            statement="2: a narrow last map trains slower (mean training loss).",
            quantity="mean_loss",
            more=PLAIN,
            less=EXPANDED,
            unit="nats",
        ),
        Hypothesis(
            statement="3: a reduction to a quarter of the channels before 3×3 costs less than two points.",
            quantity="accuracy",
            more=REDUCED,
            less=DIRECT,
            unit="points",
            margin=-0.02,
        ),
    ),
    headline=2,
    panels=(
        Panel(kind="points", quantity="accuracy", label="validation accuracy, %", percent=True),
        Panel(kind="curves", quantity="loss", label="training loss, nats", arms=(EXPANDED, PLAIN)),
    ),
    small=Size(side=24, steps=200, held=1000),
    seconds=32.0,
    learns=("both",),
    remark="After 60 steps on digits of one size the wider network was five points ahead, because deeper ones had hardly begun "
    "to learn; so the experiment has more steps, and objects of several sizes. Three channels do more harm late, just before "
    "the classifier, than early: in networks of two modules there is no early and late as the paper means it.",
)
