"""Claim 6: auxiliary classifiers."""

from __future__ import annotations

import math
import time

from inceptions.claims.claim import Claim, Hypothesis, Panel, Record, Size, each
from inceptions.claims.lab import Lab, record

# Arm: variant, and whether the heads are there.
ARMS = {
    "with heads": ("paper", True),
    "without heads": ("paper", False),
    "batch norm, with heads": ("bn_5x5", True),
    "batch norm, without heads": ("bn_5x5", False),
}
FIRST = "conv_1"


def run(lab: Lab, arm: str) -> Record:
    """Train GoogLeNet at its published depth and follow the gradient that reaches its first layer."""
    started = time.process_time()
    variant, heads = ARMS[arm]
    sample = lab.sample()
    declared = lab.declare(f"googlenet/{variant}", sample, aux=heads)
    training = lab.training(lr=0.02 if variant == "paper" else 0.1, gradients=(FIRST,), looks=4)
    _, log = lab.trained(declared, sample, training)
    norms = [max(norm, 1e-30) for _, norm in log.gradients[FIRST]]
    early = norms[: max(1, len(norms) // 3)]
    values = {
        "log_gradient": sum(map(math.log10, norms)) / len(norms),
        "early_log_gradient": sum(map(math.log10, early)) / len(early),
        "early_accuracy": log.accuracies[1][1] if len(log.accuracies) > 1 else 0.0,
    }
    return record(log, started, values=values, gradient=log.gradients[FIRST])


CLAIM = Claim(
    number=6,
    id="auxiliary-heads",
    title="auxiliary classifiers",
    statement="Classifiers on middle layers increase the gradient that reaches the first layers of a deep network "
    "and regularise it; with batch norm they matter less.",
    source="Szegedy et al. 2014, arXiv:1409.4842, section 5; Szegedy et al. 2015, arXiv:1512.00567, section 4",
    experiment="GoogLeNet at its full depth and a quarter of its width on the digits, with and without heads, with and without "
    "batch norm: the norm of the gradient of the first layer's weights in every step, and accuracies.",
    published="2014: heads “combat the vanishing gradient”; 2015: no difference early in training, 0.4 points late",
    arms=tuple(ARMS),
    trial=each(run),
    hypotheses=(
        Hypothesis(
            statement="Without batch norm, the first layer's gradient is larger with heads (decimal orders, first third of "
            "training).",
            quantity="early_log_gradient",
            more="with heads",
            less="without heads",
            unit="orders of magnitude",
        ),
        Hypothesis(
            statement="With batch norm likewise.",
            quantity="early_log_gradient",
            more="batch norm, with heads",
            less="batch norm, without heads",
            unit="orders of magnitude",
        ),
        Hypothesis(
            statement="With batch norm, early accuracy is higher with heads.",
            quantity="early_accuracy",
            more="batch norm, with heads",
            less="batch norm, without heads",
            unit="points",
            published="no difference (2015)",
        ),
        Hypothesis(
            statement="With batch norm, the final accuracy is higher with heads.",
            quantity="accuracy",
            more="batch norm, with heads",
            less="batch norm, without heads",
            unit="points",
            published="0.4 points (2015)",
        ),
        Hypothesis(
            statement="With batch norm, the heads regularise: training is less far above validation accuracy.",
            quantity="gap",
            more="batch norm, without heads",
            less="batch norm, with heads",
            unit="points",
        ),
    ),
    panels=(
        Panel(kind="curves", quantity="gradient", label="norm of the first layer's gradient", log=True),
        Panel(kind="curves", quantity="accuracy", label="validation accuracy, %", percent=True),
    ),
    small=Size(width=0.125, depth=1.0, side=32, steps=30, batch=16),
    seconds=4.0,
    remark="The network without batch norm does not leave chance in so few steps; only its gradients are compared.",
)
