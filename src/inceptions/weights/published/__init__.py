"""Checkpoints that others published: what is known of them, and how they come here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inceptions.lazy import on_first_use

if TYPE_CHECKING:
    from inceptions.weights.published.cache import fetch as fetch
    from inceptions.weights.published.cache import place as place
    from inceptions.weights.published.catalogue import PUBLISHED as PUBLISHED
    from inceptions.weights.published.catalogue import find as find
    from inceptions.weights.published.catalogue import published as published
    from inceptions.weights.published.checkpoint import Published as Published
    from inceptions.weights.published.download import Patience as Patience

__getattr__, __dir__ = on_first_use(
    __name__,
    {
        "cache": ("fetch", "place"),
        "catalogue": ("PUBLISHED", "find", "published"),
        "checkpoint": ("Published",),
        "download": ("Patience",),
    },
)
