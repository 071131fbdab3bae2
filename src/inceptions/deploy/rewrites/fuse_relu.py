"""ReLU into the convolution, the dense layer or the sum before it."""

from __future__ import annotations

from dataclasses import replace

from inceptions.deploy.graph import Add, Conv, Dense, Graph, Op, Relu
from inceptions.deploy.rewrites.done import Done


def fuse_relu(graph: Graph) -> tuple[Graph, Done]:
    """Let the layer set negative values to zero itself, while they are still in a register."""
    fused: dict[str, Op] = {}
    gone: set[str] = set()
    for op in graph.ops:
        if isinstance(op, Relu):
            before = graph.only_read_by(op)
            if isinstance(before, Conv | Dense | Add):
                fused[op.name] = replace(before, name=op.name, relu=True)
                gone.add(before.name)
    ops = (fused.get(op.name, op) for op in graph.ops if op.name not in gone)
    return graph.with_ops(ops), Done(
        rewrite="fuse_relu", count=len(fused), note=f"{len(fused)} ReLUs fused into the layer before them"
    )
