"""`inceptions predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from inceptions.cli.options import Engine, EnginePrecision, Flag, Whole
from inceptions.console import one_form


def predict(
    weights: Path,
    images: tuple[Path, ...],
    /,
    *,
    top: Whole = 5,
    head: str = "main",
    device: str = "auto",
    engine: Engine | None = None,
    precision: EnginePrecision = "auto",
    scaled_decoding: Flag = False,
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
      inceptions predict weights.safetensors HOLIDAYS/ --engine auto
      inceptions predict model.onnx cat.jpg

    A file of `inceptions export` (.onnx, .xml, .pt2) is run by the engine it
    was written for. Others than torch.export's start without torch, several
    times sooner.

    Args:
        weights: A run's folder (its best weights), a weight file, or an exported file.
        images: Images, and folders of images.
        top: How many classes to name, the likeliest first.
        head: Who answers: main, an auxiliary head as aux_4a, mean of all heads, or best: for each image the surest head.
        device: auto, cpu, cuda, cuda:1 or mps: where torch computes.
        engine: auto (the fastest here), eager, compiled, openvino or onnxruntime [default: torch as it is; of a file its own]
        precision: What an engine computes in; auto leaves it to the engine.
        scaled_decoding: Decode large JPEGs at a part of their size: sooner, and 0.2 of 255 beside what is exact in the mean.
        json: Print one JSON document instead of text.
        csv: Print a table for a spreadsheet instead of text.
    """
    from inceptions.deploy.opening import load
    from inceptions.predict.output import expand, predict_files
    from inceptions.predict.predictor import BATCH

    one_form(json, csv)
    sources = expand(images)
    batch = min(len(sources), BATCH)
    predictor = load(
        weights,
        device=device,
        engine=engine,
        precision=precision,
        batch=batch,
        every_head=head != "main",
        scaled_decoding=scaled_decoding,
        say=lambda note: print(note, file=sys.stderr),
    )
    form: Literal["text", "json", "csv"] = "json" if json else "csv" if csv else "text"
    predict_files(predictor, sources, top=top, head=head, form=form, out=sys.stdout)
