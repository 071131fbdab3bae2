"""Addresses of weights on the Hugging Face Hub, read without its client."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from inceptions.errors import UsageError

HUB = "hf:"


@dataclass(frozen=True, slots=True)
class Repository:
    """What "hf:owner/name/file@revision" stands for; file and revision may be left out."""

    name: str
    file: str | None = None
    revision: str | None = None

    @classmethod
    def parse(cls, address: str) -> Repository:
        """Read an address.

        Raises:
            UsageError: it is none.
        """
        found = re.fullmatch(r"hf:([\w.-]+/[\w.-]+)(?:/([^@]+))?(?:@(.+))?", address)
        if found is None:
            raise UsageError(f"{address!r} is no address on the Hub: write hf:owner/name, or hf:owner/name@revision.")
        return cls(*found.groups())


def is_hub(weights: str | Path) -> bool:
    """Whether weights are named by an address on the Hub. A path keeps it as it was written."""
    return str(weights).startswith(HUB)
