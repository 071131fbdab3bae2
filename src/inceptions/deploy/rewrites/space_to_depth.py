"""The strided first convolution as an unstrided one on four times the channels and a quarter of the pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inceptions.deploy.graph import Array, Conv, Graph, Op, SpaceToDepth
from inceptions.deploy.rewrites.done import Done
from inceptions.deploy.shapes import Shape, shapes

FEW_CHANNELS = 4


def space_to_depth(graph: Graph) -> tuple[Graph, Done]:
    """Lay 2 × 2 pixels side by side as channels: matrix units want more than the three channels of a colour image."""
    sizes = shapes(graph)
    start = graph.ops[0].name if graph.pixels else graph.input
    laid = f"{start}.blocks"
    changed: dict[str, Op] = {}
    for op in graph.readers[start]:
        if isinstance(op, Conv) and op.stride == 2 and op.groups == 1 and sizes[start][0] <= FEW_CHANNELS:
            unstrided = _unstrided(op, laid, sizes[start])
            if unstrided is not None:
                changed[op.name] = unstrided
    if not changed:
        return graph, Done(rewrite="space_to_depth", count=0, note="no strided first convolution")
    block = SpaceToDepth(name=laid, input=start)
    ops: list[Op] = [] if graph.pixels else [block]
    for op in graph.ops:
        ops.append(changed.get(op.name, op))
        if graph.pixels and op is graph.ops[0]:
            ops.append(block)
    return graph.with_ops(ops), Done(
        rewrite="space_to_depth", count=len(changed), note="first convolution made unstrided, on blocks of 2 × 2 pixels"
    )


def _unstrided(conv: Conv, blocks: str, shape: Shape) -> Conv | None:
    """The same convolution on blocks; None where a whole block of the map is never looked at."""
    weight = conv.weight
    pads: list[int] = []
    behind: list[int] = []
    for axis, size in ((0, shape[1]), (1, shape[2])):
        before = conv.pads[axis]
        steps = (size + before + conv.pads[axis + 2] - weight.shape[2 + axis]) // 2 + 1
        # Windows have to begin and to end with a block: a row of zeros does that.
        odd = before % 2
        rest = (weight.shape[2 + axis] + odd) % 2
        weight = np.pad(weight, [(odd, rest) if i == 2 + axis else (0, 0) for i in range(4)])
        reach = weight.shape[2 + axis] // 2
        pads.append((before + odd) // 2)
        behind.append(steps - 1 + reach - -(-size // 2) - pads[-1])
    if min(behind) < 0:
        return None
    filters, channels, height, width = weight.shape
    laid = weight.reshape(filters, channels, height // 2, 2, width // 2, 2).transpose(0, 3, 5, 1, 2, 4)
    deep: Array = np.ascontiguousarray(laid.reshape(filters, 4 * channels, height // 2, width // 2))
    return replace(conv, input=blocks, weight=deep, stride=1, pads=(pads[0], pads[1], behind[0], behind[1]))
