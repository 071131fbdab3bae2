"""Claim 12: label smoothing."""

from __future__ import annotations

import time

from inceptions.architecture.nodes import Pool
from inceptions.claims.claim import Claim, Hypothesis, Panel, Record, Size, each
from inceptions.claims.lab import Lab, record
from inceptions.claims.networks import conv, module, network
from inceptions.evaluate.metrics import calibration_error, outcomes

ARMS = {"hard labels": 0.0, "smoothed": 0.1}


def run(lab: Lab, arm: str) -> Record:
    """Train long enough to be sure of the training images."""
    started = time.process_time()
    sample = lab.sample()
    trunk = (conv("conv_1", 16, 3, stride=2), module("mixed_2", 32), Pool("pool_2", "max", 3, stride=2), module("mixed_3", 64))
    _, log = lab.trained(network("smoothing", trunk, sample), sample, lab.training(smoothing=ARMS[arm]))
    best = log.logits.topk(2, dim=1).values
    largest, second = best.double().mean(dim=0).tolist()
    found = outcomes(log.logits.numpy(), sample.held.y.tolist())
    values = {
        "logit_gap": largest - second,
        "calibration_error": calibration_error(found),
        "confidence": float(found.confidence.mean()),
        "validation_loss": float(found.losses.mean()),
    }
    return record(log, started, values=values)


CLAIM = Claim(
    number=12,
    id="label-smoothing",
    title="label smoothing",
    statement="Label smoothing keeps the largest logit from becoming much larger than the others, which makes the model less "
    "sure of itself and a little more accurate.",
    source="Szegedy et al. 2015, arXiv:1512.00567, section 7; calibration: Müller et al. 2019, arXiv:1906.02629",
    experiment="A small network of two modules on few digits, with hard labels and with a tenth of each spread over "
    "all classes.",
    published="0.2 points of top-1 and of top-5 accuracy; the logits are argued, not measured",
    arms=tuple(ARMS),
    trial=each(run),
    hypotheses=(
        Hypothesis(
            statement="The largest logit is further above the second with hard labels.",
            quantity="logit_gap",
            more="hard labels",
            less="smoothed",
            ratio=True,
        ),
        Hypothesis(
            statement="Smoothing makes the network more accurate.",
            quantity="accuracy",
            more="smoothed",
            less="hard labels",
            unit="points",
            published="0.2 points",
        ),
        Hypothesis(
            statement="Hard labels leave a larger calibration error.",
            quantity="calibration_error",
            more="hard labels",
            less="smoothed",
            unit="points",
        ),
        Hypothesis(
            statement="Hard labels make it surer of itself.",
            quantity="confidence",
            more="hard labels",
            less="smoothed",
            unit="points",
        ),
    ),
    panels=(
        Panel(kind="points", quantity="logit_gap", label="largest minus second logit"),
        Panel(kind="points", quantity="calibration_error", label="calibration error, %", percent=True),
        Panel(kind="points", quantity="accuracy", label="validation accuracy, %", percent=True),
    ),
    small=Size(side=16, steps=120, train=300, held=1000),
    seconds=3.5,
    learns=tuple(ARMS),
    remark="After so few steps the network with hard labels is less sure of itself than it has reason to be, and smoothing "
    "makes it still less so: the calibration that smoothing improves is that of networks which were trained to the end.",
)
