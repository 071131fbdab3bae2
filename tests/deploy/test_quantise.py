"""Eight bits: what is left in floating point, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from inceptions.deploy import quantise as room
from inceptions.deploy.engines import onnxruntime, openvino
from inceptions.deploy.graph import Conv, Dense, GlobalPool, Graph
from inceptions.deploy.lower import lower
from inceptions.deploy.quantise import quantise
from inceptions.deploy.rewrites import rewrite
from inceptions.errors import DataError, WeightsError
from inceptions.network import create_model


def network() -> Graph:
    """One whose answers are as different as its images: its classifier is made of what it says to eight of them."""
    model = create_model("plain_cnn", num_classes=8, width=0.25, seed=0).eval()
    images = torch.from_numpy(photographs(8))
    last = model.get_submodule("main.logits").linear
    seen: list[torch.Tensor] = []
    handle = last.register_forward_hook(lambda _module, inputs, _out: seen.append(inputs[0]))
    with torch.inference_mode():
        model(images)
    handle.remove()
    centred = seen[0] - seen[0].mean(dim=0)
    weight = centred / centred.square().sum(dim=1, keepdim=True)
    last.weight.data = weight.clone()
    last.bias.data = -(weight @ seen[0].mean(dim=0))
    return rewrite(lower(model, size=(56, 56)), engine="openvino", precision="int8")[0]


def photographs(count: int) -> np.ndarray:
    """Eight patterns over and over, each time with other noise."""
    patterns = np.random.default_rng(0).normal(size=(8, 3, 7, 7)).repeat(8, axis=2).repeat(8, axis=3)
    noise = np.random.default_rng(1).normal(size=(count, 3, 56, 56))
    noise[:8] = 0
    return (patterns[np.arange(count) % 8] + 0.05 * noise).astype(np.float32)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_agrees_with_float32_on_images_it_was_not_calibrated_with(engine: str) -> None:
    graph, said = network(), []
    images = photographs(40)
    made = quantise(graph, images, engine=engine, threads=1, say=said.append)
    assert (made.calibrated, made.images, made.kept) == (20, 20, ())
    assert made.agreement["main"] >= 0.98
    assert said == [made.text()]
    room_of = openvino if engine == "openvino" else onnxruntime
    coarse = room_of.engine(made.content, precision="int8", threads=1).run(images)["main"]
    exact = room_of.engine(graph, threads=1).run(images)["main"]
    assert 1e-4 < np.abs(coarse - exact).max() / np.abs(exact).max() < 0.5


def test_nncf_takes_the_mean_error_off_the_biases() -> None:
    graph, images = network(), photographs(40)
    plain = openvino.read_model(graph)
    openvino.fold_constants(plain)
    made = quantise(graph, images, threads=1).content
    before, after = ([*biases(model).values()] for model in (plain, made))
    assert len(before) == len(after) > 3
    assert any(not np.allclose(one, other, rtol=1e-4) for one, other in zip(before, after, strict=True))


def biases(model: Any) -> dict[str, np.ndarray]:
    """What is added to each convolution, by its name."""
    added = [node for node in model.get_ordered_ops() if node.get_type_name() == "Add"]
    constants = {node.get_friendly_name(): node.input_value(1).get_node() for node in added}
    return {name: one.data.ravel() for name, one in constants.items() if one.get_type_name() == "Constant"}


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_liveliest_image_is_not_cut_off(engine: str) -> None:
    graph, images = network(), photographs(40)
    images[0] *= 6
    made = quantise(graph, images, engine=engine, threads=1, tolerance=1.0)
    room_of = openvino if engine == "openvino" else onnxruntime
    coarse = room_of.engine(made.content, precision="int8", threads=1).run(images[:1])["main"]
    exact = room_of.engine(graph, threads=1).run(images[:1])["main"]
    assert np.abs(coarse - exact).max() < 0.1 * np.abs(exact).max()


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_layer_that_hurts_is_found_and_kept(engine: str) -> None:
    """The first layer's channels differ by a factor of a thousand, and the next one reads the small ones: one scale an image
    does not do for both."""
    random = np.random.default_rng(0)
    weight = random.normal(size=(8, 3, 3, 3)).astype(np.float32)
    weight[4:] *= 1000
    second = random.normal(size=(8, 8, 1, 1)).astype(np.float32)
    second[:, 4:] = 0
    third = random.normal(size=(8, 8, 1, 1)).astype(np.float32)
    graph = Graph(
        input="images",
        shape=(3, 12, 12),
        ops=(
            Conv(name="first", input="images", weight=weight),
            Conv(name="second", input="first", weight=second, relu=True),
            Conv(name="third", input="second", weight=third, relu=True),
            GlobalPool(name="pool", input="third"),
            Dense(name="main", input="pool", weight=random.normal(size=(4, 8)).astype(np.float32)),
        ),
        outputs={"main": "main"},
    )
    images = random.normal(size=(8, 3, 12, 12)).astype(np.float32)
    maker = room._OPENVINO if engine == "openvino" else room._ONNXRUNTIME
    layers = ["first", "second", "third", "main"]
    content = maker.quantise(graph, images, ())
    ranking = room._ranking(graph, content, layers, images, maker, 1)
    assert ranking[0] == "second"
    assert sorted(ranking) == sorted(layers)
    exact = maker.inside(graph, layers, images, 1)
    coarse = [maker.inside(maker.quantise(graph, images, kept), layers, images, 1) for kept in ((), ("second",))]
    worse, better = (float(np.abs(one["second"] - exact["second"]).mean()) for one in coarse)
    assert better < 0.2 * worse


def test_refuses_too_few_images() -> None:
    with pytest.raises(DataError, match="15 images are too few"):
        quantise(network(), photographs(15))


def test_refuses_to_lose_more_than_the_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    class Shaken:
        """Answers by chance."""

        def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
            return {"main": np.random.default_rng(len(tries)).normal(size=(len(images), 8)).astype(np.float32)}

    def engine(source: object, precision: str, threads: int | None) -> object:
        return Shaken() if precision == "int8" else openvino.engine(source, precision=precision, threads=threads)

    def keep(graph: Graph, images: np.ndarray, kept: tuple[str, ...]) -> Graph:
        tries.append(kept)
        return graph

    monkeypatch.setattr(room, "_OPENVINO", room._Maker(keep, engine, room._OPENVINO.inside))
    with pytest.raises(WeightsError, match=r"agrees with itself in float32 on .* at best, less than the 98\.0% asked for"):
        quantise(network(), photographs(40), threads=1)
    assert [len(kept) for kept in tries] == sorted(len(kept) for kept in tries)
    assert tries[0] == ()
    assert len(tries[-1]) >= 1
