"""`inceptions predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from inceptions.cli.options import Flag, Whole
from inceptions.console import one_form


def predict(
    weights: Path,
    images: tuple[Path, ...],
    /,
    *,
    top: Whole = 5,
    head: str = "main",
    device: str = "auto",
    json: Flag = False,
    csv: Flag = False,
) -> None:
    """Say what is on photographs.

    A folder stands for all images in it, at any depth. Files in a folder that
    cannot be read are reported and passed over. A file given by name that
    cannot be read makes the command fail (3), after all other answers.

    Weights that were calibrated (`inceptions evaluate --calibrate`) say of an
    answer when it is not sure.

    For example:

      inceptions predict runs/photos-googlenet-1 cat.jpg
      inceptions predict runs/photos-googlenet-1 HOLIDAYS/ --top 1
      inceptions predict weights.safetensors HOLIDAYS/ --csv > answers.csv
      inceptions predict weights.safetensors cat.jpg --head best

    Args:
        weights: A run's folder (its best weights), or a weight file.
        images: Images, and folders of images.
        top: How many classes to name, the likeliest first.
        head: Who answers: main, an auxiliary head as aux_4a, mean of all heads, or best: for each image the surest head.
        device: auto, cpu, cuda, cuda:1 or mps.
        json: Print one JSON document instead of text.
        csv: Print a table for a spreadsheet instead of text.
    """
    from inceptions.predict import expand, load, predict_files

    one_form(json, csv)
    predictor = load(weights, device=device)
    form: Literal["text", "json", "csv"] = "json" if json else "csv" if csv else "text"
    predict_files(predictor, expand(images), top=top, head=head, form=form, out=sys.stdout)
