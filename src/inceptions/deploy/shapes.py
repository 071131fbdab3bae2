"""How large every value of a graph is."""

from __future__ import annotations

import math

import numpy as np

from inceptions.deploy.graph import (
    Add,
    Affine,
    Array,
    Channels,
    Concat,
    Conv,
    Dense,
    Flatten,
    GlobalPool,
    Graph,
    GridPool,
    LengthOne,
    LocalResponseNorm,
    Op,
    Pads,
    Pixels,
    Pool,
    Relu,
    SpaceToDepth,
)

Shape = tuple[int, ...]
"""(channels, height, width) of a map, (channels,) of a vector."""


def shapes(graph: Graph) -> dict[str, Shape]:
    """The shape of the graph's input and of every value it makes."""
    found: dict[str, Shape] = {graph.input: graph.shape}
    for op in graph.ops:
        found[op.name] = _after(op, found)
    return found


def _after(op: Op, known: dict[str, Shape]) -> Shape:
    match op:
        case Pixels():
            return (len(op.order), *known[op.input][1:])
        case Conv():
            return (len(op.weight), *_slid(known[op.input], op.weight.shape[2:], op.stride, op.pads))
        case Pool():
            return (known[op.input][0], *_slid(known[op.input], (op.kernel, op.kernel), (op.stride, op.stride), op.pads))
        case GridPool():
            return known[op.input][0], op.grid, op.grid
        case GlobalPool():
            return known[op.input][:1]
        case Concat():
            return (sum(known[one][0] for one in op.inputs), *known[op.inputs[0]][1:])
        case Channels():
            return (op.stop - op.start, *known[op.input][1:])
        case Flatten():
            return (math.prod(known[op.input]),)
        case Dense():
            return (len(op.weight),)
        case SpaceToDepth():
            channels, height, width = known[op.input]
            return 2 * op.rows * channels, -(-height // op.rows), -(-width // 2)
        case Affine() | Relu() | LocalResponseNorm() | Add() | LengthOne():
            return known[op.input]


def _slid(shape: Shape, window: tuple[int, ...], stride: tuple[int, int], pads: Pads) -> tuple[int, int]:
    _, height, width = shape
    top, left, bottom, right = pads
    tall, wide = height + top + bottom - window[0], width + left + right - window[1]
    return tall // stride[0] + 1, wide // stride[1] + 1


def bins(length: int, grid: int) -> Array:
    """What `GridPool` does to one side of a map, as a matrix `[grid, length]`: each row is the mean of a bin's pixels."""
    matrix = np.zeros((grid, length), np.float32)
    for row in range(grid):
        start, stop = row * length // grid, -(-(row + 1) * length // grid)
        matrix[row, start:stop] = 1 / (stop - start)
    return matrix
