"""`inceptions predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from inceptions.cli.options import Engine, EnginePrecision, Flag, Whole
from inceptions.console import one_form, show, stoppable
from inceptions.errors import UsageError


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
    on: Literal["here", "ray"] = "here",
    workers: Whole | None = None,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    json: Flag = False,
    csv: Flag = False,
    quiet: Flag = False,
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
      inceptions predict model.onnx ARCHIVE/ -o answers.csv
      inceptions predict model.onnx 'shards/{000..146}.tar' --on ray -o answers.jsonl

    A file of `inceptions export` (.onnx, .xml, .pt2) is run by the engine it
    was written for. Others than torch.export's start without torch, several
    times sooner.

    A .tar is read as a shard: every image in it is one, labels are passed
    over. Many images are best answered into a file with --output: answers
    are kept piece by piece, a run that was stopped goes on when it is called
    again, and the file gets its name when it is complete.

    With --on ray, workers answer: on this machine's cores, or on the cluster
    that the variable RAY_ADDRESS names, whose machines must see images and
    weights under the same paths. The rows are those of a run without it.

    Args:
        weights: A run's folder (its best weights), a weight file, or an exported file.
        images: Images, tar shards, and folders of images or of shards.
        top: How many classes to name, the likeliest first.
        head: Who answers: main, an auxiliary head as aux_4a, mean of all heads, or best: for each image the surest head.
        device: auto, cpu, cuda, cuda:1 or mps: where torch computes.
        engine: auto (the fastest), eager, compiled, openvino, onnxruntime, cuda, … [default: torch as it is; of a file its own]
        precision: What an engine computes in; auto leaves it to the engine.
        scaled_decoding: Decode large JPEGs at a part of their size: sooner, and 0.2 of 255 beside what is exact in the mean.
        on: here, or ray: by workers on the cores of this machine or a cluster.
        workers: With --on ray: how many [default: one for each core, or for each GPU if torch computes]
        output: Write the answers into this file (.csv, .jsonl or .json) and go on where an earlier run stopped.
        json: Print one JSON document instead of text; with --output, what was written.
        csv: Print a table for a spreadsheet instead of text.
        quiet: No progress, where there is any: with --output and --on ray.
    """
    from inceptions.predict.output import expand, predict_files
    from inceptions.predict.predictor import BATCH

    one_form(json, csv)
    if csv and output is not None:
        raise UsageError("--csv prints, and --output writes, in the form that the file's name ends in: name one of them.")
    if workers is not None and on != "ray":
        raise UsageError("--workers goes with --on ray.")
    form: Literal["text", "json", "csv"] = "json" if json else "csv" if csv else "text"
    sources = expand(images)
    batch = BATCH if any(source.is_shard for source in sources) else min(len(sources), BATCH)
    if on == "ray" or output is not None:
        from inceptions.deploy.spread import Question, show_all, write
        from inceptions.train.progress import reporter

        question = Question(
            weights=str(weights),
            base=Path.cwd(),
            top=top,
            head=head,
            device=device,
            engine=engine,
            precision=precision,
            scaled_decoding=scaled_decoding,
            batch=batch,
        )
        with stoppable(), reporter(quiet=quiet) as progress:
            if output is None:
                seen = show_all(question, sources, sys.stdout, form=form, on=on, workers=workers, progress=progress)
            else:
                report, seen = write(question, sources, output, on=on, workers=workers, progress=progress)
        if output is not None and json:
            show(report.to_dict())
        elif output is not None:
            print(report.text())
        seen.check()
        return
    from inceptions.deploy.opening import load

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
    predict_files(predictor, sources, top=top, head=head, form=form, out=sys.stdout)
