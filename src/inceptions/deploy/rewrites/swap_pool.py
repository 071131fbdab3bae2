"""Average pooling behind its 1×1 projection: the mean of products is the product of the mean, over fewer channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from inceptions.deploy.graph import NO_PADS, Affine, Conv, Graph, Op, Pool, Relu
from inceptions.deploy.rewrites.done import Done


def swap_pool(graph: Graph) -> tuple[Graph, Done]:
    """Project first, pool then, where that leaves fewer channels to pool. ReLU stays last; a maximum is never moved.

    A bias goes through an average that counts pixels of the map alone. Where padding is counted, the border's averages would
    get less than the whole of it, so it is added behind the pool.
    """
    swapped: dict[str, tuple[Op, ...]] = {}
    gone: set[str] = set()
    for op in graph.ops:
        if isinstance(op, Conv) and _projects(op):
            before = graph.only_read_by(op)
            if isinstance(before, Pool) and before.kind == "average" and before.stride == 1:
                swapped[op.name] = tuple(_swapped(before, op))
                gone.add(before.name)
    ops = (new for op in graph.ops if op.name not in gone for new in swapped.get(op.name, (op,)))
    return graph.with_ops(ops), Done(
        rewrite="swap_pool", count=len(swapped), note=f"{len(swapped)} average pools moved behind their 1×1 projection"
    )


def _projects(conv: Conv) -> bool:
    """Whether it mixes the channels of each pixel into fewer, and does nothing else."""
    filters, channels, *window = conv.weight.shape
    return window == [1, 1] and conv.stride == (1, 1) and conv.groups == 1 and conv.pads == NO_PADS and filters < channels


def _swapped(pool: Pool, conv: Conv) -> Iterator[Op]:
    """The ops that take the place of the two; the last has the convolution's name."""
    later = conv.bias if any(pool.counted) else None
    names = [f"{conv.name}.projected", f"{conv.name}.pooled"]
    if later is not None:
        names.append(f"{conv.name}.biased")
    if conv.relu:
        names.append(conv.name)
    names[-1] = conv.name
    yield replace(conv, name=names[0], input=pool.input, bias=None if later is not None else conv.bias, relu=False)
    yield replace(pool, name=names[1], input=names[0])
    if later is not None:
        yield Affine(name=names[2], input=names[1], scale=np.ones_like(later), shift=later)
    if conv.relu:
        yield Relu(name=conv.name, input=names[-2])
