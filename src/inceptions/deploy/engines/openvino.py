"""OpenVINO: the fastest of the engines on a CPU, and the one that needs no torch."""

from __future__ import annotations

import functools
import importlib
import math
import os
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inceptions.deploy.about import CARD, EXPORT
from inceptions.deploy.engines.engine import Engine, Precision
from inceptions.deploy.extras import needed
from inceptions.deploy.graph import Array, Graph
from inceptions.deploy.onnx_graph import to_onnx
from inceptions.errors import MachineError, WeightsError

if TYPE_CHECKING:
    from openvino import Core, InferRequest, Model

    Source: TypeAlias = Graph | Model | bytes | Path

EXTRA = "openvino"
_LOADING = threading.Lock()
CONVERTER = "openvino.tools.ovc"
CAPABILITIES: dict[Precision, str] = {"float32": "FP32", "bf16": "BF16", "fp16": "FP16", "int8": "INT8"}
HINTS: dict[Precision, str] = {"float32": "f32", "bf16": "bf16", "fp16": "f16"}

FEWEST, MOST = 2, 8
"""Images that a request may have, as their maps are large or small."""

BYTES: dict[Precision, int] = {"float32": 4, "bf16": 2, "fp16": 2, "int8": 1}
CACHED = 7e6
"""Bytes that the largest maps of a request may take together. Measured with caches of 32 MiB for two cores, in bf16: two images
of 299 pixels at a time are 0.2 to 1.4 % faster than four (Inception-v3, v4, Inception-ResNet-v2) and 3 % faster than one, four
of 224 (GoogLeNet) 2 % faster than two or eight, and eight of 160 faster than four by 2 to 6 %."""


def precisions() -> list[Precision]:
    """What this machine computes in hardware, as OpenVINO sees it.

    Raises:
        MachineError: OpenVINO is missing.
    """
    able = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return [precision for precision, name in CAPABILITIES.items() if name in able]


def engine(
    source: Source, *, precision: Precision = "float32", batch: int = 1, threads: int | None = None, cache: Path | None = None
) -> Engine:
    """Make a graph ready to run on the CPU.

    Args:
        source: a graph, whose weights are read where they are, and must not change; or a model of OpenVINO's, the content of an
            ONNX file, or a file of either kind.
        precision: what convolutions compute in. "int8" says that `source` is quantised; what is not, computes in bf16 where the
            machine has it.
        batch: how many images come at once, as a rule. Alone, an image is computed by all threads together. Of several, each
            thread computes its own, because waiting for one another costs more.
        threads: as many as the machine has cores if None.
        cache: folder for what OpenVINO prepares, found again by content: it saves two thirds of the time until an engine is
            ready. Where it cannot be written to, nothing is kept.

    Raises:
        MachineError: OpenVINO is missing, or cannot run this on this machine.
    """
    able = precisions()
    if precision not in able:
        raise MachineError(f"OpenVINO does not compute in {precision} on this machine, only in {', '.join(able)}.")
    model = read_model(source)
    inner = precision if precision != "int8" else "bf16" if "bf16" in able else "float32"
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": HINTS[inner]}
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    if cache is not None and _writable(cache):
        settings["CACHE_DIR"] = str(cache)
    if batch == 1:
        streams = most = 1
        settings["PERFORMANCE_HINT"] = "LATENCY"
    else:
        streams, most = min(batch, threads or _cores()), _most(model, precision)
        settings["PERFORMANCE_HINT"] = "THROUGHPUT"
    settings["NUM_STREAMS"] = streams
    return _OpenVino(model, settings, precision, batch=batch, streams=streams, most=most)


def read_model(source: Source) -> Model:
    """A model of OpenVINO's, for any number of images.

    Raises:
        MachineError: OpenVINO is missing.
        WeightsError: the file is none that OpenVINO reads, or is damaged.
    """
    if isinstance(source, Graph):
        return _written(source)
    if not isinstance(source, bytes | Path):
        return source
    try:
        # Given as bytes, the second argument says that there are no weights beside it.
        return _core().read_model(source, b"") if isinstance(source, bytes) else _core().read_model(source)
    except RuntimeError as error:
        where = source if isinstance(source, Path) else "The model"
        raise WeightsError(f"{where} cannot be read by OpenVINO: {first_line(error)}. Export it again.") from error


def _written(graph: Graph) -> Model:
    """A graph as a model that reads the graph's own weights where they are."""
    weights: dict[str, Array] = {}
    content = to_onnx(graph, apart=weights).SerializeToString()
    model = _core().read_model(content, b"")
    constant = _library().op.Constant
    for parameter in model.get_parameters():
        if (weight := weights.get(parameter.get_friendly_name())) is not None:
            held = constant(weight, shared_memory=True)
            held.set_friendly_name(parameter.get_friendly_name())
            parameter.output(0).replace(held.output(0))
            model.remove_parameter(parameter)
    model.validate_nodes_and_infer_types()
    return model


def metadata(model: Model) -> dict[str, str]:
    """What a model of OpenVINO's says about itself, as `note` wrote it."""
    return {key: model.get_rt_info([key]).astype(str) for key in (CARD, EXPORT) if model.has_rt_info([key])}


def note(model: Model, entries: Mapping[str, str]) -> None:
    """Let a model say something about itself."""
    for key, text in entries.items():
        model.set_rt_info(text, [key])


def fold_constants(model: Model) -> None:
    """Write down what does not depend on the images. What reads ONNX computes the shapes of biases and of groups as it goes."""
    passes = needed("openvino.passes", EXTRA)
    folding = passes.Manager()
    folding.register_pass(passes.ConstantFolding())
    folding.run_passes(model)


def hold_bf16(model: Model) -> None:
    """Let a model hold the weights that multiply as the processor rounds them in bf16, in half the bytes."""
    library = _library()
    opset, bf16 = library.opset15, library.Type.bf16
    fold_constants(model)
    for node in model.get_ordered_ops():
        if node.get_type_name() in ("Convolution", "GroupConvolution", "MatMul"):
            held = node.input_value(1)
            if held.get_node().get_type_name() == "Constant":
                bits = np.ascontiguousarray(held.get_node().data, np.float32).view(np.uint32)
                rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16  # to the nearest, of two the even one
                tensor = library.Tensor(bf16, held.get_shape())
                tensor.data.view(np.uint16)[...] = rounded
                node.input(1).replace_source_output(opset.convert(opset.constant(tensor), "f32").output(0))


class _OpenVino:
    """Compiled models and one request a stream of each.

    A number of images that is known beforehand saves GoogLeNet 3 % of its time, BN-Inception 2 %, and one image by itself up to
    7 %. So the model is compiled for the requests of the usual batch if these are alike. Once others come it is compiled again,
    for any number of images: that takes 0.2 s and the weights in their precision once more (Inception-v3 in bf16: 72 MiB).
    """

    name = "openvino"

    def __init__(
        self, model: Model, settings: dict[str, Any], precision: Precision, *, batch: int, streams: int, most: int
    ) -> None:
        self.precision = precision
        self._model = model
        self._settings = settings
        self._streams = streams
        self._most = most
        self._tensor = _library().Tensor
        self._heads = [output.get_any_name() for output in model.outputs]
        self._lock = threading.Lock()
        usual = self._sizes(batch)
        self._usual = usual[0] if usual[0] == usual[-1] else None
        self._requests: dict[int | None, list[InferRequest]] = {}
        self._requests_for(usual)

    def run(self, images: NDArray[np.float32] | NDArray[np.uint8]) -> dict[str, Array]:
        """See `Engine.run`."""
        images = images if images.flags.c_contiguous else images.copy()
        sizes = self._sizes(len(images))
        parts: list[list[Array]] = []
        start = 0
        with self._lock:
            free = deque(self._requests_for(sizes))
            busy: deque[InferRequest] = deque()
            for size in sizes:
                if not free:
                    free.append(self._done(busy.popleft(), parts))
                request = free.popleft()
                # The images are read where they lie, without a copy.
                request.set_input_tensor(self._tensor(images[start : start + size], shared_memory=True))
                request.start_async()
                busy.append(request)
                start += size
            while busy:
                self._done(busy.popleft(), parts)
        together = parts[0] if len(parts) == 1 else [np.concatenate(values) for values in zip(*parts, strict=True)]
        return dict(zip(self._heads, together, strict=True))

    def _sizes(self, images: int) -> list[int]:
        """How many images each request gets: alike, and so many requests that all streams have as much to do."""
        rounds = -(-images // (self._most * self._streams))
        requests = min(images, rounds * self._streams)
        fewest, more = divmod(images, requests)
        return [fewest + 1] * more + [fewest] * (requests - more)

    def _requests_for(self, sizes: list[int]) -> list[InferRequest]:
        """One a stream: of the model for the usual size, or of that for any."""
        size = self._usual if {*sizes} == {self._usual} else None
        if size not in self._requests:
            model = self._model.clone()
            try:
                model.reshape([size or -1, *list(model.inputs[0].partial_shape)[1:]])
                compiled = _core().compile_model(model, "CPU", self._settings)
            except RuntimeError as error:
                raise MachineError(f"OpenVINO cannot prepare this network: {first_line(error)}.") from error
            self._requests[size] = [compiled.create_infer_request() for _ in range(self._streams)]
        return self._requests[size]

    def _done(self, request: InferRequest, parts: list[list[Array]]) -> InferRequest:
        try:
            request.wait()
        except RuntimeError as error:
            raise MachineError(f"OpenVINO could not compute the answer: {first_line(error)}.") from error
        parts.append([request.get_output_tensor(number).data.copy() for number in range(len(self._heads))])
        return request


def first_line(error: RuntimeError) -> str:
    """What OpenVINO has to say, without the places in its source code."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    return (told or lines or ["no reason given"])[0].rstrip(".!")


@functools.cache
def _core() -> Core:
    core: Core = _library().Core()
    return core


def _library() -> ModuleType:
    """OpenVINO without its converter of other frameworks' models, which takes two thirds of the time of its import.

    Whoever calls the converter in this process gets it then.
    """
    with _LOADING:
        first = "openvino" not in sys.modules
        if first:
            sys.modules[CONVERTER] = None  # type: ignore[assignment]  # Python's way to say that a module is not there
        try:
            # Where another thread is importing it, this waits.
            library = needed("openvino", EXTRA)
        finally:
            if first:
                sys.modules.pop(CONVERTER, None)
        if not hasattr(library, "convert_model"):
            library.convert_model = _convert_model  # type: ignore[attr-defined]
    return library


def _convert_model(*arguments: Any, **options: Any) -> Any:
    return importlib.import_module(CONVERTER).convert_model(*arguments, **options)


def _most(model: Model, precision: Precision) -> int:
    """How many images a request may have."""
    largest = 0
    for op in model.get_ordered_ops():
        shape = op.get_output_partial_shape(0) if op.get_output_size() and op.get_type_name() != "Constant" else None
        if shape is not None and shape.rank.is_static and len(shape) == 4:
            _, *sides = shape
            if all(side.is_static for side in sides):
                largest = max(largest, math.prod(side.get_length() for side in sides))
    images = MOST
    while images > FEWEST and images * largest * BYTES[precision] > CACHED:
        images //= 2
    return images


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
