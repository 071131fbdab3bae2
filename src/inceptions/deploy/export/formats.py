"""The formats: how each is written, and what is read back from what was written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from inceptions.deploy.about import About
from inceptions.deploy.engines import onnxruntime, openvino, torch_exported
from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.exported import entering, open_exported
from inceptions.deploy.extras import needed
from inceptions.deploy.graph import Array, Graph
from inceptions.deploy.onnx_graph import to_onnx
from inceptions.errors import UsageError
from inceptions.network import Network
from inceptions.weights import Card, load_model, save_weights

Format = Literal["onnx", "openvino", "torch-export", "safetensors"]

FORMATS: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml", "torch-export": ".pt2", "safetensors": ".safetensors"}
"""What each format's files end in."""

PRECISIONS: dict[Format, tuple[Precision, ...]] = {
    "onnx": ("float32", "fp16", "int8"),
    "openvino": ("float32", "bf16", "fp16", "int8"),
    "torch-export": ("float32", "bf16", "fp16"),
    "safetensors": ("float32", "bf16", "fp16"),
}
"""What each format keeps and its runtime computes. ONNX Runtime knows no bf16 on a CPU."""

RUNTIMES: dict[Format, str] = {
    "onnx": "ONNX Runtime",
    "openvino": "OpenVINO",
    "torch-export": "torch.export",
    "safetensors": "inceptions",
}


def check(to: Format, precision: Precision, *, pixels: bool) -> None:
    """Refuse what a format cannot hold, and find missing packages, before any work is done.

    Raises:
        UsageError: says what it can.
        MachineError: a package is missing.
    """
    if precision not in PRECISIONS[to]:
        others = [one for one, able in PRECISIONS.items() if precision in able]
        raise UsageError(
            f"{to} keeps {', '.join(PRECISIONS[to])}, not {precision}. {precision} can be had with --to {' or '.join(others)}."
        )
    if pixels and to == "safetensors":
        raise UsageError("A weight file holds no operations: its preprocessing is always described in it. Omit that option.")
    if to == "onnx":
        needed("onnx", onnxruntime.EXTRA)
        needed("onnxruntime", onnxruntime.EXTRA)
    if to == "openvino":
        needed("onnx", openvino.EXTRA)
        needed("openvino", openvino.EXTRA)
    if precision == "int8" and to == "openvino":
        needed("nncf", openvino.EXTRA)


def write(folder: Path, graph: Graph, about: About, to: Format, content: Any = None) -> list[Path]:
    """Write a graph into a folder of its own.

    Args:
        folder: where.
        graph: in float32.
        about: what the file says about itself.
        to: not "safetensors", which holds no graph.
        content: what `quantise` made, if that is to be written instead of the graph.

    Returns:
        The files; the one that is opened is the last.
    """
    path = folder / f"network{FORMATS[to]}"
    match to:
        case "onnx":
            onnx = needed("onnx", onnxruntime.EXTRA)
            if content is None:
                model = to_onnx(graph, about.to_metadata(), half=about.precision == "fp16")
            else:
                model = onnx.load_from_string(content)
                onnx.helper.set_model_props(model, about.to_metadata())
            path.write_bytes(model.SerializeToString())
            onnx.checker.check_model(str(path), full_check=True)
            return [path]
        case "openvino":
            model = openvino.read_model(graph) if content is None else content
            openvino.note(model, about.to_metadata())
            if about.precision == "bf16":
                # Through float16 they would be rounded twice, and small ones much: most of the error on Inception-ResNet-v1.
                openvino.hold_bf16(model)
            needed("openvino", openvino.EXTRA).save_model(model, str(path), compress_to_fp16=about.precision == "fp16")
            return [path.with_suffix(".bin"), path]
        case "torch-export":
            program = torch_exported.program(graph, about.precision)
            torch.export.save(program, str(path), extra_files=about.to_metadata())
            return [path]
        case "safetensors":
            raise AssertionError("a weight file holds no graph")


def answers(path: Path, images: NDArray[Any], at_once: int) -> dict[str, Array]:
    """What an exported file answers through its own runtime."""
    opened = open_exported(path, batch=at_once)
    parts = [opened.run(images[start : start + at_once]) for start in range(0, len(images), at_once)]
    return {head: np.concatenate([part[head] for part in parts]) for head in parts[0]}


def write_weights(folder: Path, network: Network, card: Card, precision: Precision) -> list[Path]:
    """Write a weight file of ours into a folder. Batch norms and biases, which are few, stay whole."""
    path = folder / f"network{FORMATS['safetensors']}"
    dtype = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    tensors = {
        name: tensor.to(dtype) if tensor.is_floating_point() and tensor.ndim > 1 else tensor
        for name, tensor in network.state_dict().items()
    }
    save_weights(path, tensors, card)
    return [path]


def weights_answers(path: Path, images: NDArray[Any], heads: tuple[str, ...], at_once: int) -> dict[str, Array]:
    """What a weight file of ours answers."""
    network, card = load_model(path)
    return network_answers(network, card, images, heads, at_once)


@torch.inference_mode()
def network_answers(
    network: Network, card: Card, images: NDArray[Any], heads: tuple[str, ...], at_once: int
) -> dict[str, Array]:
    """What the network itself answers, in float32.

    Args:
        network: in evaluation mode.
        card: how images are shown to it.
        images: RGB, 0 to 255, `[batch, height, width, 3]`.
        heads: whose logits.
        at_once: images in one pass.
    """
    found: dict[str, list[Array]] = {head: [] for head in heads}
    for start in range(0, len(images), at_once):
        batch = torch.from_numpy(entering(images[start : start + at_once], card.preprocess, pixels=False))
        logits: Mapping[str, torch.Tensor] = {"main": network(batch)} if heads == ("main",) else network.heads(batch)
        for head in heads:
            found[head].append(logits[head].numpy())
    return {head: np.concatenate(parts) for head, parts in found.items()}
