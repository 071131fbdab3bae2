"""The most memory that a system needs to answer: each in a fresh process, from the weight file to the last of some batches.

What is measured is `VmHWM` of Linux: the largest part of the process that was in memory at once, its libraries included.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from inceptions.deploy.bench.unmodified import theirs
from inceptions.network import Network
from inceptions.weights import Card, Preprocess, save_weights

CALLS = 3
PATIENCE = 900.0
"""Seconds; torch's compiler takes minutes."""

START = "import json, sys\nasked = json.loads(sys.argv[1])\n"
TORCH = """
import torch
if asked["threads"]: torch.set_num_threads(asked["threads"])
images = torch.randn(*asked["shape"])
"""
THEIRS = """
if asked["package"] == "torchvision":
    import torchvision
    options = {"num_classes": asked["classes"], "init_weights": False, "aux_logits": False, "transform_input": False}
    model = torchvision.models.get_model(asked["network"], weights=None, **options)
else:
    import timm
    model = timm.create_model(asked["network"], pretrained=False, num_classes=asked["classes"])
model.load_state_dict(torch.load(asked["file"]), strict=False)
model.eval()
"""
ASK = """
layout = torch.channels_last if asked["last"] else torch.contiguous_format
dtype = getattr(torch, asked["dtype"])
if asked["last"]: model = model.to(dtype=dtype, memory_format=layout)
if asked["frozen"]:
    import torch._inductor.config
    torch._inductor.config.freezing = True
    model = torch.compile(model)
with torch.inference_mode():
    for _ in range(asked["calls"]): model(images.contiguous(memory_format=layout).to(dtype)).float().numpy()
"""
OURS_PLAIN = """
import inceptions
model, _ = inceptions.load_model(asked["file"])
"""
OURS = """
import inceptions
model, _ = inceptions.load_model(asked["file"])
fast = inceptions.compile(
    model,
    engine=asked["engine"],
    precision=asked["precision"],
    batch=asked["shape"][0],
    size=tuple(asked["shape"][2:]),
    threads=asked["threads"],
)
del model
for _ in range(asked["calls"]): fast(images)
"""
WITHOUT_TORCH = """
import numpy as np
images = np.random.default_rng(0).normal(size=asked["shape"]).astype(np.float32)
"""
ONNXRUNTIME = """
import onnxruntime
options = onnxruntime.SessionOptions()
if asked["threads"]: options.intra_op_num_threads = asked["threads"]
session = onnxruntime.InferenceSession(asked["file"], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
for _ in range(asked["calls"]): session.run(None, {name: images})
"""
OPENVINO = """
import openvino
core = openvino.Core()
model = core.read_model(asked["file"])
settings = {"INFERENCE_PRECISION_HINT": asked["hint"], "PERFORMANCE_HINT": asked["goal"]}
if asked["threads"]: settings["INFERENCE_NUM_THREADS"] = asked["threads"]
model.reshape([asked["piece"], *asked["shape"][1:]])
compiled = core.compile_model(model, "CPU", settings)
piece = asked["piece"]
requests = [compiled.create_infer_request() for _ in range(len(images) // piece)]
for _ in range(asked["calls"]):
    for number, request in enumerate(requests):
        request.set_input_tensor(openvino.Tensor(images[number * piece : (number + 1) * piece], shared_memory=True))
        request.start_async()
    for request in requests: request.wait()
"""
END = """
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
SCRIPTS = {
    "theirs": START + TORCH + THEIRS + ASK + END,
    "plain": START + TORCH + OURS_PLAIN + ASK + END,
    "ours": START + TORCH + OURS + END,
    "onnxruntime": START + WITHOUT_TORCH + ONNXRUNTIME + END,
    "openvino": START + WITHOUT_TORCH + OPENVINO + END,
}


@dataclass(frozen=True, slots=True)
class Alone:
    """A system as a script of its own.

    Attributes:
        script: one of `SCRIPTS`.
        asked: what it is told, besides the file and the images' shape.
    """

    script: str
    asked: dict[str, Any]

    def peak(self, file: Path, shape: Sequence[int]) -> int | None:
        """Bytes at most; None where the system does not say, or the script fails.

        Args:
            file: what it reads.
            shape: `[batch, channels, height, width]` of what it is shown.
        """
        usual = {"calls": CALLS, "frozen": False, "last": False, "dtype": "float32"}
        told = json.dumps({**usual, **self.asked, "file": str(file), "shape": list(shape)})
        words = [sys.executable, "-W", "ignore", "-c", SCRIPTS[self.script], told]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
            return 1024 * int(done.stdout.split()[-1]) if done.returncode == 0 else None
        except (subprocess.TimeoutExpired, ValueError, IndexError):
            return None


class Files:
    """A network's weights in the form that each script reads, in a folder that is there while this is used as a context.

    Args:
        network: ours, without auxiliary heads.
        size: (height, width) of its images.
        content: of the peers' ONNX file.
    """

    def __init__(self, network: Network, size: tuple[int, int], content: bytes) -> None:
        self._network = network
        self._size = size
        self._content = content
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def peak(self, alone: Alone, batch: int) -> int | None:
        """Bytes at most of a script with this network."""
        options = self._network.architecture.options
        about = {"network": self._network.architecture.name, "classes": options.classes}
        shape = (batch, options.in_channels, *self._size)
        return Alone(alone.script, {**about, **alone.asked}).peak(self._file(alone), shape)

    def _file(self, alone: Alone) -> Path:
        package = str(alone.asked.get("package", ""))
        name = {"theirs": f"{package}.pth", "onnxruntime": "net.onnx", "openvino": "net.onnx"}.get(
            alone.script, "net.safetensors"
        )
        path = Path(self._folder.name) / name
        if path.exists():
            return path
        architecture = self._network.architecture
        match alone.script:
            case "theirs":
                torch.save(theirs(self._network, package).state_dict(), path)
            case "onnxruntime" | "openvino":
                path.write_bytes(self._content)
            case _:
                card = Card(
                    architecture=architecture.name,
                    variant=architecture.variant,
                    options=architecture.options,
                    classes=tuple(f"class {i}" for i in range(architecture.options.classes)),
                    preprocess=Preprocess(size=self._size, resize_to=max(self._size)),
                )
                save_weights(path, self._network, card)
        return path
