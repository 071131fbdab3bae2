"""A few held-out images as files, for data that has none: something to try a fresh network on."""

from __future__ import annotations

import io
import re
from pathlib import Path

from inceptions.data import Images, Splits
from inceptions.files import write_bytes

SAMPLES = "samples"


def an_image(splits: Splits, run: Path) -> Path:
    """A validation image as a file: the first of a folder's, or one of those written into the run."""
    if splits.where is not None:
        return splits.where / splits.validation.names[0]
    return write_samples(splits.validation, splits.classes, run / SAMPLES)[-1]


def write_samples(images: Images, classes: tuple[str, ...], folder: Path) -> list[Path]:
    """Write the first image of each class as `folder/CLASS.png`, pixel for pixel.

    Raises:
        MachineError: they cannot be written.
    """
    written = []
    for label, name in enumerate(classes):
        if label not in images.labels:
            continue
        content = io.BytesIO()
        images.open(list(images.labels).index(label)).save(content, format="PNG")
        # Names of classes come from data sets; they may hold a slash.
        path = folder / (re.sub(r"[^\w ,.-]+", "_", name)[:100] + ".png")
        write_bytes(path, content.getvalue())
        written.append(path)
    return written
