"""Every network as an ONNX model, through the checker and the two programs that run it."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small_networks import lively

from inceptions.deploy.engines import onnxruntime as with_onnxruntime
from inceptions.deploy.engines import openvino as with_openvino
from inceptions.deploy.engines.module import reference
from inceptions.deploy.graph import Channels, Conv, Dense, Graph, GridPool, Pixels, Pool, SpaceToDepth
from inceptions.deploy.lower import lower
from inceptions.deploy.onnx_graph import OPSET, to_onnx
from inceptions.network import Network, create_model, list_models
from inceptions.weights import Preprocess


def built(name: str) -> Network:
    return lively(name, width=0.125)


def near(found: np.ndarray, wanted: np.ndarray) -> bool:
    return found.shape == wanted.shape and bool(np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max())


def both(graph: Graph, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What torch, ONNX Runtime and OpenVINO make of a graph of one head."""
    content = to_onnx(graph)
    onnx.checker.check_model(content, full_check=True)
    return (
        reference(graph, torch.from_numpy(images))["main"].numpy(),
        with_onnxruntime.engine(graph, threads=1).run(images)["main"],
        with_openvino.engine(graph, threads=1).run(images)["main"],
    )


@pytest.mark.parametrize("name", list_models())
def test_every_network_answers_alike_everywhere(name: str) -> None:
    model = built(name)
    heads = [head.name for head in model.architecture.heads]
    size = (model.minimum_size + 2, model.minimum_size + 5)
    images = torch.randn(3, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = model.heads(images)
    graph = lower(model, size=size, heads=heads)
    onnx.checker.check_model(to_onnx(graph), full_check=True)
    for engine in (with_onnxruntime.engine(graph, threads=1), with_openvino.engine(graph, threads=1, batch=4)):
        found = engine.run(images.numpy())
        assert list(found) == heads
        for head in heads:
            assert near(found[head], wanted[head].numpy()), (engine.name, head)


def test_says_what_it_is_and_takes_any_number_of_images() -> None:
    model = to_onnx(lower(built("googlenet"), size=(40, 48)), {"inceptions": "é", "more": "x"})
    assert [one.version for one in model.opset_import] == [OPSET]
    assert {one.key: one.value for one in model.metadata_props} == {"inceptions": "é", "more": "x"}
    assert [one.name for one in model.graph.output] == ["main"]
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    assert [one.dim_param or one.dim_value for one in dimensions] == ["batch", 3, 40, 48]
    assert "inception_3a.branch_2.3x3.conv.weight" in {one.name for one in model.graph.initializer}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for images in (1, 2, 5):
        (logits,) = session.run(None, {"images": np.zeros((images, 3, 40, 48), np.float32)})
        assert logits.shape == (images, 5)


@pytest.mark.parametrize("channels", ["RGB", "BGR", "L"])
def test_begins_with_pixels(channels: str) -> None:
    grey = channels == "L"
    statistics = {"mean": (0.4,), "std": (0.2,)} if grey else {"mean": (0.4, 0.5, 0.3), "std": (0.2, 0.25, 0.3)}
    preprocess = Preprocess(size=(33, 35), resize="exact", channels=channels, **statistics)
    model = create_model("googlenet", num_classes=5, width=0.1, seed=0, in_channels=1 if grey else 3).eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 33, 35, 1 if grey else 3), np.uint8)
    torchs, *others = both(lower(model, preprocess=preprocess), images)
    assert all(near(one, torchs) for one in others)


SHAPE = (4, 9, 11)


@pytest.mark.parametrize(
    "op",
    [
        GridPool(name="main", input="images", grid=4),
        Channels(name="main", input="images", start=1, stop=3),
        SpaceToDepth(name="main", input="images"),
        SpaceToDepth(name="main", input="images", rows=1),
        # An average that counts what was declared but not what rounding up adds, and one that counts a side only.
        Pool(name="main", input="images", kind="average", kernel=3, stride=2, pads=(1, 1, 2, 2), counted=(1, 1, 1, 1)),
        Pool(name="main", input="images", kind="average", kernel=3, stride=2, pads=(1, 0, 1, 0), counted=(1, 0, 0, 0)),
        Pool(name="main", input="images", kind="average", kernel=3, pads=(1, 1, 1, 1)),
        Pool(name="main", input="images", kind="average", kernel=3, pads=(1, 1, 1, 1), counted=(1, 1, 1, 1)),
        Pool(name="main", input="images", kind="max", kernel=3, stride=2, pads=(0, 1, 1, 0)),
        Conv(
            name="main",
            input="images",
            weight=np.random.default_rng(1).normal(size=(6, 2, 3, 1)).astype(np.float32),
            bias=np.arange(6, dtype=np.float32),
            stride=(2, 2),
            pads=(0, 1, 1, 0),
            groups=2,
            relu=True,
        ),
    ],
    ids=lambda op: type(op).__name__,
)
def test_ops_that_few_networks_have(op: GridPool) -> None:
    graph = Graph(input="images", shape=SHAPE, ops=(op,), outputs={"main": "main"})
    torchs, *others = both(graph, np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32))
    assert all(near(one, torchs) for one in others)


def test_weights_are_read_where_the_graph_has_them() -> None:
    graph = lower(built("googlenet"), size=(40, 48))
    weights: dict[str, np.ndarray] = {}
    model = to_onnx(graph, apart=weights)
    onnx.checker.check_model(model, full_check=True)
    layers = [op for op in graph.ops if isinstance(op, Conv | Dense)]
    assert [f"{op.name}.weight" for op in layers] == list(weights)
    assert all(np.shares_memory(op.weight, weight) for op, weight in zip(layers, weights.values(), strict=True))
    assert [entry.name for entry in model.graph.input] == [graph.input, *weights]
    prepared = with_openvino.read_model(graph)
    assert [entry.get_any_name() for entry in prepared.inputs] == [graph.input]
    constants = {op.get_friendly_name(): op.data for op in prepared.get_ops() if op.get_type_name() == "Constant"}
    assert all(np.shares_memory(constants[name], weight) for name, weight in weights.items())


def test_in_half_the_bytes() -> None:
    graph = lower(built("inception_v3"), size=(80, 80))
    whole, half = to_onnx(graph), to_onnx(graph, half=True)
    assert half.ByteSize() < 0.6 * whole.ByteSize()
    assert half.graph.input[0].type.tensor_type.elem_type == half.graph.output[0].type.tensor_type.elem_type == 1
    onnx.checker.check_model(half, full_check=True)
    images = np.random.default_rng(0).normal(size=(2, 3, 80, 80)).astype(np.float32)
    wanted, found = (with_onnxruntime.engine(one.SerializeToString()).run(images)["main"] for one in (whole, half))
    assert 0 < np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()


def test_pixels_keep_their_scale_to_the_last_bit() -> None:
    scale, shift = np.array([0.1, 0.2], np.float32), np.array([-1, 3], np.float32)
    op = Pixels(name="main", input="images", scale=scale, shift=shift, order=(1, 0))
    graph = Graph(input="images", shape=(2, 1, 256), ops=(op,), outputs={"main": "main"})
    images = np.repeat(np.arange(256, dtype=np.uint8)[None, None, :, None], 2, axis=3)
    found = with_onnxruntime.engine(graph, threads=1).run(images)["main"]
    wanted = images.astype(np.float32).transpose(0, 3, 1, 2)[:, ::-1] * scale[None, :, None, None] + shift[None, :, None, None]
    assert np.array_equal(found, wanted)
