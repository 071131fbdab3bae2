"""Every format gives back what its own writer was given, under the names that it has there."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from safetensors.torch import save_file
from torch import Tensor

from inceptions.errors import UsageError, WeightsError
from inceptions.weights.containers import read

Tensors = dict[str, Tensor]


def same(found: object, expected: Tensors) -> bool:
    return (
        isinstance(found, dict)
        and list(found) == list(expected)
        and all(found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in expected.items())
    )


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_of_torch(tmp_path: Path, zipped: bool) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(network.state_dict(), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read(tmp_path / "a.pth")
    assert (found.container, found.group, list(found.groups)) == ("pytorch", "", [""])
    assert same(found.tensors, dict(network.state_dict()))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_training_checkpoint_of_torch(tmp_path: Path, tensors: Tensors, zipped: bool) -> None:
    optimizer = {"state": {0: {"step": torch.tensor(1), "exp_avg": torch.ones(9, 9)}}, "param_groups": [{"lr": 0.1}]}
    halves = {f"module.{name}": tensor.half() for name, tensor in tensors.items()}
    content = {
        "epoch": 3,
        "arch": "inception_v3",
        "ema": {"decay": 0.99, "shadow": halves},
        "state_dict": {f"module.{name}": torch.nn.Parameter(tensor) for name, tensor in tensors.items()},
        "optimizer": optimizer,
        "scheduler": {"milestones": Counter({30: 1}), "size": torch.Size([1, 2]), "dtype": torch.float16},
        "bytes": b"abc",
    }
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read(tmp_path / "a.pth")
    assert sorted(found.groups) == ["ema.shadow", "state_dict"]
    assert found.group == "state_dict"
    assert same(found.tensors, {f"module.{name}": tensor for name, tensor in tensors.items()})
    assert not any(tensor.requires_grad for tensor in found.tensors.values())
    assert same(read(tmp_path / "a.pth", group="ema.shadow").tensors, halves)
    assert found.metadata["epoch"] == 3
    assert found.metadata["arch"] == "inception_v3"
    assert found.metadata["ema.decay"] == 0.99
    with pytest.raises(UsageError, match=r"Did you mean 'state_dict'"):
        read(tmp_path / "a.pth", group="state_dic")


def test_tensors_that_share_their_numbers(tmp_path: Path) -> None:
    whole = torch.arange(12.0)
    content = {"whole": whole, "view": whole[2:8].view(2, 3).t(), "empty": torch.empty(0, 3), "one": torch.tensor(2)}
    torch.save(content, tmp_path / "a.pth")
    assert same(read(tmp_path / "a.pth").tensors, content)


def test_a_dictionary_in_itself(tmp_path: Path) -> None:
    content: dict[str, object] = {"w": torch.ones(2)}
    content["self"] = content
    torch.save(content, tmp_path / "a.pth")
    assert list(read(tmp_path / "a.pth").groups) == [""]


def test_the_largest_group_is_meant(tmp_path: Path, tensors: Tensors) -> None:
    torch.save({"loss": {"weight": torch.ones(2)}, "model_ema": tensors}, tmp_path / "a.pth")
    assert read(tmp_path / "a.pth").group == "model_ema"


def test_safetensors(tmp_path: Path, tensors: Tensors) -> None:
    given = {**tensors, "half": torch.ones(2).bfloat16(), "nan": torch.tensor([float("nan")])}
    save_file(given, tmp_path / "a.bin", {"format": "pt"})  # the name does not matter
    found = read(tmp_path / "a.bin")
    assert (found.container, found.metadata) == ("safetensors", {"format": "pt"})
    assert found.tensors.keys() == given.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in given.items() if name != "nan")
    assert found.tensors["nan"].isnan().all()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_of_numpy(tmp_path: Path, tensors: Tensors, save) -> None:
    backwards = np.asfortranarray(np.arange(6.0).reshape(2, 3)).astype(">f8")
    save(tmp_path / "a.npz", backwards=backwards, **{f"a/{name}": tensor.numpy() for name, tensor in tensors.items()})
    found = read(tmp_path / "a.npz")
    assert found.container == "numpy"
    assert same(
        dict(found.tensors), {"backwards": torch.arange(6.0).double().view(2, 3)} | {f"a/{n}": t for n, t in tensors.items()}
    )


def test_one_array_of_numpy(samples: dict[str, Path], tensors: Tensors) -> None:
    assert same(dict(read(samples["numpy-single"]).tensors), {"": tensors["conv.weight"]})


# --- TensorFlow: the files were written by TensorFlow 2.20; tensorflow/make.py writes them again


@pytest.mark.parametrize("name", ["v1.ckpt", "v2.ckpt", "v2.ckpt.index", "v2.ckpt.data-00000-of-00001"])
def test_checkpoints_of_tensorflow(samples: dict[str, Path], name: str) -> None:
    found = read(samples["tensorflow-v1"].with_name(name))
    rng = np.random.RandomState(0)
    assert found.container == "tensorflow"
    assert same(
        dict(found.tensors),
        {
            "InceptionV1/Conv2d_1a_7x7/biases": torch.zeros(4),
            "InceptionV1/Conv2d_1a_7x7/weights": torch.from_numpy(rng.randn(3, 3, 3, 4).astype("f4")),
            "cut": torch.arange(24.0).view(6, 4),
            "global_step": torch.tensor(7),
            "half": torch.from_numpy(rng.randn(5).astype("f2")),
        },
    )


def test_a_folder_stands_for_the_checkpoint_that_it_names(samples: dict[str, Path], tmp_path: Path) -> None:
    for file in samples["tensorflow-v2"].parent.glob("v2.ckpt.*"):
        shutil.copy(file, tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/somewhere/else/v2.ckpt"\n')
    assert len(read(tmp_path).tensors) == 5
    assert len(read(tmp_path / "checkpoint").tensors) == 5
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "checkpoint"\n')
    with pytest.raises(WeightsError, match="is a folder"):
        read(tmp_path)


def test_a_frozen_graph(samples: dict[str, Path]) -> None:
    found = read(samples["graphdef"])
    assert found.container == "graphdef"
    assert {name: tuple(tensor.shape) for name, tensor in found.tensors.items()} == {
        "InceptionV1/Conv2d_1a_7x7/weights": (3, 3, 3, 4),
        "InceptionV1/Conv2d_1a_7x7/biases": (4,),
    }
    rng = np.random.RandomState(0)
    assert torch.equal(found.tensors["InceptionV1/Conv2d_1a_7x7/weights"], torch.from_numpy(rng.randn(3, 3, 3, 4).astype("f4")))
    assert not found.tensors["InceptionV1/Conv2d_1a_7x7/biases"].any()  # one number for all places
    nodes = {node["name"]: node for node in found.metadata["nodes"]}
    conv = nodes["conv"]
    assert (conv["op"], conv["inputs"][0]) == ("Conv2D", "input")
    assert conv["attributes"] == {"strides": [1, 2, 2, 1], "padding": "SAME", "data_format": "NHWC", "dilations": [1] * 4}
    assert nodes["out"]["attributes"]["ksize"] == [1, 3, 3, 1]


# --- Caffe, by the published layout of its messages and google.protobuf


def caffe() -> dict[str, type]:
    """Classes of the messages in caffe.proto, as far as a binary model needs them."""
    kinds = {"int": 5, "long": 3, "text": 9, "float": 2, "double": 1}
    messages = {
        "BlobShape": [("dim", 1, "long*")],
        "BlobProto": [
            *(("num", 1, "int"), ("channels", 2, "int"), ("height", 3, "int"), ("width", 4, "int")),
            *(("data", 5, "float*"), ("diff", 6, "float*"), ("shape", 7, "BlobShape"), ("double_data", 8, "double*")),
        ],
        "LayerParameter": [
            *(("name", 1, "text"), ("type", 2, "text"), ("bottom", 3, "text+"), ("top", 4, "text+")),
            ("blobs", 7, "BlobProto+"),
        ],
        "V1LayerParameter": [
            *(("bottom", 2, "text+"), ("top", 3, "text+"), ("name", 4, "text"), ("type", 5, "int")),
            ("blobs", 6, "BlobProto+"),
        ],
        "NetParameter": [("name", 1, "text"), ("layers", 2, "V1LayerParameter+"), ("layer", 100, "LayerParameter+")],
    }
    file = descriptor_pb2.FileDescriptorProto(name="caffe_for_test.proto", package="caffe", syntax="proto2")
    for name, declared in messages.items():
        message = file.message_type.add(name=name)
        for field, number, kind in declared:
            one = message.field.add(name=field, number=number, label=3 if kind[-1] in "*+" else 1)
            plain = kind.rstrip("*+")
            one.type = kinds.get(plain, 11)
            if plain not in kinds:
                one.type_name = f".caffe.{plain}"
            if kind.endswith("*"):
                one.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}")) for name in messages}


@pytest.mark.parametrize("old", [True, False])
def test_models_of_caffe(tmp_path: Path, tensors: Tensors, old: bool) -> None:
    net = caffe()["NetParameter"](name="GoogleNet")
    layers = net.layers if old else net.layer
    layers.add(name="data", top=["data", "label"], type=5 if old else "Data")
    conv = layers.add(name="conv1/7x7_s2", bottom=["data"], top=["conv1/7x7_s2"], type=4 if old else "Convolution")
    fc = layers.add(name="loss3/classifier", bottom=["pool5"], top=["loss3/classifier"], type=14 if old else "InnerProduct")
    weight = conv.blobs.add(data=tensors["conv.weight"].flatten().tolist(), diff=[0.0] * 108)
    bias = conv.blobs.add(data=tensors["bn.bias"].tolist())
    dense = fc.blobs.add(double_data=tensors["fc.weight"].flatten().tolist())
    for blob, shape in ((weight, (4, 3, 3, 3)), (bias, (1, 1, 1, 4)), (dense, (1, 1, 5, 4))):
        if old:
            blob.num, blob.channels, blob.height, blob.width = shape
        else:
            blob.shape.dim[:] = [size for size in shape if size > 1]
    (tmp_path / "net.caffemodel").write_bytes(net.SerializeToString())
    found = read(tmp_path / "net.caffemodel")
    assert (found.container, found.metadata["name"]) == ("caffe", "GoogleNet")
    expected = {
        "conv1/7x7_s2/0": tensors["conv.weight"],
        "conv1/7x7_s2/1": tensors["bn.bias"],
        "loss3/classifier/0": tensors["fc.weight"].double(),
    }
    if old:
        expected["conv1/7x7_s2/1"] = expected["conv1/7x7_s2/1"].view(1, 1, 1, 4)
        expected["loss3/classifier/0"] = expected["loss3/classifier/0"].view(1, 1, 5, 4)
    assert same(dict(found.tensors), expected)
    assert found.metadata["layers"] == [
        {"name": "data", "type": "Data", "bottoms": [], "tops": ["data", "label"]},
        {"name": "conv1/7x7_s2", "type": "Convolution", "bottoms": ["data"], "tops": ["conv1/7x7_s2"]},
        {"name": "loss3/classifier", "type": "InnerProduct", "bottoms": ["pool5"], "tops": ["loss3/classifier"]},
    ]


def test_numbers_of_caffe_that_are_not_packed(tmp_path: Path) -> None:
    # name "n"; layer (100) with name "a" and a blob (7) of two data (5), each a field of its own
    blob = b"\x2d\x00\x00\x80\x3f\x2d\x00\x00\x00\x40"
    layer = b"\x0a\x01a" + b"\x3a" + bytes([len(blob)]) + blob
    (tmp_path / "a.caffemodel").write_bytes(b"\x0a\x01n" + b"\xa2\x06" + bytes([len(layer)]) + layer)
    assert same(dict(read(tmp_path / "a.caffemodel").tensors), {"a/0": torch.tensor([1.0, 2.0])})


# --- ONNX


def test_a_model_of_onnx(samples: dict[str, Path], tensors: Tensors) -> None:
    found = read(samples["onnx"])
    assert found.container == "onnx"
    assert same(dict(found.tensors), {name: tensors[name] for name in ("conv.weight", "bn.bias", "fc.weight", "fc.bias")})
    conv = found.metadata["nodes"][0]
    assert (conv["name"], conv["op"], conv["inputs"], conv["outputs"]) == (
        "conv",
        "Conv",
        ["x", "conv.weight", "bn.bias"],
        ["y"],
    )
    assert conv["attributes"] == {"strides": [1, 1], "pads": [0, 0, 0, 0]}
    assert found.metadata["nodes"][-1]["attributes"] == {"alpha": 1.0, "transB": 1}


NUMBERS = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bool", *NUMBERS])
def test_numbers_of_onnx_in_fields(tmp_path: Path, dtype: str) -> None:
    from onnx import helper

    array = np.array([[0, 1, 2], [100, 1, 0]]).astype(dtype)
    given = helper.make_tensor("w", helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array.flatten())
    assert not given.HasField("raw_data")
    model = helper.make_model(helper.make_graph([], "net", [], [], [given]))
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    assert same(dict(read(tmp_path / "a.onnx").tensors), {"w": torch.from_numpy(array)})


def test_weights_of_onnx_beside_the_model(tmp_path: Path, samples: dict[str, Path], tensors: Tensors) -> None:
    import onnx

    (tmp_path / "in").mkdir()
    model = onnx.load(samples["onnx"])
    onnx.save(model, tmp_path / "a.onnx", save_as_external_data=True, location="in/weights.bin", size_threshold=0)
    found = read(tmp_path / "a.onnx").tensors
    assert all(torch.equal(found[name], tensors[name]) for name in ("conv.weight", "bn.bias", "fc.weight"))
    (tmp_path / "in" / "weights.bin").unlink()
    with pytest.raises(WeightsError, match=r"has its weights in in/weights.bin, which is not beside it"):
        read(tmp_path / "a.onnx")


@pytest.mark.slow
def test_a_model_that_torch_exported(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5)).eval()
    torch.onnx.export(network, (torch.zeros(1, 3, 8, 8),), tmp_path / "a.onnx", verbose=False)
    found = read(tmp_path / "a.onnx")
    state = dict(network.state_dict())
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in state.items())
    assert found.metadata["nodes"][0]["op"] == "Conv"


# --- Keras


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole.keras", "numbered.weights.h5", "whole.h5", "listed.h5"])
def test_files_of_keras(keras_files: Path, name: str) -> None:
    expected = {key: torch.from_numpy(value) for key, value in np.load(keras_files / "weights.npz").items()}
    found = read(keras_files / name)
    assert found.container == "keras"
    assert found.tensors.keys() == expected.keys()
    assert all(torch.equal(found.tensors[key], tensor) for key, tensor in expected.items())
    layers = {layer["name"]: layer for layer in found.metadata["layers"] if layer["weights"]}
    assert layers["inner/batch_normalization"]["weights"][0] == "inner/batch_normalization/gamma"
    # In the order of the model, and where nothing says what that is, of the numbers.
    assert [name for name in layers if name.startswith("conv2d")] == [f"conv2d_{i}" for i in range(1, 13)]
    assert layers["conv2d_12"]["weights"] == ["conv2d_12/kernel"]
    if name != "listed.h5":
        assert layers["conv2d_12"]["class"] == "Conv2D"


def test_names_of_older_keras(tmp_path: Path, hdf5) -> None:
    # As TensorFlow's Keras wrote them: scopes that were made unique, a model as a layer, numbers at the end.
    hdf5.attrs["layer_names"] = np.array([b"conv", b"base"])
    hdf5["conv"].attrs["weight_names"] = np.array([b"conv_1/kernel:0"])
    hdf5["conv/conv_1/kernel:0"] = np.ones((1, 2), "f4")
    base = hdf5.create_group("base")
    base.attrs["weight_names"] = np.array([b"conv2d/kernel:0", b"bn/beta:0", b"bn/moving_mean:0"])
    for i, name in enumerate(base.attrs["weight_names"]):
        base[name] = np.full(2, i, "f4")
    hdf5.close()
    found = read(tmp_path / "odd.h5")
    assert list(found.tensors) == ["conv/kernel", "base/conv2d/kernel", "base/bn/beta", "base/bn/moving_mean"]
    assert [layer["name"] for layer in found.metadata["layers"]] == ["conv", "base/conv2d", "base/bn"]


@pytest.mark.parametrize("name", ["keras-h5", "keras-weights", "keras-zip"])
def test_small_files_of_keras(samples: dict[str, Path], tensors: Tensors, name: str) -> None:
    found = read(samples[name])
    assert len(found.tensors) == len(tensors)
    assert [tensor.sum().item() for tensor in found.tensors.values()] == pytest.approx(
        [tensors[key].sum().item() for key in tensors]
        if name != "keras-weights"
        else [
            tensors[key].sum().item()
            for key in ("bn.bias", "bn.running_mean", "bn.running_var", "conv.weight", "fc.weight", "fc.bias")
        ]
    )
    if name != "keras-h5":
        assert sorted(found.tensors) == sorted(
            ["conv/kernel", "bn/beta", "bn/moving_mean", "bn/moving_variance", "fc/kernel", "fc/bias"]
        )


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux lists the open files")
def test_reading_does_not_keep_files_open(samples: dict[str, Path]) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in samples.values():
        read(path)
    # Mappings last as long as the tensors in them, but take no place in the list.
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
