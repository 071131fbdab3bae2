"""What is measured: each takes the same float32 images `[batch, channels, height, width]` and gives the logits."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

from inceptions.architecture import declare
from inceptions.deploy.bench.memory import Alone
from inceptions.deploy.bench.turns import in_turn
from inceptions.deploy.bench.unmodified import OURS, published
from inceptions.deploy.compile import compile
from inceptions.deploy.engines import catalogue
from inceptions.deploy.engines.eager import TYPES
from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.engines.openvino import HINTS, first_line, precisions
from inceptions.deploy.engines.threads import limited
from inceptions.deploy.extras import needed
from inceptions.deploy.graph import Array
from inceptions.deploy.quantise import quiet_nncf, silence
from inceptions.errors import MachineError
from inceptions.network import Network
from inceptions.network.model import from_architecture
from inceptions.weights.families import keras as keras_names

Run = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class System:
    """Something that answers.

    Attributes:
        name: as the table calls it.
        precision: what its convolutions compute in.
        run: logits `[batch, classes]` of a whole batch.
        reference: what its answers are compared with; the first system's if None.
        alone: the same as a script of its own; None where there is none.
        on_gpu: whether it computes on a GPU.
    """

    name: str
    precision: Precision
    run: Run
    reference: Run | None = None
    alone: Alone | None = None
    on_gpu: bool = False

    def answers(self, images: Array, batch: int, run: Run | None = None) -> Array:
        """Logits of any number of images, computed in whole batches."""
        run = run or self.run
        whole = images[np.arange(-(-len(images) // batch) * batch) % len(images)]
        return np.concatenate([run(whole[i : i + batch]) for i in range(0, len(whole), batch)])[: len(images)]


def eager(name: str, module: nn.Module, precision: Precision, *, last: bool, threads: int | None) -> System:
    """A torch module without any engine.

    Args:
        name: whose it is.
        module: in evaluation; not changed.
        precision: float32 or bf16.
        last: whether the channels of a pixel lie side by side (channels_last).
        threads: how many to use; torch's own number if None.
    """
    dtype = TYPES[precision]
    layout = torch.channels_last if last else torch.contiguous_format
    if last or dtype != torch.float32:
        # A copy, because `to` changes a module itself.
        module = copy.deepcopy(module).to(dtype=dtype, memory_format=layout)  # type: ignore[call-overload]

    def run(images: Array) -> Array:
        with torch.inference_mode(), limited(threads):
            x = torch.from_numpy(images).contiguous(memory_format=layout).to(dtype)
            logits: Array = module(x).float().numpy()
        return logits

    alone = _of_torch(name, precision, last=last, threads=threads)
    return System(f"{name}, eager{' channels_last' if last else ''}", precision, run, alone=alone)


def frozen(name: str, module: nn.Module, precision: Precision, example: Array, threads: int | None) -> System:
    """A torch module through torch.compile with freezing, channels_last: the best that torch alone offers. It takes minutes.

    Raises:
        MachineError: there is no C++ compiler, or it failed.
    """
    import torch._inductor.config

    dtype = TYPES[precision]
    torch._dynamo.reset()
    compiled = torch.compile(copy.deepcopy(module).to(dtype=dtype, memory_format=torch.channels_last))  # type: ignore[call-overload]

    def run(images: Array) -> Array:
        with torch.inference_mode(), limited(threads), torch._inductor.config.patch(freezing=True):
            x = torch.from_numpy(images).contiguous(memory_format=torch.channels_last).to(dtype)
            logits: Array = compiled(x).float().numpy()
        return logits

    try:
        run(example)
    except Exception as error:  # whatever torch's compiler or the one for C++ stumbles over
        raise MachineError(f"torch.compile was not measured: it cannot compile {name}'s network here.") from error
    alone = _of_torch(name, precision, last=True, threads=threads, frozen=True)
    return System(f"{name}, torch.compile with freezing", precision, run, alone=alone)


def _of_torch(name: str, precision: Precision, *, last: bool, threads: int | None, frozen: bool = False) -> Alone:
    dtype = str(TYPES[precision]).removeprefix("torch.")
    asked = {"package": name, "dtype": dtype, "last": last, "threads": threads, "frozen": frozen}
    return Alone("plain" if name == OURS else "theirs", asked)


def ours(
    network: Network,
    engine: str,
    precision: Precision,
    batch: int,
    size: tuple[int, int],
    threads: int | None,
    images: Array | None,
) -> tuple[System, list[str]]:
    """Our network on an engine, and what was done and found.

    Raises:
        MachineError: no such engine here, or it does not compute in this precision.
    """
    made = compile(network, engine=engine, precision=precision, batch=batch, size=size, threads=threads, images=images)

    def run(x: Array) -> Array:
        logits: Array = made(torch.from_numpy(x)).numpy()
        return logits

    alone = Alone("ours", {"engine": made.engine, "precision": made.precision, "threads": threads})
    there = made.engine in catalogue.GPU
    # It has no images to calibrate on, and the processor's memory says nothing about a GPU's.
    alone_too = None if made.precision == "int8" or there else alone
    return System(f"inceptions, {made.engine}", made.precision, run, alone=alone_too, on_gpu=there), made.notes


def onnxruntime(owner: str, content: bytes, threads: int | None) -> System:
    """ONNX Runtime with its own settings, float32.

    Raises:
        MachineError: it is missing.
    """
    runtime = needed("onnxruntime", "onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: Array) -> Array:
        logits: Array = session.run(None, {name: images})[0]
        return logits

    return System(f"onnxruntime, {owner}'s ONNX", "float32", run, alone=Alone("onnxruntime", {"threads": threads}))


def openvino(
    owner: str,
    content: bytes,
    precision: Precision,
    example: Array,
    threads: int | None,
    calibration: Array | None = None,
) -> System:
    """OpenVINO with the better of its two hints for batches like the example; in int8 as NNCF quantises it by itself.

    Raises:
        MachineError: it or NNCF is missing, or this machine does not compute in the precision.
    """
    core = needed("openvino", "openvino").Core()
    able = precisions()
    if precision not in able:
        raise MachineError(f"OpenVINO does not compute in {precision} on this machine.")
    model = core.read_model(content, b"")
    if precision == "int8":
        assert calibration is not None
        nncf = quiet_nncf()
        with silence():
            images = nncf.Dataset([calibration[i : i + 1] for i in range(len(calibration))])
            model = nncf.quantize(model, images, subset_size=len(calibration))
    inner = precision if precision != "int8" else "bf16" if "bf16" in able else "float32"
    hints: dict[str, tuple[Run, int]] = {}
    for hint in ("latency", "throughput"):
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": HINTS[inner], "PERFORMANCE_HINT": hint.upper()}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            hints[hint] = _hinted(core, model.clone(), settings, len(example), example.shape[1:])
        except RuntimeError as error:
            raise MachineError(f"OpenVINO cannot prepare {owner}'s network: {first_line(error)}.") from error
    times = in_turn({hint: partial(run, example) for hint, (run, _) in hints.items()}, rounds=3)
    better = min(hints, key=lambda hint: median(times[hint]))
    run, piece = hints[better]
    asked = {"hint": HINTS[inner], "goal": better.upper(), "piece": piece, "threads": threads}
    what = f"openvino ({better}{', NNCF' if precision == 'int8' else ''}), {owner}'s ONNX"
    return System(what, precision, run, alone=None if precision == "int8" else Alone("openvino", asked))


def _hinted(core: Any, model: Any, settings: dict[str, Any], batch: int, shape: Sequence[int]) -> tuple[Run, int]:
    """A batch goes through all streams at once, a part each, where it divides; else through one. Also the size of a part."""
    tensor = needed("openvino", "openvino").Tensor
    streams = 1
    if settings["PERFORMANCE_HINT"] == "THROUGHPUT":
        model.reshape([1, *shape])
        streams = int(core.compile_model(model, "CPU", settings).get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
    parts = next(number for number in range(min(batch, streams), 0, -1) if batch % number == 0)
    piece = batch // parts
    # A shape that is known beforehand is the faster one.
    model.reshape([piece, *shape])
    compiled = core.compile_model(model, "CPU", settings)
    requests = [compiled.create_infer_request() for _ in range(parts)]

    def run(images: Array) -> Array:
        for number, request in enumerate(requests):
            request.set_input_tensor(tensor(images[number * piece : (number + 1) * piece], shared_memory=True))
            request.start_async()
        for request in requests:
            request.wait()
        return np.concatenate([request.get_output_tensor(0).data for request in requests])

    return run, piece


KERAS = {
    "inception_v3/torchvision": "InceptionV3",
    "inception_v3/tensorflow": "InceptionV3",
    "inception_resnet_v2/released": "InceptionResNetV2",
}


def keras(network: Network, size: tuple[int, int], threads: int | None) -> System | None:
    """Keras's own network, asked with `predict` as its users do; None where it has none.

    It computes with what `KERAS_BACKEND` names, torch if nothing does. Its Inception-v3 leaves padding out of average pools, so
    its answers are compared with those of our variant that does.

    Raises:
        MachineError: it is missing.
        WeightsError: it cannot hold these weights (its batch norms have no scale).
    """
    architecture = network.architecture
    if architecture.full_name not in KERAS or not published(architecture):
        return None
    if find_spec("keras") is None:
        raise MachineError("keras is not installed: pip install keras.")
    named = "inception_v3/tensorflow" if architecture.name == "inception_v3" else architecture.full_name
    twin = from_architecture(declare(named, None, architecture.options), device="meta")
    twin.load_state_dict(network.state_dict(), assign=True)
    twin.eval()
    tensors = keras_names.numbered(
        keras_names.MAPS[architecture.name](twin.architecture).to_theirs(network.state_dict()), named
    )
    os.environ.setdefault("KERAS_BACKEND", "torch")
    library = needed("keras", "dev")
    # Layers are numbered from the first again.
    library.utils.clear_session()
    model = getattr(library.applications, KERAS[architecture.full_name])(
        weights=None, input_shape=(*size, 3), classes=architecture.options.classes, classifier_activation=None
    )
    for layer in model.layers:
        for weight in layer.weights:
            weight.assign(tensors[f"{layer.name}/{weight.name}"].numpy())

    def run(images: Array) -> Array:
        shown = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        with limited(threads):
            logits: Array = model.predict(shown, batch_size=len(shown), verbose=0)
        return logits

    reference = eager("twin", twin, "float32", last=False, threads=threads)
    return System(f"keras ({library.backend.backend()}), predict", "float32", run, reference.run)
