"""The strided first convolution as one on more channels and fewer pixels: three channels waste vector and matrix units."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from inceptions.deploy.graph import Array, Conv, Graph, Op, SpaceToDepth
from inceptions.deploy.rewrites.done import Done
from inceptions.deploy.shapes import Shape, shapes

FEW_CHANNELS = 4


def space_to_depth(graph: Graph) -> tuple[Graph, Done]:
    """Lay 2 × 2 pixels side by side as channels: an unstrided convolution on four times the channels."""
    graph, count = _laid(graph, 2)
    note = "first convolution made unstrided, on blocks of 2 × 2 pixels" if count else "no strided first convolution"
    return graph, Done(rewrite="space_to_depth", count=count, note=note)


def pair_columns(graph: Graph) -> tuple[Graph, Done]:
    """Take two neighbours in a row for one pixel of twice the channels: a convolution that is strided downwards alone.

    Nothing is moved for it where the channels of a pixel lie side by side, so it is left alone where rows are odd and every one
    would have to be copied for a column of zeros.
    """
    even = graph.shape[2] % 2 == 0
    graph, count = _laid(graph, 1) if even else (graph, 0)
    note = "first convolution made unstrided across, on pairs of pixels" if count else "no strided first one on even rows"
    return graph, Done(rewrite="pair_columns", count=count, note=note)


def _laid(graph: Graph, rows: Literal[1, 2]) -> tuple[Graph, int]:
    """The graph with its strided first convolutions on blocks of `rows` × 2 pixels, and how many there are."""
    sizes = shapes(graph)
    start = graph.ops[0].name if graph.pixels else graph.input
    block = SpaceToDepth(name=f"{start}.blocks", input=start, rows=rows)
    changed: dict[str, Op] = {}
    for op in graph.readers[start]:
        if isinstance(op, Conv) and op.stride == (2, 2) and op.groups == 1 and sizes[start][0] <= FEW_CHANNELS:
            unstrided = _unstrided(op, block, sizes[start])
            if unstrided is not None:
                changed[op.name] = unstrided
    if not changed:
        return graph, 0
    ops: list[Op] = [] if graph.pixels else [block]
    for op in graph.ops:
        ops.append(changed.get(op.name, op))
        if graph.pixels and op is graph.ops[0]:
            ops.append(block)
    return graph.with_ops(ops), len(changed)


def _unstrided(conv: Conv, block: SpaceToDepth, shape: Shape) -> Conv | None:
    """The same convolution on blocks; None where a whole block of the map is never looked at."""
    weight = conv.weight
    top, left, bottom, right = conv.pads
    pads, behind = [top, left], [bottom, right]
    for axis in (0, 1) if block.rows == 2 else (1,):
        before, size, window = pads[axis], shape[1 + axis], weight.shape[2 + axis]
        steps = (size + before + behind[axis] - window) // 2 + 1
        # Windows have to begin and to end with a block: a row of zeros does that.
        odd = before % 2
        rest = (window + odd) % 2
        weight = np.pad(weight, [(odd, rest) if i == 2 + axis else (0, 0) for i in range(4)])
        pads[axis] = (before + odd) // 2
        behind[axis] = steps - 1 + weight.shape[2 + axis] // 2 - -(-size // 2) - pads[axis]
    if min(behind) < 0:
        return None
    filters, channels, height, width = weight.shape
    down, across = height // block.rows, width // 2
    laid = weight.reshape(filters, channels, down, block.rows, across, 2).transpose(0, 3, 5, 1, 2, 4)
    deep: Array = np.ascontiguousarray(laid.reshape(filters, 2 * block.rows * channels, down, across))
    stride = (2 // block.rows, 1)
    return replace(conv, input=block.name, weight=deep, stride=stride, pads=(pads[0], pads[1], behind[0], behind[1]))
