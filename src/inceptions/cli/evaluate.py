"""`inceptions evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path

from inceptions.cli.options import Flag, Precision, Workers
from inceptions.console import show


def evaluate(
    weights: Path,
    data: Path | None = None,
    /,
    *,
    workers: Workers = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Measure weights on labelled photographs.

    The folder holds one folder of images for every class, named as the classes
    of the weights, or a validation/, val/ or test/ with such folders. Without
    a folder, a run is measured on the images it held out itself.

    For example:

      inceptions evaluate runs/photos-googlenet-1
      inceptions evaluate runs/photos-googlenet-1 OTHER_PHOTOS/
      inceptions evaluate weights.safetensors OTHER_PHOTOS/ --json

    Args:
        weights: A run's folder (its best weights), or a weight file.
        data: Folder of labelled photographs.
        workers: Processes that prepare images.
        device: auto, cpu, cuda, cuda:1 or mps.
        precision: auto: bf16 where the hardware is faster with it, else fp32.
        json: Print one JSON document instead of text.
        quiet: No progress.
    """
    from inceptions.data import open_evaluation
    from inceptions.evaluate import evaluate as score
    from inceptions.evaluate import own_images, write_text
    from inceptions.train import reporter
    from inceptions.weights import load_model

    network, card = load_model(weights)
    images = own_images(weights) if data is None else open_evaluation(data, card.classes)
    with reporter(quiet=quiet) as progress:
        for note in images.notes:
            progress.say(note)
        scored = score(network, card, images, workers=workers, device=device, precision=precision, reporter=progress)
    if json:
        show(scored.to_dict())
    else:
        write_text(scored, sys.stdout)
