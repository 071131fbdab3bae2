"""Whether a file answers as the network it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inceptions.deploy.agreement import Agreement
from inceptions.deploy.engines.engine import Precision


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

    def fault(self, precision: Precision) -> str:
        """What is too much for a precision, as a part of a sentence; "" if the file answers as it should."""
        return self.agreement.fault(precision, meaningful=self.photographs)

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
