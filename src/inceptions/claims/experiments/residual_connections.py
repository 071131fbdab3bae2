"""Claim 14: Inception-v4 against Inception-ResNet."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache

from inceptions.architecture import Architecture, cost
from inceptions.claims.claim import Claim, Hypothesis, Panel, Record, Size, each
from inceptions.claims.images import Sample
from inceptions.claims.lab import Lab, record

ARMS = {"Inception-v4": "inception_v4", "Inception-ResNet-v2": "inception_resnet_v2/paper"}
TARGET = 0.5
WIDTHS = tuple(i / 64 for i in range(4, 129))


def run(lab: Lab, arm: str) -> Record:
    """Train one; the residual network is as wide as makes it cost the same."""
    started = time.process_time()
    sample = lab.sample()
    v4 = lab.declare(ARMS["Inception-v4"], sample, padding="same")
    declared = v4 if arm == "Inception-v4" else equal(lab, sample, cost(v4, (sample.side,) * 2).macs)
    before = time.process_time()
    _, log = lab.trained(declared, sample, lab.training(optimiser="rmsprop", lr=0.001, clip=2.0, looks=8))
    spent = time.process_time() - before
    losses = log.smooth_losses(10)
    first = next((step for step, loss in losses if loss <= TARGET), 2.0 * lab.size.steps)
    values = {
        "steps_to_loss": first,
        "milliseconds": 1000 * spent / lab.size.steps,
        "macs": float(cost(declared, (sample.side,) * 2).macs),
    }
    return record(log, started, values=values)


def equal(lab: Lab, sample: Sample, macs: int) -> Architecture:
    """The residual network whose multiply-adds are nearest to these."""
    return lab.declare(
        ARMS["Inception-ResNet-v2"], sample, padding="same", width=_width(macs, sample.side, replace(lab, seed=0))
    )


@lru_cache(maxsize=8)
def _width(macs: int, side: int, lab: Lab) -> float:
    sample = lab.sample(train=1)
    found = {
        width: cost(lab.declare(ARMS["Inception-ResNet-v2"], sample, padding="same", width=width), (side, side)).macs
        for width in WIDTHS
    }
    return min(found, key=lambda width: abs(found[width] - macs))


CLAIM = Claim(
    number=14,
    id="residual-connections",
    title="residual connections",
    statement="At equal cost, Inception-ResNet trains faster than Inception-v4 and ends about as accurate; v4 is "
    "slower a step.",
    source="Szegedy et al. 2016, arXiv:1602.07261, sections 1 and 5, figures 23 to 26",
    experiment="Inception-v4 and Inception-ResNet-v2 (the paper's), narrow and shallow, padded so that small images "
    "fit, on the digits, the second as wide as makes its multiply-adds those of the first: training loss and accuracy.",
    published="faster in steps; final top-1 error 20.0 % against 19.9 %",
    arms=tuple(ARMS),
    trial=each(run),
    hypotheses=(
        Hypothesis(
            statement="The mean training loss over all steps is higher for Inception-v4.",
            quantity="mean_loss",
            more="Inception-v4",
            less="Inception-ResNet-v2",
            unit="nats",
        ),
        Hypothesis(
            statement="Inception-v4 needs more steps to a training loss of 0.5.",
            quantity="steps_to_loss",
            more="Inception-v4",
            less="Inception-ResNet-v2",
            ratio=True,
        ),
        Hypothesis(
            statement="Inception-ResNet is not less accurate in the end by more than two points.",
            quantity="accuracy",
            more="Inception-ResNet-v2",
            less="Inception-v4",
            unit="points",
            margin=-0.02,
            published="0.1 points",
        ),
        Hypothesis(
            statement="A step of Inception-v4 takes longer.",
            quantity="milliseconds",
            more="Inception-v4",
            less="Inception-ResNet-v2",
            ratio=True,
            timed=True,
        ),
    ),
    panels=(
        Panel(kind="curves", quantity="loss", label="training loss, nats"),
        Panel(kind="curves", quantity="accuracy", label="validation accuracy, %", percent=True),
    ),
    small=Size(width=0.125, depth=0.3, side=32, steps=60),
    full=Size(width=1.0, depth=1.0, side=299, steps=8_000_000, batch=32, train=0, held=0),
    seconds=5.0,
    learns=("Inception-ResNet-v2",),
)
