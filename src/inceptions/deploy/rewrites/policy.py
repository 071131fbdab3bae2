"""Which rewrites a graph gets: those that are always for the better, and those that paid where they were measured."""

from __future__ import annotations

from collections.abc import Callable

from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.graph import Graph
from inceptions.deploy.rewrites.done import Done
from inceptions.deploy.rewrites.drop_unread import drop_unread
from inceptions.deploy.rewrites.flatten_concat import flatten_concat
from inceptions.deploy.rewrites.fold_norm import fold_norm
from inceptions.deploy.rewrites.fold_pixels import fold_pixels
from inceptions.deploy.rewrites.fold_scale import fold_scale
from inceptions.deploy.rewrites.fuse_relu import fuse_relu
from inceptions.deploy.rewrites.merge_1x1 import merge_1x1
from inceptions.deploy.rewrites.pool_as_conv import pool_as_conv
from inceptions.deploy.rewrites.space_to_depth import pair_columns, space_to_depth
from inceptions.deploy.rewrites.swap_pool import swap_pool
from inceptions.network.hardware import matrix_units

Rewrite = Callable[[Graph], tuple[Graph, Done]]

ALL: dict[str, Rewrite] = {
    one.__name__: one
    for one in (
        drop_unread,
        fold_norm,
        swap_pool,
        pool_as_conv,
        fuse_relu,
        merge_1x1,
        fold_scale,
        flatten_concat,
        fold_pixels,
        pair_columns,
        space_to_depth,
    )
}
"""Every rewrite by its name, in the order in which each finds most to do."""

ALWAYS = frozenset({"drop_unread", "fold_norm", "fuse_relu", "fold_scale", "flatten_concat", "fold_pixels"})
"""Less to compute and less to move on every engine, whatever the batch."""


MANY = 8
"""A batch from which on a rewrite counts as measured at 16, and below as measured at 1."""


def chosen(engine: str, precision: Precision, batch: int) -> frozenset[str]:
    """Names of the rewrites that pay for an engine.

    Measured on Inception-v3 and GoogLeNet, images a second with the rewrite to without it, on two kinds of processor. With
    matrix units (AMX, two cores): swap_pool 1.10 compiled bf16, 1.07 eager bf16 at batch 16; merge_1x1 up to 1.03 eager, 1.10
    compiled at batch 1, 1.03 to 1.07 together with swap_pool on OpenVINO in bf16 at batch 16, but a loss there at batch 1 and
    0.94 in int8. With vector units only (AVX-512 bf16; `python -m benchmarks.rewrites`) convolutions are nine tenths of the
    time: swap_pool 1.05 on Inception-v4 in OpenVINO at batch 16, 1.00 to 1.02 elsewhere; pool_as_conv 1.01 eager; merge_1x1
    0.99 to 1.00 in OpenVINO at batch 16, at batch 1 1.00 (Inception-v3, Inception-ResNet-v2) to 1.02 (GoogLeNet,
    Inception-ResNet-v1); space_to_depth 0.97 to 1.02, so that it is on for none; pair_columns, on GoogLeNet (most others have
    odd rows), 1.01 to 1.03 in OpenVINO and 1.02 to 1.04 eager and compiled. Nothing was measured on a GPU: there, these are the
    rewrites that save torch work on a processor.

    Args:
        engine: its name.
        precision: what it computes in.
        batch: how many images it will usually be given at once.
    """
    pays = {"swap_pool"}
    if engine == "eager":
        pays.add("pool_as_conv")
    if engine in ("eager", "compiled") or (engine == "openvino" and precision != "int8"):
        pays.add("pair_columns")
    torch_does_it = engine in ("eager", "compiled", "cuda", "cuda-compiled")
    openvino_gains = engine == "openvino" and precision == "bf16" and (batch >= MANY) == matrix_units()
    if torch_does_it or openvino_gains:
        pays.add("merge_1x1")
    return ALWAYS | pays


def rewrite(
    graph: Graph, *, engine: str, precision: Precision = "float32", batch: int = 1, only: frozenset[str] | None = None
) -> tuple[Graph, list[Done]]:
    """The same computation as an engine does it fastest.

    Args:
        graph: as `lower` makes it.
        engine: "cuda", "eager", "compiled", "openvino", "onnxruntime", …
        precision: what it will compute in.
        batch: how many images it will usually be given at once.
        only: names of the rewrites to apply; what `chosen` says if None.

    Returns:
        The new graph, and what was done to it in this order. Rewrites that found nothing to do are not mentioned, unless they
        have to say why.
    """
    wanted = chosen(engine, precision, batch) if only is None else only
    assert wanted <= ALL.keys()
    done: list[Done] = []
    for name, one in ALL.items():
        if name in wanted:
            graph, what = one(graph)
            done.append(what)
    return graph, [what for what in done if what.count or (what.rewrite == "fold_pixels" and graph.pixels)]
