"""Concatenations whose value is only read by another, into that one."""

from __future__ import annotations

from dataclasses import replace

from inceptions.deploy.graph import Concat, Graph, Op, reading
from inceptions.deploy.rewrites.done import Done


def flatten_concat(graph: Graph) -> tuple[Graph, Done]:
    """Copy every branch once, to its place in the outermost map. Inception-v3's last modules and -v4's branches branch again.

    A concatenation of a single map is that map.
    """
    flat: dict[str, tuple[str, ...]] = {}
    same: dict[str, str] = {}
    kept: list[Op] = []
    for op in graph.ops:
        new = reading(op, same)
        if isinstance(new, Concat):
            parts = tuple(one for part in new.inputs for one in flat.get(part, (part,)))
            readers = graph.readers[op.name]
            inner = op.name not in graph.outputs.values() and bool(readers) and all(isinstance(one, Concat) for one in readers)
            if len(parts) == 1 and op.name not in graph.outputs.values():
                same[op.name] = parts[0]
                continue
            if inner:
                flat[op.name] = parts
                continue
            new = replace(new, inputs=parts)
        kept.append(new)
    count = len(flat) + len(same)
    return graph.with_ops(kept), Done(
        rewrite="flatten_concat", count=count, note=f"{count} concatenations joined with the one that reads them"
    )
