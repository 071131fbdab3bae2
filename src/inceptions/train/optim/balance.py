"""Classes of unequal size: weights in the loss, and what `balance` does in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from inceptions.recipe import Recipe


def class_weights(labels: Sequence[int], classes: int) -> Tensor:
    """The weight of each class in the loss: inversely proportional to its images, 1 on average over the images.

    With it every class has the same share in an epoch's loss; scikit-learn calls these weights "balanced".

    Args:
        labels: of the training images.
        classes: how many there are; one without images gets the weight 0.

    Returns:
        float32, `[classes]`, on the CPU.
    """
    counts = Counter(labels)
    return torch.tensor([len(labels) / (len(counts) * counts[i]) if counts[i] else 0.0 for i in range(classes)])


def effect(recipe: Recipe, labels: Sequence[int], classes: Sequence[str]) -> str:
    """What `balance` does to the smallest and the largest class, or could do; nothing if it makes no difference."""
    counts = Counter(labels)
    least, most = (choose(counts, key=lambda label: counts[label]) for choose in (min, max))
    if counts[least] == counts[most]:
        same = f"balance={recipe.balance} changes nothing: every class has {counts[least]:,} images."
        return "" if recipe.balance == "none" else same
    sizes = f"{classes[least]} has {counts[least]:,} training images, {classes[most]} {counts[most]:,}"
    even = len(labels) / len(counts)
    match recipe.balance:
        case "none":
            # Twice as many is no rare sight and does little harm.
            if counts[most] <= 2 * counts[least]:
                return ""
            return f"Classes of unequal size: {sizes}. --balance sampler or --balance loss makes them count alike."
        case "loss":
            return f"balance=loss: {sizes}; in the loss each counts {even / counts[least]:.2f} and {even / counts[most]:.2f}."
        case "sampler":
            return (
                f"balance=sampler: {sizes}; an image of theirs is shown {even / counts[least]:.2f} and "
                f"{even / counts[most]:.2f} times an epoch, so that every class is shown {even:,.0f} times."
            )
