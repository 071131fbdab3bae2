"""What a network says, as an answer: logits to probabilities, and to the classes they speak for. Needs numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from inceptions.data.decode import ImageError

Logits = Mapping[str, NDArray[np.float32]]
"""`[images, classes]` by the name of the head, in depth order."""

MAIN, BEST, MEAN = "main", "best", "mean"
"""Answers out of several heads': of the one that is surest of this image, and the mean of all."""


@dataclass(frozen=True, slots=True)
class Guess:
    """One class and its probability (softmax, 0 to 1); `index` is the output it belongs to."""

    label: str
    index: int
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer for one image.

    Attributes:
        path: where the image came from; None if it was not a file.
        top: the likeliest classes, best first; empty where the image could not be read.
        error: why it could not be read, as a part of a sentence; None where it could.
        sure: whether the likeliest class is probable enough for the threshold of `inceptions evaluate --calibrate`; None
            where there is no threshold, or it is not for the head that answers.
    """

    path: str | None
    top: tuple[Guess, ...] = ()
    error: str | None = None
    sure: bool | None = None

    @property
    def label(self) -> str:
        """The likeliest class.

        Raises:
            ImageError: the image could not be read.
        """
        return self._best.label

    @property
    def probability(self) -> float:
        """How likely it is, 0 to 1.

        Raises:
            ImageError: the image could not be read.
        """
        return self._best.probability

    @property
    def _best(self) -> Guess:
        if not self.top:
            raise ImageError(self.path or "image", self.error or "there is no answer for it")
        return self.top[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain values: `path`, and `top` (of `class`, `index`, `probability`), with `sure` if that is known, or `error`."""
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        top = [{"class": guess.label, "index": guess.index, "probability": guess.probability} for guess in self.top]
        return {"path": self.path, "top": top} if self.sure is None else {"path": self.path, "top": top, "sure": self.sure}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; a number that went through JSON comes back to the last bit."""
        top = tuple(Guess(guess["class"], guess["index"], guess["probability"]) for guess in values.get("top", ()))
        return cls(path=values["path"], top=top, error=values.get("error"), sure=values.get("sure"))


def probabilities(logits: Logits, head: str, temperature: float = 1.0) -> NDArray[np.float64]:
    """How likely each class is.

    Args:
        logits: of the head that answers, or of all of them if several do.
        head: its name, "mean" (of all heads' probabilities) or "best" (for each image the head that is surest of its answer; of
            heads that are equally sure the deepest).
        temperature: the logits are divided by it.

    Returns:
        `[images, classes]`.
    """
    if head not in (BEST, MEAN):
        return softmax(logits[head], temperature)
    every = np.stack([softmax(rows, temperature) for rows in reversed(list(logits.values()))])
    if head == MEAN:
        found: NDArray[np.float64] = every.mean(axis=0)
        return found
    surest: NDArray[np.float64] = every[every.max(axis=2).argmax(axis=0), np.arange(every.shape[1])]
    return surest


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Logits `[images, classes]` as probabilities, computed in float64."""
    scaled = logits.astype(np.float64) / temperature
    with np.errstate(invalid="ignore"):  # what is not finite is refused by whoever asked
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return found


def guesses(shares: NDArray[np.float64], classes: tuple[str, ...], top: int) -> list[tuple[Guess, ...]]:
    """The likeliest classes of each image, best first; of equally likely ones the first of the network's outputs."""
    best = np.argsort(-shares, axis=1, kind="stable")[:, :top]
    values = np.take_along_axis(shares, best, axis=1)
    return [
        tuple(Guess(classes[i], i, share) for i, share in zip(indices, row, strict=True))
        for indices, row in zip(best.tolist(), values.tolist(), strict=True)
    ]
