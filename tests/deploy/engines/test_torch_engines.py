"""The engines that torch alone brings, against the graph computed op by op."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import images_for, random_graph
from small_networks import lively
from torch.nn import functional

from inceptions.deploy.agreement import EXACT, agreement
from inceptions.deploy.engines import compiled, eager
from inceptions.deploy.engines.maximum import maximum
from inceptions.deploy.engines.module import reference
from inceptions.deploy.graph import Add, Conv, Graph, Pool
from inceptions.deploy.lower import lower
from inceptions.deploy.rewrites import rewrite
from inceptions.deploy.shapes import shapes
from inceptions.errors import MachineError, UsageError
from inceptions.network import create_model, list_models

RANDOM = 2e-4
BF16 = 0.03


def expected(graph: Graph, images: np.ndarray) -> dict[str, np.ndarray]:
    return {head: logits.numpy() for head, logits in reference(graph, torch.from_numpy(images)).items()}


@cache
def lowered(name: str) -> Graph:
    model = lively(name, aux=True)
    least = model.minimum_size
    return lower(model, size=(least + 3, least + 10), heads=[head.name for head in model.architecture.heads])


@pytest.mark.parametrize("name", list_models())
def test_eager_on_every_network(name: str) -> None:
    graph = lowered(name)
    images = images_for(graph)
    exact = expected(graph, images)
    fast, _ = rewrite(graph, engine="eager", precision="float32", batch=2)
    assert agreement(exact, eager.engine(fast, batch=2).run(images)).difference <= EXACT
    rough, _ = rewrite(graph, engine="eager", precision="bf16", batch=2)
    assert agreement(exact, eager.engine(rough, precision="bf16", batch=2).run(images)).difference <= BF16


@given(seed=st.integers(0, 10**9), pixels=st.booleans(), rewritten=st.booleans())
@settings(max_examples=25, deadline=None)
def test_eager_on_random_graphs(seed: int, pixels: bool, rewritten: bool) -> None:
    graph = random_graph(seed, pixels=pixels)
    images = images_for(graph)
    fast = rewrite(graph, engine="eager")[0] if rewritten else graph
    assert agreement(expected(graph, images), eager.engine(fast).run(images)).difference <= RANDOM


def test_eager_adds_a_share_of_a_convolution() -> None:
    """Without the rewrite that folds the share into the weights."""
    weight = np.random.default_rng(0).normal(size=(3, 3, 1, 1)).astype(np.float32)
    conv = Conv(name="conv", input="images", weight=weight, bias=np.ones(3, np.float32), stride=(1, 1), pads=(0, 0, 0, 0))
    for scale in (1.0, 0.2, -0.5):
        add = Add(name="add", input="images", residual="conv", scale=scale)
        graph = Graph(input="images", shape=(3, 4, 4), ops=(conv, add), outputs={"main": "add"})
        images = images_for(graph)
        found = eager.engine(graph).run(images)["main"]
        np.testing.assert_allclose(found, expected(graph, images)["main"], rtol=1e-5, atol=1e-5)


def test_eager_without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eager, "_packs", lambda dtype: False)
    for name in ("inception_v3", "inception_resnet_v2", "googlenet/paper"):
        graph = lowered(name)
        images = images_for(graph)
        fast, _ = rewrite(graph, engine="eager")
        assert agreement(expected(graph, images), eager.engine(fast).run(images)).difference <= EXACT


def test_any_number_of_images_and_none_is_changed() -> None:
    graph, _ = rewrite(lowered("inception_v3"), engine="eager", batch=4)
    engine = eager.engine(graph, batch=4, threads=1)
    images = images_for(graph, 5)
    before = images.copy()
    whole = engine.run(images)
    for number in (1, 2, 3):
        for head, logits in engine.run(images[:number]).items():
            np.testing.assert_allclose(logits, whole[head][:number], rtol=1e-4, atol=1e-5)
    assert np.array_equal(images, before)
    readable = images.copy()
    readable.flags.writeable = False
    assert agreement(whole, engine.run(readable)).difference == 0


def test_several_threads_may_ask() -> None:
    graph, _ = rewrite(lowered("googlenet"), engine="eager")
    engine = eager.engine(graph)
    images = images_for(graph, 6)
    alone = [engine.run(images[i : i + 1])["main"] for i in range(6)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: engine.run(images[i : i + 1])["main"], range(6)))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_the_weights_are_copied() -> None:
    model = create_model("inception_v3", num_classes=5, seed=3, width=0.05, depth=0.1).eval()
    graph = lower(model, size=(90, 90))
    engine = eager.engine(graph)
    images = images_for(graph)
    before = engine.run(images)
    for parameter in model.parameters():
        parameter.data.zero_()
    assert agreement(before, engine.run(images)).difference == 0


@pytest.mark.parametrize("room", [eager, compiled])
def test_other_precisions_are_refused(room: object) -> None:
    with pytest.raises(UsageError, match="bf16"):
        room.engine(lowered("googlenet"), precision="int8")  # type: ignore[attr-defined]


@given(
    size=st.tuples(st.integers(5, 12), st.integers(5, 12)),
    kernel=st.integers(2, 3),
    stride=st.integers(1, 3),
    pads=st.tuples(*[st.integers(0, 1)] * 4),
    kind=st.sampled_from([torch.float32, torch.bfloat16]),
)
@settings(max_examples=40, deadline=None)
def test_maximum_of_what_is_not_negative(
    size: tuple[int, int], kernel: int, stride: int, pads: tuple[int, int, int, int], kind: torch.dtype
) -> None:
    op = Pool(name="pool", input="images", kind="max", kernel=kernel, stride=stride, pads=pads)
    graph = Graph(input="images", shape=(3, *size), ops=(op,), outputs={"main": "pool"})
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1)).to(kind)
    x[x < 0.3] = 0
    top, left, bottom, right = pads
    padded = functional.pad(x, (left, right, top, bottom), value=-torch.inf)
    found = maximum(op, shapes(graph)["pool"])(x.contiguous(memory_format=torch.channels_last))  # type: ignore[arg-type]
    assert torch.equal(found, functional.max_pool2d(padded, kernel, stride))


@pytest.mark.slow
def test_compiled_once_and_kept(tmp_path: Path) -> None:
    graph = lowered("inception_v3")
    images = images_for(graph, 5)
    fast, _ = rewrite(graph, engine="compiled", batch=4)
    engine = compiled.engine(fast, batch=4, cache=tmp_path, threads=1)
    (kept,) = tmp_path.glob("*.pt2")
    written = kept.stat().st_mtime_ns
    # One more than a batch is computed by the engine eager; a batch that is nearly full is filled up.
    for some in (images, images[:3]):
        assert agreement(expected(graph, some), engine.run(some)).difference <= EXACT
    again = compiled.engine(fast, batch=4, cache=tmp_path)
    assert kept.stat().st_mtime_ns == written
    assert agreement(engine.run(images), again.run(images)).difference <= EXACT
    assert list(tmp_path.glob("*.pt2")) == [kept]


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*arguments: object, **options: object) -> None:
        raise RuntimeError("no compiler\nand more")

    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", fails)
    with pytest.raises(MachineError, match=r"\(no compiler\)"):
        compiled.engine(lowered("googlenet"), cache=tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match=r"needs a C\+\+ compiler"):
        compiled.engine(lowered("googlenet"), cache=tmp_path)
    assert not list(tmp_path.glob("*.pt2"))
