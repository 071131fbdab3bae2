"""Evaluation with 144 crops, from files to scores, against the bare forward passes of as many crops that wait in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.interleaved import Measured, in_turn
from inceptions.data import Files, normalise
from inceptions.evaluate.answers import ask, autocasting
from inceptions.evaluate.protocol import Protocol
from inceptions.network import create_model
from inceptions.train.machine import choose_device, choose_precision
from inceptions.weights import Preprocess

PREPROCESS = Preprocess.standard(224)
# Views in a pass, and photographs: on the CPU one, so that a round takes seconds.
BATCH, IMAGES = {"cpu": 36, "cuda": 144}, {"cpu": 1, "cuda": 64}
HEIGHT, WIDTH = 375, 500


def measure() -> Measured:
    """GoogLeNet on photographs of ImageNet's usual size, as JPEG; where there is a GPU, on it."""
    device = choose_device()
    precision = choose_precision("auto", device)
    batch, images = BATCH[device.type], IMAGES[device.type]
    network = create_model("googlenet", seed=0).eval().to(device=device, memory_format=torch.channels_last)
    ready = torch.randint(0, 256, (batch, 224, 224, 3), dtype=torch.uint8).permute(0, 3, 1, 2).to(device)
    autocast = autocasting(precision, device)

    @torch.inference_mode()
    def bare() -> None:
        for _ in range(images * 144 // batch):
            with autocast():
                answer = network(normalise(ready, PREPROCESS))
        answer.float().sum().item()  # waits for all of them

    with tempfile.TemporaryDirectory() as folder:
        files = photographs(Path(folder), images)
        return in_turn(
            f"GoogLeNet, 144 crops of 224×224 of {images} photographs, batch {batch}, {precision} on {device.type}",
            {
                "bare forward": bare,
                "inceptions evaluate": lambda: ask(
                    network, PREPROCESS, files, protocol=Protocol(crops="144"), batch_size=batch, device=device.type
                ),
            },
            images,
        )


def photographs(folder: Path, n: int) -> Files:
    """Smooth noise as JPEG files: of the size and about the weight of photographs."""
    chance = np.random.default_rng(0)
    for i in range(n):
        coarse = Image.fromarray(chance.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8))
        coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(folder / f"{i}.jpg", quality=92)
    return Files(folder, tuple(f"{i}.jpg" for i in range(n)), (0,) * n)
