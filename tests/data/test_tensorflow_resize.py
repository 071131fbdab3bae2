"""TensorFlow's bilinear resize, by which the Inception of 2015 sees, and so every Fréchet distance, against TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inceptions.data import evaluation
from inceptions.weights import Preprocess

# (height, width) of an image and of what the network sees: larger, smaller, other aspects, whole factors, single pixels.
CASES = [
    *(((40, 60), (299, 299)), ((640, 480), (299, 299)), ((299, 299), (299, 299)), ((598, 299), (299, 299))),
    *(((1, 1), (8, 8)), ((1, 9), (5, 7)), ((37, 53), (31, 17)), ((64, 64), (128, 96)), ((300, 298), (299, 299))),
]

THEIRS = """
import sys
import numpy as np
import tensorflow as tf

given, found = np.load(sys.argv[1]), {}
for name in given:
    if name.endswith("/image"):
        case = name.removesuffix("/image")
        image, size = tf.constant(given[name][None]), given[f"{case}/size"]
        found[f"{case}/corners"] = tf.compat.v1.image.resize_bilinear(image, size, align_corners=False).numpy()[0]
        found[f"{case}/centres"] = tf.image.resize(image, size, "bilinear", antialias=False).numpy()[0]
np.savez(sys.argv[2], **found)
"""


@pytest.mark.slow
def test_resizing_is_tensorflows(tmp_path: Path) -> None:
    """TensorFlow 1's corners to a thousandth of a grey level; the centres, which round as PyTorch's do, to a hundredth."""
    chance = np.random.default_rng(0)
    images = {f"{i}": chance.integers(256, size=(*shape, 3), dtype=np.uint8) for i, (shape, _) in enumerate(CASES)}
    given = {f"{name}/image": image for name, image in images.items()}
    given |= {f"{i}/size": np.array(size, np.int32) for i, (_, size) in enumerate(CASES)}
    np.savez(tmp_path / "given.npz", **given)
    done = subprocess.run(
        [sys.executable, "-c", THEIRS, tmp_path / "given.npz", tmp_path / "found.npz"],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "found.npz") as found:
        for i, (_, size) in enumerate(CASES):
            for sampling, atol in (("corners", 1e-3), ("centres", 1e-2)):
                preprocess = Preprocess(size=size, resize="exact", sampling=sampling, mean=(0.5,) * 3, std=(0.5,) * 3)
                ours = evaluation(preprocess)(Image.fromarray(images[f"{i}"])).permute(1, 2, 0).float().numpy()
                np.testing.assert_allclose(ours, found[f"{i}/{sampling}"], atol=atol, rtol=0, err_msg=f"{CASES[i]} {sampling}")
