"""A small network's tensors in files of every format, each by its real writer where that can run here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from inceptions.weights.containers import write

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "conv.weight": torch.randn(4, 3, 3, 3, generator=generator),
        "bn.bias": torch.randn(4, generator=generator),
        "bn.running_mean": torch.randn(4, generator=generator),
        "bn.running_var": torch.rand(4, generator=generator) + 0.5,
        "fc.weight": torch.randn(5, 4, generator=generator),
        "fc.bias": torch.randn(5, generator=generator),
    }


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, torch.Tensor]) -> dict[str, Path]:
    """Format and flavour to file."""
    root = tmp_path_factory.mktemp("samples")
    files = {
        "pytorch": root / "zip.pth",
        "pytorch-legacy": root / "legacy.pth",
        "safetensors": root / "plain.safetensors",
        "numpy": root / "arrays.npz",
        "numpy-single": root / "array.npy",
        "keras-h5": root / "listed.h5",
        "keras-weights": root / "numbered.weights.h5",
        "keras-zip": root / "whole.keras",
        "tensorflow-v2": FOLDER / "tensorflow" / "v2.ckpt",
        "tensorflow-v1": FOLDER / "tensorflow" / "v1.ckpt",
        "graphdef": FOLDER / "tensorflow" / "frozen.pb",
        "caffe": root / "net.caffemodel",
        "onnx": root / "net.onnx",
    }
    torch.save({"epoch": 3, "state_dict": tensors}, files["pytorch"])
    torch.save({"epoch": 3, "state_dict": tensors}, files["pytorch-legacy"], _use_new_zipfile_serialization=False)
    save_file(tensors, files["safetensors"], {"format": "pt"})
    np.savez(files["numpy"], **{name: tensor.numpy() for name, tensor in tensors.items()})
    np.save(files["numpy-single"], tensors["conv.weight"].numpy())
    slashed = {name.replace(".", "/"): tensor for name, tensor in tensors.items()}
    layers = [
        {"name": "conv", "class": "Conv2D", "weights": ["conv/weight"]},
        {"name": "bn", "class": "BatchNormalization", "weights": ["bn/bias", "bn/running_mean", "bn/running_var"]},
        {"name": "fc", "class": "Dense", "weights": ["fc/weight", "fc/bias"]},
    ]
    write(files["keras-h5"], slashed, "keras", metadata={"layers": layers})
    write(files["keras-weights"], slashed, "keras", metadata={"layers": layers})
    with zipfile.ZipFile(files["keras-zip"], "w") as archive:
        inner = [{"class_name": layer["class"], "config": {"name": layer["name"]}} for layer in layers]
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": inner}}))
        archive.writestr("metadata.json", "{}")
        archive.write(files["keras-weights"], "model.weights.h5")
    numbered = {"conv/0": tensors["conv.weight"], "fc/0": tensors["fc.weight"], "fc/1": tensors["fc.bias"]}
    write(files["caffe"], numbered, "caffe", metadata={"name": "small"})
    files["onnx"].write_bytes(onnx_model(tensors))
    return files


def onnx_model(tensors: dict[str, torch.Tensor]) -> bytes:
    """A model by onnx's own helpers: a convolution, and a dense layer whose bias is a constant among the nodes."""
    from onnx import TensorProto, helper, numpy_helper

    value = numpy_helper.from_array(tensors["fc.bias"].numpy(), "value")
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "bn.bias"], ["y"], "conv", strides=[1, 1], pads=[0, 0, 0, 0]),
        helper.make_node("GlobalAveragePool", ["y"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flatten", axis=1),
        helper.make_node("Constant", [], ["fc.bias"], "constant", value=value),
        helper.make_node("Gemm", ["f", "fc.weight", "fc.bias"], ["z"], "fc", alpha=1.0, transB=1),
    ]
    held = [numpy_helper.from_array(tensors[name].numpy(), name) for name in ("conv.weight", "bn.bias", "fc.weight")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 5])]
    return helper.make_model(helper.make_graph(nodes, "net", inputs, outputs, held)).SerializeToString()


@pytest.fixture(scope="session")
def keras_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files by Keras itself: a model with another one inside, and what its layers hold as an archive of arrays."""
    root = tmp_path_factory.mktemp("keras")
    environment = {**os.environ, "KERAS_BACKEND": "torch", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, FOLDER / "keras_make.py", root], check=True, env=environment, capture_output=True)
    return root


@pytest.fixture
def hdf5(tmp_path: Path) -> h5py.File:
    """An open HDF5 file, "odd.h5" of the test's folder, with the beginnings of a Keras one."""
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file.attrs["layer_names"] = np.array([b"conv"])
        group = file.create_group("conv")
        group.attrs["weight_names"] = np.array([b"kernel"])
        yield file
