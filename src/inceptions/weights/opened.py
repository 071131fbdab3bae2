"""What comes out of a weight file."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from inceptions.weights.card import Card
from inceptions.weights.report import Report


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """Weights with what is known of them.

    Attributes:
        tensors: by our names; without those of a classifier where the card names no classes.
        card: what they are.
        report: how a foreign file was understood; None for one of ours.
    """

    tensors: dict[str, Tensor]
    card: Card
    report: Report | None = None

    def summary(self, file: str) -> Report:
        """The report, or for a file of ours one that says that all of it was used."""
        if self.report is not None:
            return self.report
        return Report(
            file=file,
            container="safetensors",
            family="inceptions",
            card=self.card,
            why=("it says so itself",),
            preprocess_why="it says so itself",
            used=len(self.tensors),
        )
