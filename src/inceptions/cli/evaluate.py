"""`inceptions evaluate`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from inceptions.cli.options import Engine, EnginePrecision, Flag, Whole, Workers
from inceptions.cli.train import said_once
from inceptions.console import show
from inceptions.errors import UsageError


def evaluate(
    paths: Annotated[tuple[str, ...], Parameter(name="WEIGHTS… [DATA]")],
    /,
    *,
    crops: str = "1",
    scales: str | None = None,
    size: Whole | None = None,
    average: Literal["probabilities", "logits"] = "probabilities",
    votes: str | None = None,
    heads: Flag = False,
    compare: Flag = False,
    sheet: Path | None = None,
    calibrate: Flag = False,
    precision_wanted: float | None = None,
    workers: Workers = "auto",
    device: str = "auto",
    engine: Engine | None = None,
    precision: EnginePrecision = "auto",
    no_cache: Flag = False,
    csv: Path | None = None,
    report: Path | None = None,
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Measure weights on labelled photographs.

    Weights are a run's folder (its best weights), a weight file, or the folder
    of an ensemble, which stands for its models. Several are measured alone and
    together, by the mean of their probabilities.

    The data come last: a folder that holds one folder of images for every
    class, named as the classes of the weights, or a validation/, val/ or test/
    with such folders. Without data, runs are measured on the images that they
    held out themselves. The last of several words names data unless it can
    only mean weights: the folder of a run or an ensemble, or a file that ends
    as weight files do.

    For example:

      inceptions evaluate runs/photos-googlenet-1
      inceptions evaluate runs/photos-googlenet-1 OTHER_PHOTOS/
      inceptions evaluate weights.safetensors OTHER_PHOTOS/ --crops 144
      inceptions evaluate runs/a runs/b runs/c PHOTOS/
      inceptions evaluate runs/a runs/b runs/c PHOTOS/ --crops 1,10,144
      inceptions evaluate runs/a runs/b PHOTOS/ --compare --sheet changed.png
      inceptions evaluate runs/a --calibrate --precision-wanted 0.98
      inceptions evaluate runs/a OTHER_PHOTOS/ --report other.html

    Several processes, one for each GPU, share the images when they are
    launched so: torchrun --nproc-per-node 2 -m -- inceptions evaluate …

    Answers are kept in the user's cache folder: asking again costs nothing,
    and one more model costs only that model.

    Args:
        paths: Weights, and at the end the data.
        crops: How an image is shown: 1 as the weight file says, 10, 12, 144 (GoogLeNet's), full (whole). Several: a table.
        scales: Shorter sides of the resized image, as 256,288 [default: the published ones, in proportion to the size]
        size: Side of what the network sees, in pixels [default: the weight file's]
        average: What is averaged over crops and models.
        votes: Weight of each model, as 1,1,2 [default: all equal]
        heads: Measure each auxiliary head too, the mean of all, and for each image the surest one.
        compare: Compare two models: which answers changed, and whether that may be chance.
        sheet: With --compare, draw the images that changed into this PNG.
        calibrate: Fit a temperature and a threshold, and write them into the weight file.
        precision_wanted: With --calibrate, share of the sure answers that is to be right [default: 0.95]
        workers: Threads that prepare images.
        device: auto, cpu, cuda, cuda:1 or mps.
        engine: What computes, if not torch as it is: auto, eager, compiled, openvino, onnxruntime, cuda or cuda-compiled.
        precision: auto: bf16 where the hardware is faster with it, else fp32; of an engine or an exported file, as fits it.
        no_cache: Ask the networks, whatever is kept, and keep nothing.
        csv: Write the answer to every image into this file.
        report: Write everything, with pictures of the surest mistakes, on one page into this file.
        json: Print one JSON document instead of text.
        quiet: No progress.
    """
    from inceptions import evaluate as room
    from inceptions.deploy.opening import opener
    from inceptions.predict.explain import pairs
    from inceptions.train import Silent, reporter

    modes = {"--compare": compare, "--calibrate": calibrate, "a table of several --crops": "," in crops}
    chosen = [mode for mode, wanted in modes.items() if wanted]
    if len(chosen) > 1:
        raise UsageError(f"{chosen[0]} and {chosen[1]} exclude each other: ask for one after the other.")
    if chosen and (heads or csv is not None or report is not None):
        raise UsageError(f"--heads, --csv and --report go with a plain evaluation, not with {chosen[0]}.")
    if (sheet is not None and not compare) or (precision_wanted is not None and not calibrate):
        raise UsageError("--sheet goes with --compare, and --precision-wanted with --calibrate.")
    if votes is not None and (compare or calibrate):
        raise UsageError(f"--votes goes with several models that answer together, not with {chosen[0]}.")
    protocols = room.protocols(crops, scales=scales or "", size=size, average=average)
    shares = room.numbers("--votes", votes or "")
    share = 0.95 if precision_wanted is None else precision_wanted
    if report is not None:
        room.check_name(report)
    weights, data = room.sorted_out(paths)
    on_torch = "auto" if precision == "int8" else precision
    began = time.monotonic()
    found: room.Evaluation | room.Table | room.Comparison | room.Fitted
    with reporter(quiet=quiet) as bars, said_once(), room.joined(device=device, precision=on_torch) as team:
        progress = bars if team is None or team.leads else Silent()
        opening = opener(engine=engine, precision=precision, device=device, every_head=heads, say=progress.say)
        models, images = room.opened_by_all(team, weights, data, opening)
        explain = None if report is None else pairs(models[0].network, models[0].card, device=device)
        for note in images.notes:
            progress.say(note)
        cache = None if no_cache else room.default_cache()
        asker = room.Asker(workers=workers, device=device, precision=on_torch, reporter=progress, cache=cache, team=team)
        if len(protocols) > 1:
            found = room.tabulate(models, images, asker, protocols=protocols, votes=shares)
        elif calibrate:
            found = room.calibrate(models, images, asker, protocol=protocols[0], precision_wanted=share)
        elif compare:
            found = room.compare(models, images, asker, protocol=protocols[0], sheet=sheet)
        else:
            found = room.evaluate_models(models, images, asker, protocol=protocols[0], heads=heads, votes=shares)
            if csv is not None and asker.leads:
                room.write_csv(found, images, csv)
            if report is not None and explain is not None and asker.leads:
                room.write_evaluation_report(
                    report,
                    found,
                    images,
                    models,
                    data=data,
                    protocol=protocols[0],
                    votes=shares,
                    seconds=time.monotonic() - began,
                    explain=explain,
                )
    if not asker.leads:
        return
    if json:
        show(found.to_dict())
    else:
        room.write_text(found, sys.stdout)
