"""ONNX Runtime: the engine that runs on most machines."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inceptions.deploy.engines.engine import Engine, Precision
from inceptions.deploy.extras import needed
from inceptions.deploy.graph import Array, Graph
from inceptions.deploy.onnx_graph import FLOAT, to_onnx
from inceptions.errors import MachineError, WeightsError

EXTRA = "onnxruntime"
ERRORS_ONLY = 3


def engine(
    source: Graph | bytes | Path, *, precision: Precision = "float32", batch: int = 1, threads: int | None = None
) -> Engine:
    """Make a graph ready to run on the CPU.

    Args:
        source: a graph, whose weights are read from where they are; the content of an ONNX file; or the file.
        precision: float32; or what the file was made in, which its content decides: fp16 or int8. It knows no bf16 on a CPU.
        batch: how many images come at once, as a rule; it prepares for all numbers alike.
        threads: as many as the machine has cores if None.

    Raises:
        MachineError: ONNX Runtime is missing, or does not compute in this precision.
        WeightsError: the file cannot be read.
    """
    del batch
    if precision == "bf16" or (isinstance(source, Graph) and precision != "float32"):
        raise MachineError(
            f"ONNX Runtime does not compute these networks in {precision} on a CPU: choose float32, or openvino."
        )
    runtime = needed("onnxruntime", EXTRA)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = ERRORS_ONLY
    # Its threads would wait for the next image by going round in circles, at the expense of whoever prepares it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = _of_graph(source, options) if isinstance(source, Graph) else _session(source, options)
    except Exception as error:  # its own classes have no common base but this
        where = source if isinstance(source, Path) else "The model"
        raise WeightsError(f"{where} cannot be read by ONNX Runtime: {first_line(error)}. Export it again.") from error
    return _OnnxRuntime(session, precision)


def _session(source: bytes | Path, options: Any) -> Any:
    content = source if isinstance(source, bytes) else str(source)
    return needed("onnxruntime", EXTRA).InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _of_graph(graph: Graph, options: Any) -> Any:
    """A session made of the weights where the graph has them, without a copy on the way; it keeps what it makes of them."""
    from inceptions.network.hardware import give_back  # beside torch, which files do without

    runtime, onnx = needed("onnxruntime", EXTRA), needed("onnx", "onnx")
    weights: dict[str, Array] = {}
    model = to_onnx(graph, apart=weights)
    del model.graph.input[1:]
    for name, weight in weights.items():
        # As if it were in a file. The file is never looked for.
        told = {"location": "apart", "length": str(weight.nbytes)}
        model.graph.initializer.add(
            name=name,
            dims=weight.shape,
            data_type=FLOAT,
            data_location=onnx.TensorProto.EXTERNAL,
            external_data=[onnx.StringStringEntryProto(key=key, value=value) for key, value in told.items()],
        )
    values = [runtime.OrtValue.ortvalue_from_numpy(weight) for weight in weights.values()]
    options.add_external_initializers(list(weights), values)
    with give_back():
        return _session(model.SerializeToString(), options)


class _OnnxRuntime:
    """A session with its inputs and outputs bound, so that images are read where they lie."""

    name = "onnxruntime"

    def __init__(self, session: Any, precision: Precision) -> None:
        self.precision = precision
        self._session = session
        self._value = needed("onnxruntime", EXTRA).OrtValue
        self._input = session.get_inputs()[0].name
        self._heads = [output.name for output in session.get_outputs()]
        self._lock = threading.Lock()

    def run(self, images: NDArray[np.float32] | NDArray[np.uint8]) -> dict[str, Array]:
        """See `Engine.run`."""
        with self._lock:
            binding = self._session.io_binding()
            images = images if images.flags.c_contiguous else images.copy()
            binding.bind_ortvalue_input(self._input, self._value.ortvalue_from_numpy(images))
            for head in self._heads:
                binding.bind_output(head)
            try:
                self._session.run_with_iobinding(binding)
            except Exception as error:
                raise MachineError(f"ONNX Runtime could not compute the answer: {first_line(error)}.") from error
            values = binding.copy_outputs_to_cpu()
        return {head: np.asarray(value, np.float32) for head, value in zip(self._heads, values, strict=True)}


def first_line(error: Exception) -> str:
    """What ONNX Runtime has to say: "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : ..." without its beginning."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
    return line.split(" : ")[-1].rstrip(".")
