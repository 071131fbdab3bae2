"""Claim 2: reduced modules (figure 2b) against naive ones (figure 2a)."""

from __future__ import annotations

import time

from inceptions.architecture import Options, cost, declare
from inceptions.architecture.bottleneck import bottleneck
from inceptions.claims.claim import Claim, Count, Hypothesis, Panel, Record, Size, each
from inceptions.claims.lab import Lab, record

# At the experiments' usual 0.1 the naive network does not train at all; at this rate both do.
LR = 0.03
ARMS = ("reduced", "naive, equal multiply-adds", "naive, equal steps")


def counts() -> tuple[Count, ...]:
    """The published example, and the two whole networks."""
    example = bottleneck()
    naive, reduced = (cost(declare("googlenet", variant, Options(aux=False))) for variant in ("naive", "bn_5x5"))
    return (
        Count(
            what="multiplications of 3a's 5×5 branch, naive, in millions", ours=example.direct / 1e6, published=120, digits=3
        ),
        Count(
            what="multiplications of 3a's 5×5 branch, reduced, in millions", ours=example.total / 1e6, published=12.4, digits=3
        ),
        Count(
            what="multiply-adds of the whole network, naive / reduced",
            ours=naive.macs / reduced.macs,
            published=10,
            remark="the paper gives no figure for the whole network; ten is the example's",
        ),
        Count(
            what="parameters of the whole network, naive / reduced",
            ours=naive.params / reduced.params,
            published=10,
            remark="likewise",
        ),
        Count(
            what="values written on the way, naive / reduced",
            ours=naive.to_dict()["activations"] / reduced.to_dict()["activations"],
            published=1,
            remark="memory: the paper gives no figure",
        ),
    )


def run(lab: Lab, arm: str) -> Record:
    """Train one; a naive network of equal multiply-adds gets as many steps as these pay for."""
    started = time.process_time()
    sample = lab.sample()
    reduced, naive = (lab.declare(f"googlenet/{variant}", sample) for variant in ("bn_5x5", "naive"))
    size = (sample.side, sample.side)
    ratio = cost(naive, size).macs / cost(reduced, size).macs
    chosen = reduced if arm == "reduced" else naive
    steps = max(1, round(lab.size.steps / ratio)) if arm == "naive, equal multiply-adds" else lab.size.steps
    training = lab.training(steps=steps, lr=LR)
    before = time.process_time()
    _, log = lab.trained(chosen, sample, training)
    bill = cost(chosen, size)
    values = {
        "milliseconds": 1000 * (time.process_time() - before) / steps,
        "macs": float(bill.macs),
        "params": float(bill.params),
        "steps": float(steps),
    }
    return record(log, started, values=values)


CLAIM = Claim(
    number=2,
    id="modules",
    title="reduced against naive modules",
    statement="Modules with 1×1 reductions cost a fraction of naive ones, so that at equal computing the network gets further.",
    source="Szegedy et al. 2014, arXiv:1409.4842, section 4, figure 2",
    experiment="GoogLeNet with both modules, narrow and shallow, on the digits: validation accuracy at equal "
    "multiply-adds, and at equal steps.",
    published="120 M → 12.4 M multiplications in one branch; no accuracy is given",
    arms=ARMS,
    trial=each(run),
    hypotheses=(
        Hypothesis(
            statement="At equal multiply-adds the reduced network is more accurate than the naive one.",
            quantity="accuracy",
            more="reduced",
            less="naive, equal multiply-adds",
            unit="points",
        ),
        Hypothesis(
            statement="At equal steps the reduced network is not worse by more than two points.",
            quantity="accuracy",
            more="reduced",
            less="naive, equal steps",
            unit="points",
            margin=-0.02,
        ),
        Hypothesis(
            statement="A step of the naive network takes longer.",
            quantity="milliseconds",
            more="naive, equal steps",
            less="reduced",
            ratio=True,
            timed=True,
        ),
    ),
    counts=counts,
    panels=(
        Panel(kind="points", quantity="accuracy", label="validation accuracy, %", percent=True),
        Panel(kind="curves", quantity="accuracy", label="validation accuracy, %", percent=True),
    ),
    small=Size(depth=0.2, side=32, steps=40),
    seconds=2.5,
    learns=("reduced",),
)
