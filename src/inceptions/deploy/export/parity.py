"""Whether a file answers as the network it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inceptions.deploy.agreement import Agreement
from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.quantise import TOLERANCE

LARGEST_DIFFERENCE: dict[Precision, float] = {"float32": 1e-4, "bf16": 0.1, "fp16": 0.1, "int8": float("inf")}
"""Of any logit, as a share of the largest logit. In eight bits only the answers count."""

LEAST_AGREEMENT: dict[Precision, float] = {"float32": 0.99, "bf16": 0.99, "fp16": 0.99, "int8": 1 - TOLERANCE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How a file's answers compare with the network's in float32.

    Attributes:
        agreement: what was found.
        source: what images they were.
        photographs: whether they are the user's. If not, they say nothing about how often answers stay the same.
        runtime: what ran the file.
    """

    agreement: Agreement
    source: str
    photographs: bool
    runtime: str

    def fault(self, precision: Precision) -> str | None:
        """What is too much for a precision, as a part of a sentence; None if the file answers as it should."""
        difference, top1 = self.agreement.difference, self.agreement.top1
        most, least = LARGEST_DIFFERENCE[precision], LEAST_AGREEMENT[precision]
        if difference > most:
            return f"a logit differs by {difference:.1e} of the largest one (at most {most:.0e})"
        if self.photographs and self.agreement.too_many(least, precision):
            return f"only {top1:.1%} of the answers stay the same (at least {least:.0%})"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        found = self.agreement
        return {
            "images": found.images,
            "source": self.source,
            "runtime": self.runtime,
            "relative_diff": found.difference,
            "top1_agreement": found.top1,
        }

    def text(self) -> str:
        """As a line."""
        return f"through {self.runtime} with {self.source}: {self.agreement}"
