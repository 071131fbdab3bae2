"""What a rewrite says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a rewrite did to one graph.

    Attributes:
        rewrite: its name, that of its function.
        count: how many places it changed; 0 where it had nothing to do.
        note: what that was, as a sentence.
    """

    rewrite: str
    count: int
    note: str
