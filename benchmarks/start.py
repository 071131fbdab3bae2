"""From a cold process to the first answer for one JPEG: torchvision's shortest script and the command, process by process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image

from benchmarks.interleaved import Measured, in_turn
from inceptions.network import create_model
from inceptions.weights import Card, Preprocess, save_weights

SIZE = 299

SHORTEST = """
import sys
import torch, torchvision
from PIL import Image
model = torchvision.models.inception_v3(weights=None, init_weights=False)
model.load_state_dict(torch.load(sys.argv[1]))
show = torchvision.models.Inception_V3_Weights.IMAGENET1K_V1.transforms()
with torch.inference_mode():
    print(model.eval()(show(Image.open(sys.argv[2]))[None]).softmax(1).topk(5))
"""


def measure() -> Measured:
    """Inception-v3 with random weights, on a photograph of 500 × 375 pixels."""
    with tempfile.TemporaryDirectory() as folder:
        return _measured(Path(folder))


def _measured(folder: Path) -> Measured:
    photograph, theirs, ours = folder / "photograph.jpg", folder / "theirs.pth", folder / "ours.safetensors"
    coarse = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC).save(photograph, quality=90)
    torch.save(torchvision.models.inception_v3(weights=None, init_weights=False).state_dict(), theirs)
    model = create_model("inception_v3", seed=0)
    architecture = model.architecture
    card = Card(
        architecture=architecture.name,
        variant=architecture.variant,
        options=architecture.options,
        classes=tuple(f"class {i}" for i in range(1000)),
        preprocess=Preprocess(size=(SIZE, SIZE), resize_to=342),
    )
    save_weights(ours, model, card)
    systems: dict[str, Callable[[], object]] = {
        "torchvision's shortest script": partial(_run, "-c", SHORTEST, theirs, photograph),
        "inceptions, .safetensors": partial(_run, "-m", "inceptions", "predict", ours, photograph),
    }
    for form, ending in (("onnx", ".onnx"), ("openvino", ".xml")):
        file = ours.with_suffix(ending)
        _run("-m", "inceptions", "export", ours, "--to", form, "-o", file, "--with-preprocessing", "--quiet")
        systems[f"inceptions, {ending}"] = partial(_run, "-m", "inceptions", "predict", file, photograph)
    systems["inceptions --help"] = partial(_run, "-m", "inceptions", "--help")
    systems["import inceptions"] = partial(_run, "-c", "import inceptions")
    systems["python itself"] = partial(_run, "-c", "")
    return in_turn(
        "Cold start to the first answer for one JPEG (Inception-v3)", systems, 1, rounds=5, warmup=1, note="answers a second"
    )


def _run(*words: str | Path) -> None:
    subprocess.run([sys.executable, *map(str, words)], check=True, capture_output=True)
