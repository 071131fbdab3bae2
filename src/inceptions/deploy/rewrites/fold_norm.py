"""Batch norm into the convolution or the dense layer before it."""

from __future__ import annotations

from dataclasses import replace

from inceptions.deploy.graph import Affine, Array, Conv, Dense, Graph, Op
from inceptions.deploy.rewrites.done import Done


def fold_norm(graph: Graph) -> tuple[Graph, Done]:
    """Multiply each filter by its channel's scale, and make the channel's shift its bias."""
    folded: dict[str, Op] = {}
    gone: set[str] = set()
    for op in graph.ops:
        if isinstance(op, Affine):
            before = graph.only_read_by(op)
            if isinstance(before, Conv | Dense) and not before.relu:
                folded[op.name] = _folded(before, op)
                gone.add(before.name)
    ops = (folded.get(op.name, op) for op in graph.ops if op.name not in gone)
    return graph.with_ops(ops), Done(
        rewrite="fold_norm", count=len(folded), note=f"{len(folded)} batch norms folded into the layer before them"
    )


def _folded(layer: Conv | Dense, norm: Affine) -> Conv | Dense:
    weight: Array = layer.weight * norm.scale.reshape(-1, *(1,) * (layer.weight.ndim - 1))
    bias: Array = norm.shift if layer.bias is None else layer.bias * norm.scale + norm.shift
    return replace(layer, name=norm.name, weight=weight, bias=bias)
