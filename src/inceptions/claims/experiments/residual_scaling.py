"""Claim 15: residuals of wide networks have to be scaled down."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from inceptions.architecture.nodes import Conv, Node, Pool, Residual, chain
from inceptions.claims.claim import Claim, Hypothesis, Panel, Record, Size, each
from inceptions.claims.images import Sample
from inceptions.claims.lab import Lab, record
from inceptions.claims.networks import conv, network

LR = 0.05
BLOCKS = 10
# Arm: filters of the residual blocks, scale, factor on the rate, share of the steps that the rate rises over.
ARMS = {
    "wide, 1.0": (1152, 1.0, 1.0, 0.0),
    "wide, 0.1": (1152, 0.1, 1.0, 0.0),
    "wide, 0.3": (1152, 0.3, 1.0, 0.0),
    "wide, 1.0, rate ÷10": (1152, 1.0, 0.1, 0.0),
    "wide, 1.0, warm-up": (1152, 1.0, 1.0, 0.5),
    "narrow, 1.0": (96, 1.0, 1.0, 0.0),
    "narrow, 0.1": (96, 0.1, 1.0, 0.0),
}


def trunk(filters: int, scale: float) -> list[Node]:
    """Blocks as figure 13 draws them, 1x1 and 1x3-3x1 branches and a linear 1x1 back to the full width, on a small map."""
    inner = filters // 16
    halve = partial(Pool, kind="max", kernel=3, stride=2)
    nodes: list[Node] = [conv("conv_1", 16, 3, stride=2), halve("pool_1"), conv("conv_2", filters, 3, stride=2)]
    for i in range(1, BLOCKS + 1):
        body = chain(
            "body",
            conv("reduce", inner, 1),
            conv("1x3", inner, (1, 3)),
            conv("3x1", inner, (3, 1)),
            Conv("up", filters, 1, relu=False),
        )
        nodes.append(Residual(f"block_{i}", body, scale=scale))
    return nodes


def run(lab: Lab, arm: str) -> Record:
    """Train, and see how much of the last map is alive."""
    started = time.process_time()
    sample: Sample = lab.sample()
    filters, scale, rate, rise = ARMS[arm]
    training = lab.training(lr=LR * rate, warmup=round(rise * lab.size.steps), decay="none")
    # The family's own initialiser: residuals of the size of their input, which is what the claim is about.
    declared = replace(network("residuals", trunk(filters, scale), sample), initialiser="variance_scaling")
    model, log = lab.trained(declared, sample, training)
    last = model.features(sample.held.x[:100], [f"block_{BLOCKS}"])[f"block_{BLOCKS}"].detach()  # type: ignore[index]
    alive = float((last > 0).double().mean()) if bool(last.isfinite().all()) else 0.0
    return record(log, started, values={"alive": alive, "learned": float(log.accuracy > 0.5)})


CLAIM = Claim(
    number=15,
    id="residual-scaling",
    title="scaling the residuals of wide networks",
    statement="With more than 1000 filters, unscaled residual networks become unstable and die early in training; scaling the "
    "residuals by 0.1 to 0.3 prevents it, a lower rate or a warm-up does not, and where scaling is not needed it does no harm.",
    source="Szegedy et al. 2016, arXiv:1602.07261, section 3.3",
    experiment="Ten residual blocks of 1152 filters (and of 96) on the digits at a high rate, at scales of 1.0, 0.3 "
    "and 0.1, at a tenth of the rate, and with a warm-up.",
    published="died after some ten thousand steps; 0.1 to 0.3 trained; “never seemed to harm the final accuracy”",
    arms=tuple(ARMS),
    trial=each(run),
    hypotheses=(
        Hypothesis(
            statement="Wide residuals are more accurate at scale 0.1 than at 1.0.",
            quantity="accuracy",
            more="wide, 0.1",
            less="wide, 1.0",
            unit="points",
        ),
        Hypothesis(
            statement="Wide residuals are more accurate at scale 0.3 than at 1.0.",
            quantity="accuracy",
            more="wide, 0.3",
            less="wide, 1.0",
            unit="points",
        ),
        Hypothesis(
            statement="A tenth of the rate does not cure scale 1.0: scale 0.1 stays more accurate.",
            quantity="accuracy",
            more="wide, 0.1",
            less="wide, 1.0, rate ÷10",
            unit="points",
        ),
        Hypothesis(
            statement="A warm-up does not cure scale 1.0: scale 0.1 stays more accurate.",
            quantity="accuracy",
            more="wide, 0.1",
            less="wide, 1.0, warm-up",
            unit="points",
        ),
        Hypothesis(
            statement="In a narrow network scaling does no harm (not worse by more than two points).",
            quantity="accuracy",
            more="narrow, 0.1",
            less="narrow, 1.0",
            unit="points",
            margin=-0.02,
        ),
        Hypothesis(
            statement="It is the width: at scale 1.0 less of the last map is alive in the wide network than in the narrow one.",
            quantity="alive",
            more="narrow, 1.0",
            less="wide, 1.0",
            unit="points",
        ),
    ),
    panels=(
        Panel(kind="curves", quantity="accuracy", label="validation accuracy, %", percent=True),
        Panel(kind="points", quantity="accuracy", label="final validation accuracy, %", percent=True),
    ),
    small=Size(side=16, steps=40, batch=16),
    seconds=12.0,
    learns=("wide, 0.1",),
    remark="At scale 1.0 the narrow network learns hardly more in these steps: ten residuals as large as their inputs are too "
    "much for it as well, though more of it stays alive. So the figures show what scaling does, and not that it takes 1000 "
    "filters to need it. Rates of 0.02 and 0.01 were tried, with the same result.",
)
