"""What is written is read back bit by bit, by us and by those whose format it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from inceptions.errors import UsageError, WeightsError
from inceptions.weights.containers import WRITABLE, read, write

FOLDER = Path(__file__).parent
SUFFIXES = {"pytorch": ".pth", "safetensors": ".safetensors", "keras": ".h5", "tensorflow": ".index", "caffe": ".caffemodel"}


@pytest.mark.parametrize("container", WRITABLE)
def test_a_round_trip(tmp_path: Path, container: str) -> None:
    generator = torch.Generator().manual_seed(0)
    given = {
        "a_conv/0": torch.randn(4, 3, 3, 3, generator=generator),
        "a_conv/1": torch.tensor([float("nan"), -0.0, float("inf"), 1e-45]),
        "b_fc/0": torch.randn(6, 5, generator=generator).t(),
        "b_fc/1": torch.empty(0),
    }
    path = tmp_path / f"file{SUFFIXES.get(container, '.npz')}"
    write(path, given, container)
    found = read(path)
    assert found.container == container
    assert list(found.tensors) == list(given)
    for name, tensor in given.items():
        assert found.tensors[name].shape == tensor.shape
        assert found.tensors[name].contiguous().numpy().tobytes() == tensor.contiguous().numpy().tobytes()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize("container", ["pytorch", "safetensors", "tensorflow"])
def test_bfloat16(tmp_path: Path, container: str) -> None:
    given = torch.randn(5).bfloat16()
    write(tmp_path / f"a{SUFFIXES[container]}", {"w": given}, container)
    assert torch.equal(read(tmp_path / f"a{SUFFIXES[container]}").tensors["w"], given)


def test_what_a_format_has_no_place_for(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    for container, name, path in (("caffe", "a", "a.caffemodel"), ("keras", "a", "a.h5"), ("numpy", "file", "a.npz")):
        with pytest.raises(WeightsError, match=rf"cannot hold a tensor of the name ['\"]{name}"):
            write(tmp_path / path, {name: torch.ones(1)}, container)
    with pytest.raises(WeightsError, match="not numbered"):
        write(tmp_path / "a.caffemodel", {"a/1": torch.ones(1)}, "caffe")
    with pytest.raises(WeightsError, match="float16"):
        write(tmp_path / "a.caffemodel", {"a/0": torch.ones(1).half()}, "caffe")
    with pytest.raises(WeightsError, match="bfloat16"):
        write(tmp_path / "a.npz", {"a": torch.ones(1).bfloat16()}, "numpy")
    with pytest.raises(WeightsError, match=r"load_weights"):
        write(tmp_path / "a.keras", {"a/kernel": torch.ones(1)}, "keras")
    with pytest.raises(WeightsError, match="do not list each tensor once"):
        write(tmp_path / "a.h5", {"a/kernel": torch.ones(1)}, "keras", metadata={"layers": []})
    with pytest.raises(UsageError, match="holds a whole network"):
        write(tmp_path / "a.onnx", tensors, "onnx")
    with pytest.raises(UsageError, match=r"Did you mean 'keras'"):
        write(tmp_path / "a", tensors, "kera")
    assert not list(tmp_path.iterdir())


def test_layers_of_caffe_survive(tmp_path: Path) -> None:
    layers = [
        {"name": "data", "type": "Data", "bottoms": [], "tops": ["data"]},
        {"name": "conv", "type": "Convolution", "bottoms": ["data"], "tops": ["conv"]},
    ]
    write(tmp_path / "a.caffemodel", {"conv/0": torch.ones(2)}, "caffe", metadata={"layers": layers, "name": "net"})
    assert read(tmp_path / "a.caffemodel").metadata == {"name": "net", "layers": layers}


def test_a_long_list_of_layers(tmp_path: Path) -> None:
    """Longer than HDF5 lets an attribute be."""
    names = [f"{'a_long_name' * 40}_{i}" for i in range(200)]
    write(tmp_path / "a.h5", {f"{name}/kernel": torch.tensor([float(i)]) for i, name in enumerate(names)}, "keras")
    found = read(tmp_path / "a.h5")
    assert [name.removesuffix("/kernel") for name in found.tensors] == names
    assert [layer["name"] for layer in found.metadata["layers"]] == names


@pytest.mark.slow
@pytest.mark.parametrize("name", ["again.h5", "again.weights.h5"])
def test_keras_loads_what_we_write(tmp_path: Path, name: str) -> None:
    program = (
        "import sys, warnings; warnings.simplefilter('ignore'); import numpy as np; from keras import Model, layers\n"
        "i = layers.Input((8, 8, 3)); x = layers.Conv2D(4, 3, use_bias=False)(i)\n"
        "x = layers.BatchNormalization(scale=False)(x)\n"
        "m = Model(i, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))\n"
        "if sys.argv[1] == 'save': m.save(sys.argv[2])\n"
        "else: m.load_weights(sys.argv[2]); np.savez(sys.argv[3], *[v.numpy() for v in m.weights])\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "torch", "TF_CPP_MIN_LOG_LEVEL": "3"}

    def keras(*arguments: object) -> None:
        subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True, env=environment, capture_output=True)

    keras("save", tmp_path / "a.keras")
    found = read(tmp_path / "a.keras")
    other = {name: tensor + 1 for name, tensor in found.tensors.items()}
    write(tmp_path / name, other, "keras", metadata=found.metadata)
    keras("load", tmp_path / name, tmp_path / "loaded.npz")
    loaded = np.load(tmp_path / "loaded.npz")
    assert len(loaded.files) == len(other) == 6
    assert all(np.array_equal(loaded[f"arr_{i}"], tensor) for i, tensor in enumerate(other.values()))


@pytest.mark.slow
def test_tensorflow_restores_what_we_write(tmp_path: Path) -> None:
    given = {
        f"net/layer_{i}/weights": torch.randn(3, i + 1).to(dtype) for i, dtype in enumerate([torch.float32, torch.float16])
    }
    given |= {f"net/many_{i:04d}": torch.tensor(i) for i in range(300)}  # more than a block of the index holds
    write(tmp_path / "a.ckpt", given, "tensorflow")
    program = (
        "import sys, numpy as np, tensorflow as tf; r = tf.train.load_checkpoint(sys.argv[1])\n"
        "np.savez(sys.argv[2], **{k: r.get_tensor(k) for k in r.get_variable_to_shape_map()})"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "a.ckpt", tmp_path / "a.npz"], check=True, capture_output=True)
    found = read(tmp_path / "a.npz").tensors
    assert found.keys() == given.keys()
    assert all(torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in given.items())


@pytest.mark.slow
def test_tensorflow_still_writes_the_files_beside_its_script(tmp_path: Path) -> None:
    subprocess.run([sys.executable, FOLDER / "tensorflow" / "make.py", tmp_path], check=True, capture_output=True)
    for name in ("v1.ckpt", "v2.ckpt", "frozen.pb"):
        ours, theirs = read(FOLDER / "tensorflow" / name), read(tmp_path / name)
        assert list(ours.tensors) == list(theirs.tensors)
        assert all(torch.equal(tensor, theirs.tensors[key]) for key, tensor in ours.tensors.items())
