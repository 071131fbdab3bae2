"""Claim 3: several filter sizes side by side against each alone, at equal cost."""

from __future__ import annotations

import time

from inceptions.architecture import cost
from inceptions.architecture.nodes import Concat, Node, Pool, concat
from inceptions.claims.claim import Claim, Hypothesis, Panel, Record, Size, each
from inceptions.claims.images import Sample, scattered
from inceptions.claims.lab import Lab, record
from inceptions.claims.networks import conv, module, network

MIXED = 32
KERNELS = {"1×1 alone": 1, "3×3 alone": 3, "5×5 alone": 5}
ARMS = ("side by side", *KERNELS)


def alone(name: str, kernel: int, filters: int) -> Concat:
    """A module of one branch: a reduction to half the filters, then one window."""
    return concat(name, (conv("reduce", max(2, filters // 2), 1), conv(f"{kernel}x{kernel}", filters, kernel)))


def trunk(arm: str, filters: int) -> tuple[Node, ...]:
    """A stem, two modules, a pooling between them."""

    def made(name: str) -> Concat:
        return alone(name, KERNELS[arm], filters) if arm in KERNELS else module(name, filters)

    return (conv("conv_1", 16, 3, stride=2), made("mixed_2"), Pool("pool_2", "max", 3, stride=2), made("mixed_3"))


def equal_width(arm: str, sample: Sample) -> int:
    """The filters that make the arm cost what the modules side by side do."""
    wanted = cost(network("filters", trunk("side by side", MIXED), sample)).macs
    return min(
        range(4, 8 * MIXED), key=lambda filters: abs(cost(network("filters", trunk(arm, filters), sample)).macs - wanted)
    )


def run(lab: Lab, arm: str) -> Record:
    """Objects between a third of the image's side and the whole of it."""
    started = time.process_time()
    canvas = lab.size.side
    sample = scattered(lab.sample(), canvas // 3, canvas, lab.seed)
    declared = network("filters", trunk(arm, MIXED if arm == "side by side" else equal_width(arm, sample)), sample)
    _, log = lab.trained(declared, sample, lab.training())
    bill = cost(declared)
    return record(log, started, values={"macs": float(bill.macs), "params": float(bill.params)})


CLAIM = Claim(
    number=3,
    id="parallel-filters",
    title="several filter sizes side by side",
    statement="Windows of several sizes side by side see objects of several sizes, and are better than any one size at equal "
    "cost.",
    source="Szegedy et al. 2014, arXiv:1409.4842, section 4",
    experiment="Digits of a third to the whole of the image's side; two modules of 1×1, 3×3, 5×5 and pooling "
    "against modules of one window, as many filters as cost the same multiply-adds.",
    published="argued, not measured",
    arms=ARMS,
    trial=each(run),
    hypotheses=tuple(
        Hypothesis(
            statement=f"Side by side is more accurate than {arm}.",
            quantity="accuracy",
            more="side by side",
            less=arm,
            unit="points",
        )
        for arm in KERNELS
    ),
    headline=3,
    panels=(
        Panel(kind="points", quantity="accuracy", label="validation accuracy, %", percent=True),
        Panel(kind="curves", quantity="accuracy", label="validation accuracy, %", percent=True),
    ),
    small=Size(side=24, steps=200),
    seconds=7.0,
    learns=("side by side",),
)
