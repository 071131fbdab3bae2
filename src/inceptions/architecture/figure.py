"""A node as the papers' figures draw it, and a module as the frame around its figure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from inceptions.architecture.cost import Cost
from inceptions.architecture.drawing import Box, Columns, Drawn, Frame, Shortcut, Stack
from inceptions.architecture.nodes import (
    Chain,
    Concat,
    Conv,
    Dense,
    GlobalPool,
    GridPool,
    Head,
    Node,
    Pool,
    Residual,
    SeparableConv,
)

# What the colours mean.
KINDS = {
    "point": "1×1 convolution",
    "square": "convolution",
    "flat": "factorised convolution (1×n, n×1)",
    "pool": "pooling",
    "dense": "fully connected",
    "other": "other",
}


def alike(one: tuple[Node, Cost], other: tuple[Node, Cost]) -> bool:
    """Whether two neighbours are modules that differ in name only."""
    same = replace(one[0], name="") == replace(other[0], name="") and one[1].output == other[1].output
    return same and isinstance(one[0], (Chain, Concat, Residual))


def figure(node: Node, cost: Cost, times: int) -> Drawn:
    """A node of the trunk: a box, or a frame around what it holds, with how many there are of it."""
    drawn = _draw(node, cost)
    if isinstance(node, Concat):
        drawn = Stack((drawn, Box(("concat", str(cost.output.channels)), "sum")))
    return drawn if isinstance(drawn, Box) else Frame(drawn, corner=f"×{times}" if times > 1 else "")


def head_figure(head: Head, costs: Sequence[Cost]) -> Frame:
    """A head that hangs beside the trunk."""
    return Frame(_stack(head.body.nodes, costs), (head.name, " · ".join(weights(costs))))


def weights(costs: Sequence[Cost]) -> list[str]:
    """Parameters and multiply-adds of all together, where there are any."""
    return [short(total) for total in (sum(cost.params for cost in costs), sum(cost.macs for cost in costs)) if total]


def short(number: int) -> str:
    """Three digits and a unit: 928, 9.41 K, 22.5 M; 1.50 G."""
    value = number / 1000
    for unit in ("K", "M"):
        if value < 999.5:
            return f"{number}" if number < 1000 else f"{value:#.3g}".rstrip(".") + f" {unit}"
        value /= 1000
    return f"{value:,.2f} G"


def _stack(nodes: Sequence[Node], costs: Sequence[Cost]) -> Stack:
    return Stack([_draw(node, cost) for node, cost in zip(nodes, costs, strict=True)])


def _draw(node: Node, cost: Cost) -> Drawn:
    """Anything that may stand in a declaration."""
    match node:
        case Chain(nodes=inner):
            return _stack(inner, cost.nodes)
        case Concat(branches=branches):
            return Columns([_draw(*pair) for pair in zip(branches, cost.nodes, strict=True)])
        case Residual(body=body, scale=scale, relu=relu):
            total = f"input + {scale:g} × body" if scale != 1 else "input + body"
            return Shortcut(_stack(body.nodes, cost.nodes), Box((total, "ReLU" if relu else "no ReLU"), "sum"))
        case _:
            hint = f"{cost.name}: {cost.op}, {cost.output}, {cost.params:,} parameters, {cost.macs:,} multiply-adds"
            return Box(_words(node, cost), _kind(node), hint)


def _words(node: Node, cost: Cost) -> tuple[str, ...]:
    """What a leaf does, and what its figure in the paper adds: filters, V for "valid", linear where no ReLU follows.

    Where TensorFlow's padding differs from an even one, under a stride, stands a T.
    """
    match node:
        case Conv(filters=filters, relu=relu) | SeparableConv(filters=filters, relu=relu):
            valid = " V" if node.padding == "valid" and node.window != (1, 1) else ""
            return cost.op + valid + _uneven(node), f"{filters}" if relu else f"{filters} linear"
        case Dense(units=units, relu=relu):
            return cost.op, f"{units} ReLU" if relu else f"{units}"
        case _:
            valid = " V" if isinstance(node, Pool) and node.padding == "valid" and not node.ceil else ""
            op = cost.op.replace("average", "avg")
            halves = re.fullmatch(r"(.+?) ((?:(?:to|over) )?\S+)", op)
            return (halves[1], halves[2] + valid + _uneven(node)) if halves else (op,)


def _uneven(node: Node) -> str:
    return " T" if isinstance(node, Conv | SeparableConv | Pool) and node.padding == "tensorflow" and node.stride > 1 else ""


def _kind(node: Node) -> str:
    match node:
        case Conv(window=(height, width)) | SeparableConv(window=(height, width)):
            return "flat" if height != width else "square" if height > 1 else "point"
        case Pool() | GridPool() | GlobalPool():
            return "pool"
        case Dense():
            return "dense"
        case _:
            return "other"
