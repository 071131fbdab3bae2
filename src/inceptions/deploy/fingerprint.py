"""A graph's content as a few digits."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np

from inceptions.deploy.graph import Graph


def fingerprint(graph: Graph) -> str:
    """A digest of all a graph consists of: two of the same compute the same."""
    digest = hashlib.blake2b(repr((graph.input, graph.shape, graph.outputs)).encode(), digest_size=16)
    for op in graph.ops:
        digest.update(type(op).__name__.encode())
        for entry in fields(op):
            value = getattr(op, entry.name)
            if isinstance(value, np.ndarray):
                digest.update(repr(value.shape).encode())
                digest.update(np.ascontiguousarray(value).data)
            else:
                digest.update(repr(value).encode())
    return digest.hexdigest()
