"""OpenVINO and ONNX Runtime as engines: numbers of images, threads, precisions, faults."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from inceptions.deploy.engines import onnxruntime, openvino
from inceptions.deploy.engines.module import reference
from inceptions.deploy.graph import Graph
from inceptions.deploy.lower import lower
from inceptions.errors import MachineError, WeightsError
from inceptions.network import create_model


@pytest.fixture(scope="module")
def graph() -> Graph:
    return lower(create_model("plain_cnn", num_classes=4, width=0.25, seed=0).eval(), size=(56, 56))


def some(images: int) -> np.ndarray:
    return np.random.default_rng(images).normal(size=(images, 3, 56, 56)).astype(np.float32)


@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_images_in_their_order(graph: Graph, batch: int, threads: int) -> None:
    import torch

    engine = openvino.engine(graph, batch=batch, threads=threads)
    assert (engine.name, engine.precision) == ("openvino", "float32")
    for images in (1, 2, 3, 17, 40):
        x = some(images)
        wanted = reference(graph, torch.from_numpy(x))["main"].numpy()
        assert np.abs(engine.run(x)["main"] - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("images", "sizes"), [(1, [1]), (2, [1, 1]), (5, [3, 2]), (16, [8, 8]), (17, [5, 4, 4, 4]), (24, [6, 6, 6, 6])]
)
def test_all_threads_get_as_much_to_do(graph: Graph, images: int, sizes: list[int]) -> None:
    assert openvino.engine(graph, batch=16, threads=2)._sizes(images) == sizes


def test_what_the_usual_batch_does_not_need_is_compiled_once_it_is(graph: Graph) -> None:
    engine = openvino.engine(graph, batch=16, threads=2)
    engine.run(some(16))
    engine.run(some(48))  # six requests of the same eight
    assert [*engine._requests] == [8]
    engine.run(some(17))
    engine.run(some(3))
    assert [*engine._requests] == [8, None]


@pytest.mark.parametrize("engine", [openvino.engine, onnxruntime.engine])
def test_callers_may_be_several_and_their_images_in_any_layout(graph: Graph, engine: object) -> None:
    ready = engine(graph, batch=4, threads=1)
    batches = [np.asfortranarray(some(images)) for images in (1, 2, 3, 4, 5, 6)]
    alone = [ready.run(x)["main"] for x in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda x: ready.run(x)["main"], batches))
    assert all(np.allclose(one, other, atol=1e-6) for one, other in zip(alone, together, strict=True))


def test_answers_are_the_callers_own(graph: Graph) -> None:
    for engine in (openvino.engine(graph, threads=1), onnxruntime.engine(graph, threads=1)):
        first = engine.run(some(2))["main"]
        kept = first.copy()
        engine.run(some(3))
        assert np.array_equal(first, kept)


def test_openvinos_converter_waits_until_somebody_calls_it() -> None:
    program = (
        "import sys; from inceptions.deploy.engines import openvino as ours; ours.precisions(); import openvino\n"
        "assert 'openvino.tools.ovc' not in sys.modules\n"
        "try: openvino.convert_model('nothing.onnx')\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout, "it raised nothing"


def test_bf16_is_coarser_but_alike(graph: Graph) -> None:
    if "bf16" not in openvino.precisions():
        pytest.skip("this machine does not compute in bf16")
    x = some(8)
    exact, coarse = (openvino.engine(graph, precision=one, threads=1).run(x)["main"] for one in ("float32", "bf16"))
    assert 0 < np.abs(coarse - exact).max() < 0.05 * np.abs(exact).max()


def test_a_folder_for_what_was_prepared(graph: Graph, tmp_path: Path) -> None:
    x = some(2)
    fresh = openvino.engine(graph, threads=1, cache=tmp_path / "kept").run(x)["main"]
    assert list((tmp_path / "kept").iterdir())
    assert np.array_equal(openvino.engine(graph, threads=1, cache=tmp_path / "kept").run(x)["main"], fresh)
    (tmp_path / "file").touch()
    assert np.array_equal(openvino.engine(graph, threads=1, cache=tmp_path / "file").run(x)["main"], fresh)


def test_refuses_what_the_machine_cannot(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MachineError, match="bf16 on a CPU"):
        onnxruntime.engine(graph, precision="bf16")
    monkeypatch.setattr(openvino, "precisions", lambda: ["float32"])
    with pytest.raises(MachineError, match="not compute in bf16 on this machine, only in float32"):
        openvino.engine(graph, precision="bf16")


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x0a"])
def test_refuses_what_is_no_network(content: bytes, tmp_path: Path) -> None:
    for engine in (openvino.engine, onnxruntime.engine):
        with pytest.raises(WeightsError, match="cannot be read by"):
            engine(content)
    (tmp_path / "x.xml").write_bytes(content)
    with pytest.raises(WeightsError, match=r"x\.xml cannot be read by OpenVINO"):
        openvino.read_model(tmp_path / "x.xml")


@pytest.mark.parametrize(("module", "package"), [(openvino, "openvino"), (onnxruntime, "onnxruntime")])
def test_a_missing_package_is_one_line(module: object, package: str, graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    openvino._core.cache_clear()
    with pytest.raises(MachineError, match=rf"pip install 'inceptions\[{package}\]'"):
        module.engine(graph)
    openvino._core.cache_clear()


@pytest.mark.parametrize(
    ("side", "precision", "images"),
    [(56, "float32", 8), (200, "float32", 4), (320, "float32", 2), (640, "float32", 2), (320, "int8", 8)],
)
def test_images_whose_maps_fill_the_caches_are_computed_few_at_a_time(side: int, precision: str, images: int) -> None:
    graph = lower(create_model("plain_cnn", num_classes=4, width=0.25, seed=0).eval(), size=(side, side))
    assert openvino._most(openvino.read_model(graph), precision) == images


def test_openvino_may_be_needed_first_by_several_threads() -> None:
    script = """
import threading
from inceptions.deploy.engines import openvino
found, start = [], threading.Barrier(4)

def ask():
    start.wait()
    found.append(openvino.precisions())

threads = [threading.Thread(target=ask) for _ in range(4)]
for one in threads: one.start()
for one in threads: one.join()
print(len(found))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("4\n", 0), done.stderr
