"""Average pooling as a convolution of each channel on its own."""

from __future__ import annotations

import numpy as np

from inceptions.deploy.graph import Array, Conv, Graph, Op, Pool
from inceptions.deploy.rewrites.done import Done
from inceptions.deploy.rewrites.fold_norm import fold_norm
from inceptions.deploy.shapes import shapes


def pool_as_conv(graph: Graph) -> tuple[Graph, Done]:
    """Every window's sum divided by the same number is a convolution, which takes a bias and a ReLU along.

    Only of averages that count all of their padding, or have none.
    """
    sizes = shapes(graph)
    changed: dict[str, Op] = {}
    for op in graph.ops:
        if isinstance(op, Pool) and op.kind == "average" and op.stride == 1 and op.counted == op.pads:
            changed[op.name] = depthwise(op, sizes[op.input][0])
    graph = graph.with_ops(changed.get(op.name, op) for op in graph.ops)
    if changed:
        graph, _ = fold_norm(graph)
    return graph, Done(
        rewrite="pool_as_conv", count=len(changed), note=f"{len(changed)} average pools computed as convolutions of one channel"
    )


def depthwise(pool: Pool, channels: int) -> Conv:
    """The convolution that adds up each window and divides it by its size."""
    weight: Array = np.full((channels, 1, pool.kernel, pool.kernel), 1 / pool.kernel**2, np.float32)
    stride = (pool.stride, pool.stride)
    return Conv(name=pool.name, input=pool.input, weight=weight, stride=stride, pads=pool.pads, groups=channels)
