"""Small networks of the experiments, made of the family's nodes, and what is left of a network without some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from inceptions.architecture import Architecture, Options
from inceptions.architecture.declaration import assemble
from inceptions.architecture.nodes import (
    BatchNorm,
    Chain,
    Concat,
    Conv,
    Dense,
    GlobalPool,
    Head,
    Node,
    Pool,
    Residual,
    SeparableConv,
    chain,
    concat,
)
from inceptions.claims.images import Sample

conv = partial(Conv, norm=BatchNorm(eps=1e-3))
halve = partial(Pool, kind="max", kernel=3, stride=2)


def network(
    name: str, trunk: Iterable[Node], sample: Sample, *, main: tuple[Node, ...] | None = None, aux: tuple[Head, ...] = ()
) -> Architecture:
    """A network of one's own for a sample: the trunk, then `main` (global average pooling if None) and the classifier."""
    return assemble(
        name=name,
        variant="claim",
        summary="a small network of one experiment",
        source="inceptions.claims",
        input_size=(sample.side, sample.side),
        trunk=tuple(trunk),
        aux=aux,
        main=chain("main", *((GlobalPool("pool"),) if main is None else main), Dense("logits", sample.classes)),
        options=Options(num_classes=sample.classes, in_channels=sample.channels, aux=bool(aux)).settled(),
    )


def module(name: str, filters: int, norm: BatchNorm | None = BatchNorm(eps=1e-3)) -> Concat:  # noqa: B008 (frozen)
    """GoogLeNet's module (figure 2b) with widths in the proportions of inception_3a, `filters` in all."""
    quarter = filters // 4
    make = partial(Conv, norm=norm)
    return concat(
        name,
        (make("1x1", quarter, 1),),
        (make("3x3_reduce", quarter, 1), make("3x3", filters - 2 * quarter - quarter // 2, 3)),
        (make("5x5_reduce", max(2, quarter // 2), 1), make("5x5", quarter // 2, 5)),
        (Pool("pool", "max", 3), make("pool_proj", quarter, 1)),
    )


def every(node: Node, change: Callable[[Node], Node]) -> Node:
    """A tree with every leaf put through `change`."""
    match node:
        case Chain(nodes=inner):
            return replace(node, nodes=tuple(every(one, change) for one in inner))
        case Concat(branches=branches):
            return replace(
                node, branches=tuple(Chain(one.name, tuple(every(leaf, change) for leaf in one.nodes)) for one in branches)
            )
        case Residual(body=body):
            return replace(node, body=Chain(body.name, tuple(every(one, change) for one in body.nodes)))
        case _:
            return change(node)


def changed(architecture: Architecture, change: Callable[[Node], Node]) -> Architecture:
    """A declared network with every leaf of the trunk and the heads put through `change`."""

    def body(old: Chain) -> Chain:
        return Chain(old.name, tuple(every(node, change) for node in old.nodes))

    heads = tuple(replace(head, body=body(head.body)) for head in architecture.heads)
    return replace(architecture, trunk=body(architecture.trunk), heads=heads)


def unnormalised(architecture: Architecture) -> Architecture:
    """The same network without batch norm: its layers have biases instead."""

    def strip(node: Node) -> Node:
        match node:
            case Conv(norm=BatchNorm()):
                return replace(node, norm=None, bias=True)
            case Dense(norm=BatchNorm()):
                return replace(node, norm=None, bias=True)
            case SeparableConv(norm=BatchNorm()):
                return replace(node, norm=None)
            case _:
                return node

    return changed(architecture, strip)
