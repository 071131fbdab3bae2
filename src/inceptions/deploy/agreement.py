"""How far two ways of computing a network are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from inceptions.deploy.engines.module import reference
from inceptions.deploy.graph import Array, Graph

EXACT = 1e-5
"""What float32 rounding may add up to in a rewritten network, as a share of the largest logit."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the answers for some images compare.

    Attributes:
        difference: largest difference of a logit, as a share of the largest logit of that head.
        top1: share of the images whose likeliest class is the same, of the head that agrees least.
        images: how many images.
    """

    difference: float
    top1: float
    images: int

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
    differences, shares, images = [0.0], [1.0], 0
    for head, logits in expected.items():
        largest = float(np.abs(logits).max())
        apart = float(np.abs(found[head] - logits).max())
        # A logit that is not a number agrees with nothing.
        differences.append(apart / largest if largest and np.isfinite(apart) else 0.0 if apart == 0 else float("inf"))
        shares.append(float((found[head].argmax(axis=1) == logits.argmax(axis=1)).mean()))
        images = len(logits)
    return Agreement(max(differences), min(shares), images)


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
