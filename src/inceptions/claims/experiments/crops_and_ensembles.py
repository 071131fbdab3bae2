"""Claim 16: several crops, several models."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from inceptions.architecture.nodes import Pool
from inceptions.claims.claim import Claim, Curve, Hypothesis, Panel, Record, Size, digest
from inceptions.claims.images import Sample, Share, placed
from inceptions.claims.lab import Lab
from inceptions.claims.networks import conv, module, network
from inceptions.claims.training import Log, accuracy, predict

MODELS = 7
ARMS = ("one model, one crop", "one model, five crops", "seven models, one crop", "seven models, five crops")


def trial(lab: Lab, arms: Sequence[str]) -> dict[str, Record]:
    """Seven networks that start from the same weights and see the images in other orders and other crops."""
    started = time.process_time()
    sample, canvas = lab.sample(), lab.size.side
    view = canvas * 3 // 4
    chance = torch.Generator().manual_seed(lab.seed)
    count = max(len(sample.train), len(sample.held))
    sides = torch.full((count,), view)
    tops, lefts = (torch.randint(0, canvas - view + 1, (count,), generator=chance) for _ in range(2))
    sample = sample.mapped(placed(sides, tops, lefts, canvas))
    far = canvas - view
    corners = [(far // 2, far // 2), (0, 0), (0, far), (far, 0), (far, far)]

    def cut(x: Tensor, top: int, left: int) -> Tensor:
        return x[..., top : top + view, left : left + view]

    every = sample.held.x[torch.arange(len(sample.held))]
    views = [Share(cut(every, top, left), sample.held.y) for top, left in corners]

    def random_crop(x: Tensor, chance: torch.Generator) -> Tensor:
        top, left = torch.randint(0, far + 1, (2,), generator=chance).tolist()
        return cut(x, top, left)

    trunk = (conv("conv_1", 16, 3, stride=2), module("mixed_2", 32), Pool("pool_2", "max", 3, stride=2), module("mixed_3", 48))
    seen = Sample(sample.train, views[0], classes=sample.classes, channels=sample.channels, side=view)
    declared = network("crops", trunk, seen)
    probabilities, first = [], Log()
    for i in range(MODELS):
        model = lab.factory(declared, lab.seed)
        log = lab.fit(model, seen, lab.training(augment=random_crop, looks=1), lab.seed + 100_000 * (i + 1))
        first = log if i == 0 else first
        probabilities.append(torch.stack([predict(model, share).double().softmax(dim=1) for share in views]))
    scores = torch.stack(probabilities)  # [models, crops, images, classes]
    labels = sample.held.y
    found = {
        # What one model does is the mean over the seven: which of them is taken for the one is chance.
        "one model, one crop": [scores[i, 0] for i in range(MODELS)],
        "one model, five crops": [scores[i].mean(dim=0) for i in range(MODELS)],
        "seven models, one crop": [scores[:, 0].mean(dim=0)],
        "seven models, five crops": [scores.mean(dim=(0, 1))],
    }
    by_models: dict[str, Curve] = {
        "one crop": [(n, 1 - accuracy(scores[:n, 0].mean(dim=0), labels)) for n in range(1, MODELS + 1)],
        "five crops": [(n, 1 - accuracy(scores[:n].mean(dim=(0, 1)), labels)) for n in range(1, MODELS + 1)],
    }
    spent = (time.process_time() - started) / len(arms)
    records = {}
    for arm, answers in found.items():
        reached = sum(accuracy(one, labels) for one in answers) / len(answers)
        records[arm] = Record(
            values={"accuracy": reached, "error": 1 - reached, "chance": first.chance},
            curves={"models": by_models[arm.split(", ")[1]]} if arm.startswith("seven") else {},
            trace=digest(arm, *(one.numpy().tobytes() for one in answers)),
            seconds=spent,
        )
    return records


CLAIM = Claim(
    number=16,
    id="crops-and-ensembles",
    title="multiple crops and ensembles",
    statement="Averaging the answers to several crops, and of seven models that differ only in how the images were sampled, "
    "lowers the error.",
    source="Szegedy et al. 2014, arXiv:1409.4842, section 7, Table 3",
    experiment="Seven small networks from the same first weights, trained on random crops in other orders; their "
    "error with one central and with five crops, alone and together. Digits are not mirrored, which would "
    "make other signs of them.",
    published="top-5 error: 10.07 % → 9.15 % (10 crops), 8.09 % (7 models), 7.62 % (both)",
    arms=ARMS,
    trial=trial,
    hypotheses=(
        Hypothesis(
            statement="Seven models have a lower error than one.",
            quantity="error",
            more="one model, one crop",
            less="seven models, one crop",
            unit="points",
            published="1.98 points (top-5)",
        ),
        Hypothesis(
            statement="Five crops have a lower error than one.",
            quantity="error",
            more="one model, one crop",
            less="one model, five crops",
            unit="points",
            published="0.92 points (top-5, ten crops)",
        ),
        Hypothesis(
            statement="Seven models and five crops have a lower error than seven models and one crop.",
            quantity="error",
            more="seven models, one crop",
            less="seven models, five crops",
            unit="points",
            published="0.47 points (top-5, ten crops)",
        ),
    ),
    panels=(
        Panel(
            kind="curves",
            quantity="models",
            label="error, %",
            across="models averaged",
            percent=True,
            arms=("seven models, one crop", "seven models, five crops"),
        ),
        Panel(kind="points", quantity="error", label="error, %", percent=True),
    ),
    small=Size(side=24, steps=150, train=400),
    seconds=11.5,
    together=True,
    learns=("one model, one crop",),
)
