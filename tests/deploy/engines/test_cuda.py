"""The engine for GPUs: all but the GPU itself is tried with a processor in its place; what needs one is skipped without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from no_gpu import Processor
from random_graphs import images_for, random_graph
from small_networks import lively
from torch import Tensor

from inceptions.deploy.agreement import agreement
from inceptions.deploy.engines import catalogue, cuda
from inceptions.deploy.engines.cuda import Call, Cuda, Gpu, Recorded, exact
from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.engines.module import reference
from inceptions.deploy.graph import Graph
from inceptions.deploy.lower import lower
from inceptions.deploy.rewrites import rewrite
from inceptions.errors import MachineError
from inceptions.network import create_model, list_models
from inceptions.weights import Preprocess

ROUNDED: dict[Precision, float] = {"float32": 2e-5, "bf16": 0.03, "fp16": 0.01}

with_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU that torch can use")


@cache
def lowered(name: str, *, pixels: bool = False) -> Graph:
    model = lively(name, aux=True)
    side = model.minimum_size + 3
    preprocess = Preprocess(size=(side, side), resize_to=side) if pixels else None
    heads = [head.name for head in model.architecture.heads]
    return lower(model, size=(side, side), heads=heads, preprocess=preprocess)


def expected(graph: Graph, images: np.ndarray) -> dict[str, np.ndarray]:
    return {head: logits.numpy() for head, logits in reference(graph, torch.from_numpy(images)).items()}


def made(graph: Graph, precision: Precision = "float32", batch: int = 2) -> tuple[Cuda, Processor]:
    processor = Processor()
    return Cuda(rewrite(graph, engine="cuda", precision=precision, batch=batch)[0], precision, batch, processor), processor


def flags() -> tuple[Any, ...]:
    conv, matmul = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    return conv.fp32_precision, matmul.fp32_precision, torch.backends.cudnn.benchmark


@pytest.mark.parametrize("name", list_models())
def test_every_network(name: str) -> None:
    graph = lowered(name)
    images = images_for(graph, 3)
    exact = expected(graph, images)
    for precision in ("float32", "bf16"):
        engine, processor = made(graph, precision)
        found = engine.run(images)
        assert (engine.name, engine.precision, processor.replays) == ("cuda", precision, 1)
        assert all(logits.dtype == np.float32 for logits in found.values())
        assert agreement(exact, found).difference <= ROUNDED[precision]


@given(seed=st.integers(0, 10**9), pixels=st.booleans(), batch=st.integers(1, 4), count=st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_random_graphs(seed: int, pixels: bool, batch: int, count: int) -> None:
    graph = random_graph(seed, pixels=pixels)
    images = images_for(graph, count)
    assert agreement(expected(graph, images), made(graph, batch=batch)[0].run(images)).difference <= 2e-4


def test_half_precision_on_pixels() -> None:
    graph = lowered("googlenet", pixels=True)
    images = images_for(graph, 2)
    assert images.dtype == np.uint8
    assert agreement(expected(graph, images), made(graph, "fp16")[0].run(images)).difference <= ROUNDED["fp16"]


@pytest.mark.parametrize(("count", "replays"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (7, 2), (8, 2), (11, 3)])
def test_whole_batches_are_replayed_and_nearly_full_ones_too(count: int, replays: int) -> None:
    graph = lowered("inception_v3")
    engine, processor = made(graph, batch=4)
    images = images_for(graph, count)
    before = images.copy()
    images.flags.writeable = False
    # What another call left behind in a batch that is not quite full is not answered.
    engine.run(np.full((4, *images.shape[1:]), 9, np.float32))
    processor.replays = 0
    found = engine.run(images)
    assert processor.replays == replays
    assert {head: logits.shape for head, logits in found.items()} == dict.fromkeys(graph.outputs, (count, 5))
    assert agreement(expected(graph, before), found).difference <= ROUNDED["float32"]
    assert np.array_equal(images, before)


def test_of_many_batches_one_is_laid_ready() -> None:
    engine, processor = made(lowered("googlenet"), batch=2)
    processor.most = processor.unwaited = 0
    engine.run(images_for(lowered("googlenet"), 9))
    assert processor.most == cuda.AHEAD + 1


def test_answers_are_the_callers_own() -> None:
    engine, _ = made(lowered("googlenet"))
    images = images_for(lowered("googlenet"), 4)
    first = engine.run(images[:2])
    kept = {head: logits.copy() for head, logits in first.items()}
    engine.run(images[2:])
    assert all(np.array_equal(first[head], kept[head]) for head in kept)


def test_made_and_asked_in_inference_mode() -> None:
    graph = lowered("googlenet")
    images = images_for(graph, 3)
    with torch.inference_mode():
        engine, _ = made(graph)
        first = engine.run(images)
    assert not engine.recorded.images.is_inference()
    assert agreement(first, engine.run(images)).difference == 0


def test_several_threads_may_ask() -> None:
    engine, _ = made(lowered("googlenet"), batch=2)
    images = [np.asfortranarray(images_for(lowered("googlenet"), 5)[i : i + 1 + i % 3]) for i in range(3)] * 3
    alone = [engine.run(one)["main"] for one in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: engine.run(one)["main"], images))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_the_weights_are_copied() -> None:
    model = create_model("googlenet", num_classes=5, seed=3, width=0.05, depth=0.1).eval()
    graph = lower(model, size=(64, 64))
    engine, _ = made(graph)
    images = images_for(graph)
    before = engine.run(images)
    for parameter in model.parameters():
        parameter.data.zero_()
    assert agreement(before, engine.run(images)).difference == 0


def test_maps_keep_the_channels_of_a_pixel_together_and_vectors_are_float32() -> None:
    graph = lowered("inception_resnet_v2")
    engine, _ = made(graph, "bf16")
    seen = []

    class Looking(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            found = super().run_node(n)
            # A slice of a map that is read in parts is laid out as the whole is.
            if isinstance(found, Tensor) and n.op == "call_function":
                seen.append((found.ndim, found.dtype))
                assert found.ndim != 4 or found.stride(1) == 1, n
            return found

    with torch.inference_mode():
        Looking(engine._rest).run(torch.from_numpy(images_for(graph)))  # type: ignore[arg-type]
    assert {(4, torch.bfloat16), (2, torch.float32)} <= set(seen)
    assert (2, torch.bfloat16) not in seen[-4:]
    logits = engine.run(images_for(graph))["main"]
    assert (torch.from_numpy(logits).bfloat16().float().numpy() != logits).any(), "logits are not rounded to eight bits"


@pytest.fixture
def rounded() -> Iterator[None]:
    """A process that lets GPUs round what they multiply."""
    owners = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    before = [owner.fp32_precision for owner in owners]
    for owner in owners:
        owner.fp32_precision = "tf32"
    yield
    for owner, precision in zip(owners, before, strict=True):
        owner.fp32_precision = precision


@pytest.mark.usefixtures("rounded")
def test_float32_is_float32_and_nobody_else_notices() -> None:
    before = flags()
    assert before == ("tf32", "tf32", False)
    seen: list[tuple[str, tuple[Any, ...]]] = []

    class Looking(Processor):
        def record(self, call: Call, images: Tensor) -> Recorded:
            seen.append(("record", flags()))
            recorded = super().record(call, images)

            def replay() -> None:
                seen.append(("replay", flags()))
                recorded.replay()

            return Recorded(images, recorded.logits, replay)

    graph = lowered("googlenet")
    for precision, conv in (("float32", "ieee"), ("bf16", "tf32")):
        seen.clear()
        engine = Cuda(rewrite(graph, engine="cuda")[0], precision, 2, Looking())  # type: ignore[arg-type]
        inner = engine._rest

        def looking(x: Tensor, inner: Call = inner) -> tuple[Tensor, ...]:
            seen.append(("rest", flags()))
            return inner(x)

        engine._rest = looking
        engine.run(images_for(graph, 3))
        assert seen == [("record", (conv, "ieee", True)), ("replay", before), ("rest", (conv, "ieee", False))]
        assert flags() == before
    with pytest.raises(RuntimeError), exact("float32", search=True):
        raise RuntimeError
    assert flags() == before


@pytest.mark.parametrize(
    ("error", "match"),
    [(torch.OutOfMemoryError("CUDA out of memory."), "too little memory"), (RuntimeError("a\nb"), r"\(a\)\. Choose another")],
)
def test_faults_are_sentences(error: Exception, match: str) -> None:
    engine, _ = made(lowered("googlenet"))

    def fails(_: Tensor) -> tuple[Tensor, ...]:
        raise error

    engine._rest = fails
    images = images_for(lowered("googlenet"), 1)
    with pytest.raises(MachineError, match=match):
        engine.run(images)
    with pytest.raises(MachineError, match=match):
        engine.run(images)  # the turn was given back


def test_what_a_gpu_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """By torch's own signatures: warmed up and recorded on one stream, which is not the default one."""
    asked: list[str] = []
    stream = create_autospec(torch.cuda.Stream, instance=True)
    event = create_autospec(torch.cuda.Event, instance=True)
    recorder = create_autospec(torch.cuda.CUDAGraph, instance=True)
    recording = create_autospec(torch.cuda.graph, return_value=nullcontext())
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "Event", lambda: event)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: recorder)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "stream", create_autospec(torch.cuda.stream, return_value=nullcontext()))
    gpu = Gpu(torch.device("cuda", 1))

    def call(x: Tensor) -> tuple[Tensor, ...]:
        asked.append("recorded" if recording.called else "warm")
        return (x,)

    with torch.inference_mode(), gpu.working():
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_grad_enabled()
        recorded = gpu.record(call, torch.zeros(2))
        gpu.mark()()
    torch.cuda.stream.assert_called_once_with(stream)
    assert asked == ["warm"] * cuda.WARM_UP + ["recorded"]
    recording.assert_called_once_with(recorder, stream=stream, capture_error_mode="thread_local")
    recorder.replay.assert_not_called()
    recorded.replay()
    recorder.replay.assert_called_once_with()
    event.record.assert_called_once_with(stream)
    event.synchronize.assert_called_once_with()


@pytest.mark.slow
def test_compiled() -> None:
    graph = random_graph(5)
    processor = Processor()
    engine = Cuda(graph, "float32", 2, processor, "cuda-compiled")
    images = images_for(graph, 3)
    assert agreement(expected(graph, images), engine.run(images)).difference <= 2e-4
    assert (engine.name, processor.replays) == ("cuda-compiled", 1)


def test_what_cannot_be_compiled_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **options: object) -> Callable[[Tensor], None]:
        assert options == {"dynamic": False, "options": cuda.SETTINGS}

        def call(_: Tensor) -> None:
            raise RuntimeError("no compiler.\nand more")

        return call

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(MachineError, match=r"could not compile the network \(no compiler\)\. Choose the engine cuda\."):
        Cuda(random_graph(5), "float32", 2, Processor(), "cuda-compiled")


@with_gpu
@pytest.mark.parametrize("name", list_models())
def test_gpu_agrees_on_every_network(name: str) -> None:
    graph = lowered(name)
    images = images_for(graph, 3)
    exact = expected(graph, images)
    for precision in catalogue.precisions("cuda"):
        fast, _ = rewrite(graph, engine="cuda", precision=precision, batch=2)
        engine = cuda.engine(fast, precision=precision, batch=2)
        # Two of them recorded, one call by call.
        found = engine.run(images)
        assert agreement(exact, found).difference <= (1e-4 if precision == "float32" else ROUNDED[precision])
        singly = {head: np.concatenate([engine.run(images[i : i + 1])[head] for i in range(3)]) for head in found}
        assert agreement(found, singly).difference <= (1e-4 if precision == "float32" else ROUNDED[precision])


@with_gpu
def test_gpu_with_several_threads_engines_and_numbers() -> None:
    graph = lowered("googlenet", pixels=True)
    images = images_for(graph, 23)
    engines = [cuda.engine(graph, batch=batch) for batch in (1, 4, 16)]
    whole = expected(graph, images)["main"]
    asked = [(engine, start, stop) for engine in engines for start, stop in ((0, 1), (1, 5), (5, 8), (3, 23), (0, 16))]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: one[0].run(images[one[1] : one[2]])["main"], asked))
    for (_, start, stop), logits in zip(asked, found, strict=True):
        assert agreement({"main": whole[start:stop]}, {"main": logits}).difference <= 1e-4


@with_gpu
def test_gpu_leaves_the_settings_alone() -> None:
    before = flags()
    graph = lowered("inception_v3")
    cuda.engine(graph, batch=4).run(images_for(graph, 5))
    assert flags() == before


@with_gpu
@pytest.mark.slow
def test_gpu_compiled() -> None:
    graph = lowered("googlenet")
    images = images_for(graph, 3)
    engine = cuda.engine(rewrite(graph, engine="cuda-compiled")[0], name="cuda-compiled", precision="fp16", batch=2)
    assert agreement(expected(graph, images), engine.run(images)).difference <= ROUNDED["fp16"]
