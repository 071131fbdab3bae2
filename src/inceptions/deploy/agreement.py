"""How far two ways of computing a network are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, inf, isfinite

import numpy as np
import torch

from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.engines.module import reference
from inceptions.deploy.graph import Array, Graph

EXACT = 1e-5
"""What float32 rounding may add up to in a rewritten network, as a share of the largest logit."""

ROUNDING: dict[Precision, float] = {"float32": EXACT, "bf16": 0.01, "fp16": 0.002, "int8": 0.03}
"""What a precision's rounding moves a logit of the family's networks by, as a share of the largest: two classes that are no
further apart in float32 are a tie, and which of them comes first is chance."""

DIFFERENCE: dict[Precision, float] = {"float32": 1e-4, "bf16": 0.05, "fp16": 0.05, "int8": inf}
"""How far a logit may be from float32's, as a share of the largest. Half precision some sixty layers deep leaves 0.3 to 3 % on
the networks of the family; what leaves more than this is broken. In eight bits only the answers count."""

TOP1: dict[Precision, float] = {"float32": 0.999, "bf16": 0.99, "fp16": 0.99, "int8": 0.98}
"""Share of the images whose likeliest class has to stay."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the answers for some images compare.

    Attributes:
        difference: largest difference of a logit, as a share of the largest logit of that head.
        top1: share of the images whose likeliest class is the same, of the head that agrees least.
        images: how many images.
        margins: of each image whose likeliest class is another (of the head that agrees least), how far float32 has the two
            classes apart, as a share of the largest logit.
    """

    difference: float
    top1: float
    images: int
    margins: tuple[float, ...] = ()

    def too_many(self, least: float, precision: Precision) -> int:
        """How many images changed their class, if that is more than may; else 0.

        Of so many images that one is less than the share that may change, that share is the limit. Of fewer, one may, and only
        where float32 itself has the two classes as close as rounding.

        Args:
            least: share of the images whose class has to stay.
            precision: what was computed in.
        """
        changed = round((1 - self.top1) * self.images)
        allowed = floor(round((1 - least) * self.images, 6))
        tie = allowed == 0 and changed == 1 and len(self.margins) == 1 and self.margins[0] <= ROUNDING[precision]
        return 0 if changed <= allowed or tie else changed

    def fault(self, precision: Precision, *, meaningful: bool) -> str:
        """Why answers are not to be trusted, as a part of a sentence; "" if they are.

        Args:
            precision: what they were computed in.
            meaningful: whether the images are of the network's own kind, so that the likeliest class means something.
        """
        if not isfinite(self.difference):
            return "logits are no numbers, or beyond all of them"
        if not self.difference <= DIFFERENCE[precision]:
            return f"logits differ from float32 by {self.difference:.2g} of the largest, more than {DIFFERENCE[precision]:g}"
        if meaningful and (changed := self.too_many(TOP1[precision], precision)):
            return f"{changed} of {self.images} images get another class than in float32"
        return ""

    def __str__(self) -> str:
        """As a report says it."""
        within = f"logits within {self.difference:.2g} of the largest"
        return f"same likeliest class on {self.top1:.1%} of {self.images} images, {within}"


def agreement(expected: Mapping[str, Array], found: Mapping[str, Array]) -> Agreement:
    """Compare logits `[images, classes]` by head.

    Args:
        expected: of the original.
        found: of what is to take its place.
    """
    assert list(expected) == list(found)
    differences, images = [0.0], 0
    least: tuple[float, tuple[float, ...]] = 1.0, ()
    for head, logits in expected.items():
        largest = float(np.abs(logits).max())
        apart = float(np.abs(found[head] - logits).max())
        # A logit that is not a number agrees with nothing.
        differences.append(apart / largest if largest and np.isfinite(apart) else 0.0 if apart == 0 else float("inf"))
        right, given = logits.argmax(axis=1), found[head].argmax(axis=1)
        rows = np.flatnonzero(right != given)
        images = len(logits)
        margins = (logits[rows, right[rows]] - logits[rows, given[rows]]) / (largest or 1.0)
        least = min(least, (1 - len(rows) / images, tuple(margins.tolist())), key=lambda one: one[0])
    return Agreement(max(differences), least[0], images, least[1])


def same(graph: Graph, other: Graph, images: Array) -> Agreement:
    """Compare two graphs of one network in float32, as `module` computes them.

    Args:
        graph: the original.
        other: rewritten; with the same outputs.
        images: what both take.
    """
    x = torch.from_numpy(images)
    first, second = ({head: logits.numpy() for head, logits in reference(one, x).items()} for one in (graph, other))
    return agreement(first, second)
