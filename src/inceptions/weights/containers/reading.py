"""One door for all formats: a path in, a checkpoint out, or a sentence that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from inceptions.errors import WeightsError, unknown
from inceptions.weights.containers import arrays, caffe, graphdef, keras, onnx, pytorch, recognise, safetensors, tensorflow
from inceptions.weights.containers.checkpoint import Checkpoint, Container, Fault

# How people call averaged weights, which stand beside the plain ones.
AVERAGES = ("ema", "average", "averaged", "shadow", "swa")
ABOUT_AS_LARGE = 0.9
SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")

Groups = Mapping[str, Mapping[str, Tensor]]


def read(path: Path, *, group: str | None = None) -> Checkpoint:
    """Read a file of weights of any format; which one is found out by its content.

    Nothing in the file is run, no other file is opened than those of the checkpoint itself, and no more memory is used than the
    file could fill. Values are not looked at: they may be NaN.

    Args:
        path: a file; of a TensorFlow checkpoint any of its files, its prefix, or its folder.
        group: which tensors, if the file has several groups: a path like "state_dict" or "ema.shadow". By default the plain
            weights of the largest.

    Raises:
        WeightsError: it is no file of weights, damaged, or wants to run something; says which, and what to do.
        UsageError: there is no such group.
        MachineError: an optional package is missing that this format needs.
    """
    try:
        file = _locate(path)
        kind = recognise.recognise(file)
        groups, metadata = _read(file, kind)
    except Fault as fault:
        raise WeightsError(f"{path} {fault}. {fault.advice}") from fault
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.") from error
    groups = {name: tensors for name, tensors in groups.items() if tensors}
    if not groups:
        raise WeightsError(f"{path} ({kind.container}) holds no tensors; it may describe the network without its weights.")
    if group is not None and group not in groups:
        raise unknown(f"group of tensors in {path}:", group, groups)
    chosen = _likely(groups) if group is None else group
    return Checkpoint(
        path=path,
        container=kind.container,
        tensors=groups[chosen],
        groups=groups,
        group=chosen,
        metadata=metadata,
    )


def _locate(path: Path) -> Path:
    file = tensorflow.locate(path)
    if file is not None:
        return file
    if path.is_dir():
        if any((path / name).is_file() for name in SAVED_MODEL):
            index = path / "variables" / "variables.index"
            raise Fault("is a SavedModel: a program, with its weights beside it", f"Give {index} instead.")
        raise Fault("is a folder", "Give the weight file in it.")
    if path.exists():
        raise Fault("is no file", "Give a file of weights.")
    raise Fault("does not exist", "Check the name.")


def _read(file: Path, kind: recognise.Kind) -> tuple[Groups, dict[str, Any]]:
    container: Container = kind.container
    if container == "pytorch":
        return pytorch.read(file, zipped=kind.zipped)
    if container == "keras":
        return keras.read(file, zipped=kind.zipped)
    if container == "numpy":
        tensors, metadata = arrays.read(file, zipped=kind.zipped)
    else:
        plain = {
            "safetensors": safetensors.read,
            "tensorflow": tensorflow.read,
            "graphdef": graphdef.read,
            "caffe": caffe.read,
            "onnx": onnx.read,
        }
        tensors, metadata = plain[container](file)
    return {"": tensors}, metadata


def _likely(groups: Groups) -> str:
    """The group that is probably meant: among the largest the first that is no average, else the first."""
    sizes = {name: sum(tensor.numel() for tensor in tensors.values()) for name, tensors in groups.items()}
    large = [name for name, size in sizes.items() if size >= ABOUT_AS_LARGE * max(sizes.values())]
    plain = [name for name in large if not set(name.lower().replace("_", ".").split(".")) & set(AVERAGES)]
    return (plain or large)[0]
