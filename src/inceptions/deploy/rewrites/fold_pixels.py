"""The normalisation of the pixels into the first convolution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inceptions.deploy.graph import NO_PADS, Array, Conv, Graph, Pixels
from inceptions.deploy.rewrites.done import Done


def fold_pixels(graph: Graph) -> tuple[Graph, Done]:
    """Let the first convolution read bytes: its weights take over the scale and the channels' order, its bias the shift.

    Only where it does not pad. Padding is zeros of the normalised image, the mean colour; zeros of the bytes are black.
    """
    first = graph.ops[0] if graph.pixels else None
    if not isinstance(first, Pixels) or (_identity(first)):
        return graph, Done(rewrite="fold_pixels", count=0, note="there is no normalisation to fold")
    readers = graph.readers[first.name]
    convs = [op for op in readers if isinstance(op, Conv) and op.pads == NO_PADS and op.groups == 1]
    if len(convs) < len(readers) or first.name in graph.outputs.values():
        note = "normalisation kept in front of the first convolution, because that pads with the mean colour"
        return graph, Done(rewrite="fold_pixels", count=0, note=note)
    folded = {conv.name: _folded(first, conv) for conv in convs}
    channels = len(first.order)
    plain = replace(
        first, scale=np.ones(channels, np.float32), shift=np.zeros(channels, np.float32), order=tuple(range(channels))
    )
    ops = (plain if op is first else folded.get(op.name, op) for op in graph.ops)
    return graph.with_ops(ops), Done(
        rewrite="fold_pixels", count=1, note="normalisation of the pixels folded into the first convolution"
    )


def _identity(pixels: Pixels) -> bool:
    ordered = pixels.order == tuple(range(len(pixels.order)))
    return ordered and bool((pixels.scale == 1).all()) and not bool(pixels.shift.any())


def _folded(pixels: Pixels, conv: Conv) -> Conv:
    # In float64: the shift's products are large and mostly cancel.
    weight = conv.weight.astype(np.float64)
    bias = np.zeros(len(weight)) if conv.bias is None else conv.bias.astype(np.float64)
    bias = bias + np.einsum("ochw,c->o", weight, pixels.shift.astype(np.float64))
    scaled = weight * pixels.scale.astype(np.float64).reshape(1, -1, 1, 1)
    ordered: Array = np.ascontiguousarray(scaled[:, np.argsort(pixels.order)], dtype=np.float32)
    return replace(conv, weight=ordered, bias=bias.astype(np.float32))
