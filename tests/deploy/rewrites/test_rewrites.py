"""Every rewrite on graphs at random, on every network, and on what it was written for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import images_for, random_graph
from small_networks import lively

from inceptions.deploy.agreement import EXACT, same
from inceptions.deploy.graph import (
    NO_PADS,
    Add,
    Affine,
    Channels,
    Concat,
    Conv,
    GlobalPool,
    Graph,
    Op,
    Pixels,
    Pool,
    Relu,
    SpaceToDepth,
    inputs,
)
from inceptions.deploy.lower import lower
from inceptions.deploy.rewrites import ALL, chosen, only_heads, rewrite
from inceptions.deploy.shapes import shapes
from inceptions.network import create_model, list_models
from inceptions.weights import Preprocess

# Random weights cancel where a trained network's do not.
RANDOM = 2e-4


def well_formed(graph: Graph) -> None:
    known = {graph.input}
    for op in graph.ops:
        assert set(inputs(op)) <= known, op.name
        assert op.name not in known
        known.add(op.name)
    assert set(graph.outputs.values()) <= known
    shapes(graph)


@cache
def lowered(name: str, *, heads: bool = False) -> Graph:
    """A small network with batch norms that do something, and its images a little larger than it needs."""
    model = lively(name, aux=heads or None)
    least = model.minimum_size
    names = [head.name for head in model.architecture.heads] if heads else ["main"]
    return lower(model, size=(least + 3, least + 10), heads=names)


@pytest.mark.parametrize("name", ALL)
@given(seed=st.integers(0, 10**9), pixels=st.booleans())
@settings(max_examples=8, deadline=None)
def test_each_keeps_the_answers_of_random_graphs(name: str, seed: int, pixels: bool) -> None:
    graph = random_graph(seed, pixels=pixels)
    new, done = ALL[name](graph)
    well_formed(new)
    assert done.rewrite == name
    assert list(new.outputs) == list(graph.outputs)
    assert done.count or len(new.ops) == len(graph.ops)
    assert same(graph, new, images_for(graph)).difference <= RANDOM


@given(seed=st.integers(0, 10**9), pixels=st.booleans(), order=st.permutations(list(ALL)))
@settings(max_examples=15, deadline=None)
def test_all_of_them_in_any_order(seed: int, pixels: bool, order: list[str]) -> None:
    graph = new = random_graph(seed, pixels=pixels)
    for name in order:
        new, _ = ALL[name](new)
        well_formed(new)
    assert same(graph, new, images_for(graph)).difference <= RANDOM


@pytest.mark.parametrize("name", list_models())
def test_all_of_them_on_every_network(name: str) -> None:
    graph = lowered(name, heads=True)
    new, done = rewrite(graph, engine="eager", only=frozenset(ALL))
    well_formed(new)
    assert {what.rewrite for what in done} >= {"fuse_relu"}
    assert not any(isinstance(op, Relu) and isinstance(new.only_read_by(op), Conv) for op in new.ops)
    assert same(graph, new, images_for(graph)).difference <= EXACT


def small(*ops: Op, shape: tuple[int, int, int] = (6, 9, 9)) -> Graph:
    end = GlobalPool(name="pool", input=ops[-1].name)
    return Graph(input="images", shape=shape, ops=(*ops, end), outputs={"main": "pool"})


def weight(out: int, channels: int, window: tuple[int, int] = (1, 1)) -> np.ndarray:
    return np.random.default_rng(out).normal(0, 0.4, (out, channels, *window)).astype(np.float32)


def bias(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).normal(2, 1, channels).astype(np.float32)


def pool(kind: str, counted: bool) -> Pool:
    pads = (1, 1, 1, 1)
    return Pool(name="pool_1", input="images", kind=kind, kernel=3, pads=pads, counted=pads if counted else NO_PADS)


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
def test_average_pools_go_behind_the_projection(counted: bool, relu: bool, with_bias: bool) -> None:
    conv = Conv(name="p", input="pool_1", weight=weight(2, 6), bias=bias(2) if with_bias else None, relu=relu)
    graph = small(pool("average", counted), conv)
    new, done = ALL["swap_pool"](graph)
    assert done.count == 1
    kinds = [type(op) for op in new.ops]
    assert kinds == [Conv, Pool, *([Affine] if counted and with_bias else []), *([Relu] if relu else []), GlobalPool]
    assert same(graph, new, images_for(graph)).difference <= EXACT


@pytest.mark.parametrize(
    "ops",
    [
        (pool("max", False), Conv(name="p", input="pool_1", weight=weight(2, 6))),
        (pool("average", False), Conv(name="p", input="pool_1", weight=weight(9, 6))),
        (pool("average", False), Conv(name="p", input="pool_1", weight=weight(2, 6, (3, 3)))),
    ],
)
def test_other_pools_stay(ops: tuple[Op, ...]) -> None:
    new, done = ALL["swap_pool"](small(*ops))
    assert done.count == 0
    assert new.ops == small(*ops).ops[:2] + new.ops[2:]


def test_convolutions_of_one_map_are_merged_whatever_their_relu() -> None:
    graph = small(
        Conv(name="a.1x1", input="images", weight=weight(2, 6), bias=bias(2), relu=True),
        Conv(name="b.reduce", input="images", weight=weight(3, 6), relu=True),
        Conv(name="c.projected", input="images", weight=weight(4, 6)),
        Conv(name="d.3x3", input="images", weight=weight(4, 6, (3, 3)), pads=(1, 1, 1, 1)),
        Concat(name="e", inputs=("a.1x1", "b.reduce", "c.projected", "d.3x3")),
    )
    new, done = ALL["merge_1x1"](graph)
    assert done.count == 1
    assert done.note == "3 1×1 convolutions merged into 1"
    assert new.ops[0].name == "a.1x1+reduce+projected"
    assert [op.name for op in new.ops if isinstance(op, Relu)] == ["a.1x1", "b.reduce"]
    assert same(graph, new, images_for(graph)).difference <= EXACT


def test_branches_of_branches_are_copied_once() -> None:
    graph = lowered("inception_v3")
    new, done = ALL["flatten_concat"](graph)
    assert done.count > 0
    assert not any(isinstance(new.made_by.get(one), Concat) for op in new.ops if isinstance(op, Concat) for one in op.inputs)


def test_factors_of_residuals_are_gone() -> None:
    before = lowered("inception_resnet_v2")
    graph, done = ALL["fold_scale"](before)
    assert done.count == sum(isinstance(op, Add) and op.scale != 1 for op in before.ops) > 0
    assert all(op.scale == 1 for op in graph.ops if isinstance(op, Add))


def test_no_batch_norm_is_left() -> None:
    for name in ("inception_v3", "inception_v4", "googlenet", "bn_inception", "inception_resnet_v1"):
        graph, _ = ALL["fold_norm"](lowered(name, heads=True))
        assert not any(isinstance(op, Affine) for op in graph.ops), name


def test_folding_does_not_touch_the_networks_own_weights() -> None:
    graph = lowered("inception_v3")
    before = [op.weight.copy() for op in graph.ops if isinstance(op, Conv)]
    rewrite(graph, engine="eager", only=frozenset(ALL))
    after = [op.weight for op in graph.ops if isinstance(op, Conv)]
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


PREPROCESS = Preprocess(size=(97, 110), resize_to=110, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), channels="BGR")


def test_pixels_fold_where_nothing_is_padded() -> None:
    model = create_model("inception_v3", num_classes=5, seed=3, width=0.05, depth=0.1).eval()
    graph = lower(model, preprocess=PREPROCESS)
    new, done = ALL["fold_pixels"](graph)
    assert done.count == 1
    assert isinstance(new.ops[0], Pixels)
    assert (new.ops[0].scale == 1).all()
    assert same(graph, new, images_for(graph)).difference <= EXACT
    for rewrite_more in ("space_to_depth", "pair_columns"):
        again, done = ALL[rewrite_more](new)
        assert done.count == 1
        assert same(graph, again, images_for(graph)).difference <= EXACT


def test_pixels_stay_in_front_of_padding() -> None:
    model = create_model("googlenet", num_classes=5, seed=3, width=0.05, depth=0.1).eval()
    graph = lower(model, preprocess=PREPROCESS)
    new, done = ALL["fold_pixels"](graph)
    assert new is graph
    assert "mean colour" in done.note
    _, all_done = rewrite(graph, engine="eager", only=frozenset(ALL))
    assert done in all_done


@given(
    name=st.sampled_from(["space_to_depth", "pair_columns"]),
    size=st.tuples(st.integers(7, 16), st.integers(7, 16)),
    window=st.sampled_from([(3, 3), (7, 7), (2, 2), (1, 1), (5, 3)]),
    pads=st.tuples(*[st.integers(0, 3)] * 4),
)
@settings(max_examples=50, deadline=None)
def test_strided_first_convolutions(
    name: str, size: tuple[int, int], window: tuple[int, int], pads: tuple[int, int, int, int]
) -> None:
    graph = small(Conv(name="c", input="images", weight=weight(4, 3, window), stride=(2, 2), pads=pads), shape=(3, *size))
    new, done = ALL[name](graph)
    assert done.count == 0 or name == "space_to_depth" or size[1] % 2 == 0
    assert shapes(new)["c"] == shapes(graph)["c"]
    assert done.count == sum(isinstance(op, SpaceToDepth) for op in new.ops)
    assert same(graph, new, images_for(graph)).difference <= EXACT


@pytest.mark.parametrize("how", ["space_to_depth", "pair_columns"])
@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "inception_resnet_v1/facenet", "bn_inception/caffe"])
def test_first_convolution_of_a_network(name: str, how: str) -> None:
    graph = lowered(name)
    new, done = ALL[how](graph)
    assert done.count == int(how == "space_to_depth" or graph.shape[2] % 2 == 0)
    if not done.count:
        assert new is graph
        return
    assert not any(isinstance(op, Conv) and op.stride == (2, 2) and len(op.weight[0]) == 3 for op in new.ops)
    assert same(graph, new, images_for(graph)).difference <= EXACT


def test_only_the_heads_asked_for() -> None:
    graph = lowered("googlenet", heads=True)
    alone = only_heads(graph, "main")
    assert list(alone.outputs) == ["main"]
    assert not any(op.name.startswith("aux") for op in alone.ops)
    assert same(alone, lowered("googlenet"), images_for(alone)).difference <= EXACT


def test_channels_of_nobody_are_not_kept() -> None:
    graph = small(
        Conv(name="a", input="images", weight=weight(4, 6)),
        Channels(name="b", input="a", start=0, stop=2),
        Relu(name="c", input="a"),
    )
    new, done = ALL["drop_unread"](graph)
    assert done.count == 1
    assert [op.name for op in new.ops] == ["a", "c", "pool"]


@pytest.mark.parametrize("engine", ["eager", "compiled", "openvino", "onnxruntime"])
def test_every_engine_has_its_choice(engine: str) -> None:
    assert all(chosen(engine, precision, batch) <= ALL.keys() for precision in ("float32", "bf16", "int8") for batch in (1, 16))


def test_merging_makes_int8_slower_and_is_left_out() -> None:
    assert not any("merge_1x1" in chosen(engine, "int8", 16) for engine in ("openvino", "onnxruntime"))


@pytest.mark.parametrize("units", [True, False])
def test_merging_suits_large_batches_where_there_are_matrix_units(units: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inceptions.deploy.rewrites.policy.matrix_units", lambda: units)
    assert ["merge_1x1" in chosen("openvino", "bf16", batch) for batch in (1, 16)] == [not units, units]
