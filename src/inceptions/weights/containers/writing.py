"""The other direction: tensors into a file of any format that others read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from inceptions.errors import UsageError, WeightsError, unknown
from inceptions.weights.containers import arrays, caffe, keras_writer, pytorch, safetensors, tensorflow
from inceptions.weights.containers.checkpoint import Container, Fault

WRITABLE: tuple[Container, ...] = ("pytorch", "safetensors", "keras", "tensorflow", "caffe", "numpy")


def write(
    path: Path, tensors: Mapping[str, Tensor], container: Container, *, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write a file of weights: whole, or not at all.

    Args:
        path: the file. TensorFlow: the index or the prefix, beside which the data go. Keras: "*.weights.h5" for the layout of
            Keras 3, any other "*.h5" for the one before.
        tensors: by the names of the format, as `read` gives them.
        container: the format. Graphs (frozen TensorFlow, ONNX) cannot be written: they are programs.
        metadata: as `read` gives it. "layers" sets the order of Keras's and Caffe's layers and, for Keras 3, their classes.

    Raises:
        UsageError: no such format can be written.
        WeightsError: the format has no place for a tensor, or for its name.
        MachineError: the file cannot be written, or an optional package is missing.
    """
    metadata = metadata or {}
    if container not in WRITABLE:
        if container in ("graphdef", "onnx"):
            raise UsageError(
                f"Weights alone cannot be written as {container}: it holds a whole network. Export the network instead."
            )
        raise unknown("container", container, WRITABLE)
    try:
        if container == "pytorch":
            pytorch.write(path, tensors)
        elif container == "safetensors":
            safetensors.write(path, tensors, metadata)
        elif container == "keras":
            keras_writer.write(path, tensors, metadata.get("layers"))
        elif container == "tensorflow":
            tensorflow.write(path, tensors)
        elif container == "caffe":
            caffe.write(path, tensors, metadata.get("layers"), str(metadata.get("name", "")))
        else:
            arrays.write(path, tensors)
    except Fault as fault:
        raise WeightsError(f"{path} ({container}) {fault}. {fault.advice}") from fault
