"""What kept a run from being better, in one line: the loader, the number of epochs, the images, or the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inceptions.recipe import Recipe
from inceptions.train.run.folder import Row

# Share of the training time from which on waiting for images comes before everything else.
WAITING = 0.3
# Accuracy: what counts as nothing left to gain, as more in training than in validation, and as a gain in the last epochs.
SOLVED, GAP, GAIN = 0.995, 0.05, 0.002
LATE = 0.9
"""Share of the epochs after which a best epoch counts as the end."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What limited a run.

    Attributes:
        kind: "loader", "epochs", "overfitting", "capacity" or "nothing".
        sentence: with the figures, and what may help.
    """

    kind: Literal["loader", "epochs", "overfitting", "capacity", "nothing"]
    sentence: str


def what_limited(rows: Sequence[Row], recipe: Recipe) -> Limit:
    """Judge a run by its history.

    Training accuracy is measured on augmented images with dropout on, and falls short of what the network knows; so where it is
    above that of validation, the network has learnt images by heart.

    Args:
        rows: the history, with one validated epoch at least.
        recipe: what was to be done.
    """
    trained, validated = ([row for row in rows if row.split == split] for split in ("train", "validation"))
    best = max(validated, key=lambda row: (row.accuracy, -row.loss))
    beside = next(row for row in trained if row.epoch == best.epoch)
    last, epochs = trained[-1], trained[-1].epoch
    waiting = waited(rows)
    if waiting >= WAITING:
        return Limit(
            "loader",
            f"the loader: {waiting:.0%} of the training time went into waiting for images; more --workers, smaller images "
            "on the disk or a smaller source_size help.",
        )
    if best.accuracy >= SOLVED:
        return Limit("nothing", f"nothing: a validation accuracy of {best.accuracy:.3f} leaves little to gain.")
    gap = last.accuracy - validated[-1].accuracy
    before = max(1, min(epochs - 1, int(epochs * LATE)))
    gained = best.accuracy - max((row.accuracy for row in validated if row.epoch <= before), default=best.accuracy)
    if gap > GAP and best.epoch < epochs * LATE:
        return Limit(
            "overfitting",
            f"the images: at the end training accuracy is {last.accuracy:.3f} and validation accuracy "
            f"{validated[-1].accuracy:.3f}, best in epoch {best.epoch} of {epochs}; more images, stronger augment or "
            "pretrained weights help, more epochs do not.",
        )
    # The first epoch of a recipe with `tuning` finds an optimum; another one would find the same.
    single = epochs == 1 and recipe.tuning is None
    if epochs == recipe.epochs and (single or (best.epoch > epochs * LATE and gained > GAIN)):
        return Limit(
            "epochs",
            "the number of epochs: there was one, and more help."
            if epochs == 1
            else f"the number of epochs: validation accuracy still rose, to {best.accuracy:.3f} in epoch {best.epoch} of "
            f"{epochs}; more help.",
        )
    if gap > GAP:
        return Limit(
            "overfitting",
            f"the images: training accuracy is {beside.accuracy:.3f} and validation accuracy {best.accuracy:.3f} in epoch "
            f"{best.epoch} of {epochs}; more images, stronger augment or pretrained weights help.",
        )
    return Limit(
        "capacity",
        f"the network or the recipe: training accuracy ({beside.accuracy:.3f}) and validation accuracy ({best.accuracy:.3f}) "
        f"came to rest in epoch {best.epoch} of {epochs}; a larger network, larger images, a higher rate or pretrained weights "
        "may help.",
    )


def waited(rows: Sequence[Row]) -> float:
    """Share of the training time that went into waiting for images, over the whole run: its epochs count alike."""
    shares = [row.data_wait for row in rows if row.data_wait is not None]
    return sum(shares) / len(shares) if shares else 0.0
