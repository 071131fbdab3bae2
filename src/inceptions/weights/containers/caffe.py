"""Caffe's binary models, read and written without Caffe: the blobs of each layer, by number.

caffe/proto/caffe.proto: NetParameter, LayerParameter, V1LayerParameter, BlobProto. Files of 2014 and before have layers of the
older kind, and blobs of exactly four dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inceptions.files import write_bytes
from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.containers.protobuf import Message, encode, encode_packed, mapped
from inceptions.weights.containers.values import Budget, from_array, plain

LAYERS, OLD_LAYERS = 100, 2
# V1LayerParameter.LayerType, in the names of today.
OLD_TYPES = {
    **{1: "Accuracy", 2: "BNLL", 3: "Concat", 4: "Convolution", 5: "Data", 6: "Dropout", 7: "EuclideanLoss", 8: "Flatten"},
    **{9: "HDF5Data", 10: "HDF5Output", 11: "Im2col", 12: "ImageData", 13: "InfogainLoss", 14: "InnerProduct", 15: "LRN"},
    **{16: "MultinomialLogisticLoss", 17: "Pooling", 18: "ReLU", 19: "Sigmoid", 20: "Softmax", 21: "SoftmaxWithLoss"},
    **{22: "Split", 23: "TanH", 24: "WindowData", 25: "Eltwise", 26: "Power", 27: "SigmoidCrossEntropyLoss"},
    **{28: "HingeLoss", 29: "MemoryData", 30: "ArgMax", 31: "Threshold", 32: "DummyData", 33: "Slice", 34: "MVN"},
    **{35: "AbsVal", 36: "Silence", 37: "ContrastiveLoss", 38: "Exp", 39: "Deconvolution"},
}


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The blobs as "<layer>/<number>", and the layers in order.

    Raises:
        Fault: it is no model, damaged, or two layers have the same name.
    """
    view = mapped(path)
    net, budget = Message(view), Budget(len(view))
    tensors: dict[str, Tensor] = {}
    layers: list[dict[str, Any]] = []
    for layer in net.messages(OLD_LAYERS):
        if 1 in layer:
            raise Fault("has layers of Caffe's first format (before 2014)", "Upgrade it with Caffe's upgrade_net_proto_binary.")
        kind = layer.integer(5)
        layers.append(_layer(layer.text(4), OLD_TYPES.get(kind, str(kind)), layer.texts(2), layer.texts(3)))
        budget.note(layers[-1])
        _blobs(layer, 6, layers[-1]["name"], tensors)
    for layer in net.messages(LAYERS):
        layers.append(_layer(layer.text(1), layer.text(2), layer.texts(3), layer.texts(4)))
        budget.note(layers[-1])
        _blobs(layer, 7, layers[-1]["name"], tensors)
    return tensors, {"name": net.text(1), "layers": layers}


def _layer(name: str, kind: str, bottoms: list[str], tops: list[str]) -> dict[str, Any]:
    return {"name": name, "type": kind, "bottoms": bottoms, "tops": tops}


def _blobs(layer: Message, number: int, name: str, tensors: dict[str, Tensor]) -> None:
    for i, blob in enumerate(layer.messages(number)):
        key = f"{name}/{i}"
        if key in tensors:
            raise Fault(f"has two layers of the name {name}")
        data = blob.array(8, "<f8") if 8 in blob else blob.array(5, "<f4")
        legacy = any(field in blob for field in (1, 2, 3, 4))
        old = [blob.integer(field, 0) for field in (1, 2, 3, 4)]
        shape = blob.message(7).integers(1) if 7 in blob else old if legacy else [data.size]
        tensors[key] = from_array(data, shape, key)


def write(path: Path, tensors: Mapping[str, Tensor], layers: list[dict[str, Any]] | None, name: str) -> None:
    """Write a model of layers with blobs.

    Args:
        path: the file.
        tensors: float32, by "<layer>/<number>", numbered from 0 without gaps.
        layers: as `read` gives them, if what is known of them is to be written; else layers come in the order of the tensors.
        name: of the network.

    Raises:
        Fault: a name is not of that form, or Caffe has no such type of number.
    """
    blobs: dict[str, dict[int, Tensor]] = {}
    for key, tensor in tensors.items():
        layer, _, number = key.rpartition("/")
        if not layer or not number.isdecimal():
            raise Fault(f"cannot hold a tensor of the name {key!r}", 'Caffe wants "<layer>/<number>".')
        if tensor.dtype not in (torch.float32, torch.float64):
            raise Fault(f"cannot hold {key} of type {tensor.dtype}", "Caffe has float32 and float64.")
        blobs.setdefault(layer, {})[int(number)] = tensor
    known = {layer["name"]: layer for layer in layers or ()}
    out = bytearray(encode(1, name))
    for layer in [*known, *(layer for layer in blobs if layer not in known)]:
        entry = known.get(layer, {})
        content = encode(1, layer) + encode(2, str(entry.get("type", "")))
        content += b"".join(encode(3, one) for one in entry.get("bottoms", ()))
        content += b"".join(encode(4, one) for one in entry.get("tops", ()))
        numbered = blobs.get(layer, {})
        if sorted(numbered) != list(range(len(numbered))):
            raise Fault(f"cannot hold the tensors of {layer}: they are not numbered 0, 1, ...", "Number them so.")
        content += b"".join(encode(7, _blob(numbered[i])) for i in range(len(numbered)))
        out += encode(LAYERS, content)
    write_bytes(path, bytes(out))


def _blob(tensor: Tensor) -> bytes:
    array = plain(tensor)
    data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    assert len(data) == prod(tensor.shape) * tensor.dtype.itemsize
    return encode(8 if tensor.dtype == torch.float64 else 5, data) + encode(7, encode_packed(1, tensor.shape))
