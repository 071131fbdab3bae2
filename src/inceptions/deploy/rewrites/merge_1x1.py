"""The 1×1 convolutions of a module that read the same map, as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from inceptions.deploy.graph import NO_PADS, Array, Channels, Conv, Graph, Op, Relu
from inceptions.deploy.rewrites.done import Done


def merge_1x1(graph: Graph) -> tuple[Graph, Done]:
    """Read the map once and multiply it once; each reader gets its channels of the product.

    A convolution without ReLU (the projection of a swapped pool) joins the others too: ReLU is then applied to their channels,
    one by one, instead of in the convolution.
    """
    alike: dict[str, list[Conv]] = defaultdict(list)
    for op in graph.ops:
        if isinstance(op, Conv) and _plain(op):
            alike[op.input].append(op)
    groups = [convs for convs in alike.values() if len(convs) > 1]
    first = {convs[0].name: tuple(_merged(convs)) for convs in groups}
    gone = {conv.name for convs in groups for conv in convs[1:]}
    ops = (new for op in graph.ops if op.name not in gone for new in first.get(op.name, (op,)))
    number = sum(map(len, groups))
    return graph.with_ops(ops), Done(
        rewrite="merge_1x1", count=len(groups), note=f"{number} 1×1 convolutions merged into {len(groups)}"
    )


def _plain(conv: Conv) -> bool:
    return conv.weight.shape[2:] == (1, 1) and conv.stride == (1, 1) and conv.groups == 1 and conv.pads == NO_PADS


def _merged(convs: list[Conv]) -> Iterator[Op]:
    """One convolution, and for each of `convs` its channels under its name."""
    name = "+".join((convs[0].name, *(conv.name.rpartition(".")[2] for conv in convs[1:])))
    relu = all(conv.relu for conv in convs)
    weight: Array = np.concatenate([conv.weight for conv in convs])
    biases = [np.zeros(len(conv.weight), np.float32) if conv.bias is None else conv.bias for conv in convs]
    bias: Array | None = None if all(conv.bias is None for conv in convs) else np.concatenate(biases)
    yield replace(convs[0], name=name, weight=weight, bias=bias, relu=relu)
    start = 0
    for conv in convs:
        stop = start + len(conv.weight)
        later = conv.relu and not relu
        part = f"{conv.name}.part" if later else conv.name
        yield Channels(name=part, input=name, start=start, stop=stop)
        if later:
            yield Relu(name=conv.name, input=part)
        start = stop
