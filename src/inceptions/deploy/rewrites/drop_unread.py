"""Ops that no output needs."""

from __future__ import annotations

from dataclasses import replace

from inceptions.deploy.graph import Graph, Op, inputs
from inceptions.deploy.rewrites.done import Done


def drop_unread(graph: Graph) -> tuple[Graph, Done]:
    """Leave out what is computed for nobody."""
    needed = set(graph.outputs.values())
    kept: list[Op] = []
    for op in reversed(graph.ops):
        if op.name in needed:
            needed.update(inputs(op))
            kept.append(op)
    count = len(graph.ops) - len(kept)
    return graph.with_ops(reversed(kept)), Done(
        rewrite="drop_unread", count=count, note=f"{count} ops left out that no head needs"
    )


def only_heads(graph: Graph, *heads: str) -> Graph:
    """The graph of some of its heads, without what the others alone need."""
    kept = {head: value for head, value in graph.outputs.items() if head in heads}
    assert set(kept) == set(heads), f"{graph.outputs.keys()} are not all of {heads}"
    return drop_unread(replace(graph, outputs=kept))[0]
