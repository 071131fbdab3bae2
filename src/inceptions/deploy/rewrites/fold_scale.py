"""The constant factor of a residual into the convolution that ends its body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inceptions.deploy.graph import Add, Array, Conv, Graph, Op
from inceptions.deploy.rewrites.done import Done


def fold_scale(graph: Graph) -> tuple[Graph, Done]:
    """Multiply the weights instead of the map: Inception-ResNets scale their residuals by 0.1 to 0.3."""
    changed: dict[str, Op] = {}
    count = 0
    for op in graph.ops:
        if isinstance(op, Add) and op.scale != 1 and op.input != op.residual:
            before = graph.only_read_by(op)
            if isinstance(before, Conv) and (op.scale > 0 or not before.relu):
                changed[before.name] = _scaled(before, op.scale)
                changed[op.name] = replace(op, scale=1.0)
                count += 1
    ops = (changed.get(op.name, op) for op in graph.ops)
    return graph.with_ops(ops), Done(
        rewrite="fold_scale", count=count, note=f"{count} factors of residuals folded into the convolution before them"
    )


def _scaled(conv: Conv, scale: float) -> Conv:
    factor = np.float32(scale)
    weight: Array = conv.weight * factor
    bias: Array | None = None if conv.bias is None else conv.bias * factor
    return replace(conv, weight=weight, bias=bias)
