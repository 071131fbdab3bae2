"""What a training image costs: our transform against the same one put together from torchvision's classes, on one core.

`python -m benchmarks.pixels FOLDER` measures with a folder's photographs.
"""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms as first
import torchvision.transforms.v2 as transforms
from PIL import Image
from torchvision.io import decode_jpeg

from benchmarks.interleaved import Measured, in_turn
from inceptions.data import Augment, find_images, normalise, training
from inceptions.data.decode import Facts, decode_pixels, facts
from inceptions.network.hardware import keep_memory
from inceptions.recipe import recipe
from inceptions.weights import Preprocess

IMAGES, SIDE = 64, 176


def measure() -> Measured:
    """Random crop to 128, flip, brightness, contrast and saturation of images whose shorter side is 176."""
    scratch = recipe("scratch")
    augment, size = scratch.augment, scratch.image_size
    images = [torch.randint(0, 256, (SIDE, SIDE + 3 * i % 90, 3), dtype=torch.uint8).permute(2, 0, 1) for i in range(IMAGES)]
    ours = training(augment, size)
    theirs = transforms.Compose(
        [
            transforms.RandomResizedCrop(size, scale=augment.crop_scale, ratio=augment.crop_ratio, antialias=True),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(augment.brightness, augment.contrast, augment.saturation),
        ]
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return in_turn(
            f"Training transform, {SIDE} to {size} pixels, one core",
            {
                "torchvision v2": lambda: [theirs(image) for image in images],
                "inceptions": lambda: ours.batch(zip(images, itertools.count())),
            },
            IMAGES,
        )
    finally:
        torch.set_num_threads(threads)


def measure_jpegs() -> Measured:
    """JPEGs of 500 × 375 pixels, grainier than most photographs (64 kB each): `measure_files`."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(IMAGES):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize((500, 375), Image.Resampling.BICUBIC)
        grainy = (np.asarray(coarse) + rng.normal(0, 12, (375, 500, 3))).clip(0, 255).astype(np.uint8)
        content = io.BytesIO()
        Image.fromarray(grainy).save(content, "JPEG", quality=85)
        files.append(content.getvalue())
    return measure_files(files, "JPEG of 500 × 375, 64 kB")


def measure_photographs(folder: Path, width: int = 500, height: int = 375) -> Measured:
    """A folder's first JPEGs whose size is nearly that: `measure_files`."""
    paths = (path for path in find_images(folder) if _alike(facts(path), width, height))
    files = [path.read_bytes() for path in itertools.islice(paths, IMAGES)]
    return measure_files(files, f"Photograph of about {width} × {height}, {sum(map(len, files)) / len(files) / 1000:.0f} kB")


def _alike(found: Facts, width: int, height: int) -> bool:
    return found.format == "JPEG" and abs(found.width - width) <= 2 and abs(found.height - height) <= 2


def measure_files(files: Sequence[bytes], title: str) -> Measured:
    """JPEGs decoded, random crop to 299, flip, brightness, contrast, saturation, normalised; a batch."""
    preprocess = Preprocess.standard(299)
    ours = training(Augment(crop_scale=(0.08, 1.0), brightness=0.4, contrast=0.4, saturation=0.4), 299)
    pillow = first.Compose(
        [
            first.RandomResizedCrop(299),
            first.RandomHorizontalFlip(),
            first.ColorJitter(0.4, 0.4, 0.4),
            first.ToTensor(),
            first.Normalize(preprocess.mean, preprocess.std),
        ]
    )
    tensors = transforms.Compose(
        [
            transforms.RandomResizedCrop(299, antialias=True),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.4, 0.4, 0.4),
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Normalize(preprocess.mean, preprocess.std),
        ]
    )

    def decoded(file: bytes, seed: int) -> tuple[torch.Tensor, int]:
        pixels = decode_pixels(file, at_least=partial(ours.at_least, seed=seed))
        return torch.from_numpy(pixels).permute(2, 0, 1), seed

    def of_ours() -> torch.Tensor:
        return normalise(ours.batch(decoded(file, seed) for seed, file in enumerate(files)), preprocess)

    keep_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return in_turn(
            f"{title}, to a training batch of 299, one core",
            {
                "torchvision, Pillow": lambda: torch.stack([pillow(Image.open(io.BytesIO(file))) for file in files]),
                "torchvision v2, tensors": lambda: torch.stack(
                    [tensors(decode_jpeg(torch.frombuffer(bytearray(file), dtype=torch.uint8))) for file in files]
                ),
                "inceptions": of_ours,
                "decoding alone, Pillow": lambda: [Image.open(io.BytesIO(file)).load() for file in files],
                "decoding alone, ours": lambda: [decode_pixels(file).shape for file in files],
            },
            len(files),
            note="freed memory is kept, as training does, for all",
        )
    finally:
        torch.set_num_threads(threads)


def main() -> None:
    """`python -m benchmarks.pixels FOLDER [WIDTH HEIGHT]`: a folder's photographs."""
    folder, *size = sys.argv[1:]
    measured = measure_photographs(Path(folder), *map(int, size))
    measured.show()


if __name__ == "__main__":
    main()
