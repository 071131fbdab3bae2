"""A folder of JPEGs: what `predict` and `evaluate` reach of the bare engine, and of the decoder, in the same rounds.

`python -m benchmarks.folder FOLDER` measures with photographs that are there, in a folder for each class.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.interleaved import Measured, in_turn
from inceptions.data import decode, find_images, open_evaluation, showing
from inceptions.data.scan import decoding_threads
from inceptions.deploy.compile import compile
from inceptions.evaluate.answers import ask
from inceptions.network import create_model
from inceptions.predict import Predictor
from inceptions.predict.predictor import BATCH
from inceptions.weights import Card, Preprocess

PHOTOGRAPHS, WIDTH, HEIGHT = 1000, 500, 375


def measure(name: str = "inception_v3") -> Measured:
    """Grainy photographs of 500 × 375 pixels on a network with random weights, on the fastest engine that answers alike."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        for i in range(PHOTOGRAPHS):
            coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
            grain = rng.normal(0, 12, (HEIGHT, WIDTH, 3))
            photograph = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)) + grain
            folder = Path(place, f"class {i % 2}")
            folder.mkdir(exist_ok=True)
            Image.fromarray(photograph.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.jpg", quality=85)
        return measure_folder(Path(place), name)


def measure_folder(folder: Path, name: str = "inception_v3") -> Measured:
    """The photographs of a folder with a folder for each class."""
    classes = tuple(sorted(part.name for part in folder.iterdir() if part.is_dir()))
    model = create_model(name, num_classes=len(classes), seed=0).eval()
    architecture = model.architecture
    preprocess = Preprocess.standard(architecture.input_size[0])
    card = Card(
        architecture=architecture.name,
        variant=architecture.variant,
        options=architecture.options,
        classes=classes,
        preprocess=preprocess,
    )
    engine = compile(model, batch=BATCH, preprocess=preprocess)
    predictor, show = Predictor(engine, card), showing(preprocess)
    files, images = find_images(folder), open_evaluation(str(folder), classes)
    shown = np.stack([show(decode(file)) for file in files])

    def bare() -> None:
        for start in range(0, len(shown), BATCH):
            engine.pixels(shown[start : start + BATCH])

    def decoder() -> None:
        with ThreadPoolExecutor(decoding_threads()) as pool:
            for _ in pool.map(lambda file: show(decode(file)), files):
                pass

    return in_turn(
        f"{len(files)} photographs through {name}, {engine.computed_in}",
        {
            "bare engine, pixels in memory": bare,
            "predict FOLDER": lambda: list(predictor.stream(files)),
            "evaluate": lambda: ask(engine, preprocess, images),
            "decoding and resizing alone, all cores": decoder,
        },
        len(files),
        rounds=5,
        warmup=1,
        note="predict and evaluate decode, resize and compute on the same cores",
    )


def main() -> None:
    """`python -m benchmarks.folder FOLDER [NETWORK]`: photographs that are there."""
    folder, *name = sys.argv[1:]
    measured = measure_folder(Path(folder), *name)
    measured.show()


if __name__ == "__main__":
    main()
