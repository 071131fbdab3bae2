"""`inceptions train`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inceptions.cli.options import Flag, Precision, Whole, Workers
from inceptions.console import show


def train(
    data: str | None = None,
    /,
    *,
    model: str | None = None,
    variant: str | None = None,
    recipe: str | None = None,
    run: Path | None = None,
    resume: Flag = False,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", show_default=False)] = (),
    epochs: Whole | None = None,
    seed: Whole | None = None,
    width: float | None = None,
    depth: float | None = None,
    workers: Workers = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Train a network on a folder of photographs.

    The folder holds train/ and validation/ (or val/, test/), each with one
    folder of images for every class; or just one folder for every class, and
    a fifth of its images is held out. Without a folder it trains on the
    handwritten digits inside scikit-learn: a minute or two, no download.

    A run has a folder of its own, with recipe.toml, metrics.jsonl, plots,
    report.html and weights.safetensors, the weights of its best epoch. After
    Ctrl-C or a crash it goes on with --resume as if nothing had happened.

    For example:

      inceptions train
      inceptions train PHOTOS/
      inceptions train PHOTOS/ --model plain_cnn --recipe tutorial
      inceptions train PHOTOS/ --epochs 30 --set optim.lr=0.001
      inceptions train --resume

    Args:
        data: Folder of photographs; the built-in digits if left out.
        model: Network, one of `inceptions models` [default: googlenet]
        variant: Which of the networks of that name [default: the first]
        recipe: scratch, tutorial or digits [default: scratch for a folder]
        run: Folder of the run [default: runs/DATA-MODEL-NUMBER]
        resume: Go on with the run in --run, or with the newest unfinished one.
        set_: Set a field of the recipe, FIELD=VALUE; may be repeated. A run's recipe.toml shows them all.
        epochs: Passes over the images; short for --set epochs=…
        seed: Of everything random; short for --set seed=…
        width: Factor on the number of filters [default: 1]
        depth: Factor on the number of modules [default: 1]
        workers: Processes that prepare images.
        device: auto, cpu, cuda, cuda:1 or mps.
        precision: auto: bf16 where the hardware is faster with it, else fp32.
        json: Print one JSON document instead of text.
        quiet: No progress.
    """
    from inceptions.data import open_data
    from inceptions.evaluate import evaluate as score
    from inceptions.evaluate import percent, write_report
    from inceptions.predict import an_image
    from inceptions.train import clock, job, read_manifest, reporter
    from inceptions.train import train as run_training
    from inceptions.weights import load_model

    short = {"epochs": epochs, "seed": seed}
    asked = job(
        data=data,
        recipe=recipe,
        settings=(*set_, *(f"{name}={value}" for name, value in short.items() if value is not None)),
        model=model,
        variant=variant,
        width=width,
        depth=depth,
        run=run,
        resume=resume,
    )
    splits = open_data(asked.data, seed=asked.recipe.seed)
    with reporter(quiet=quiet) as progress:
        outcome = run_training(
            splits,
            asked.recipe,
            run=asked.run,
            model=asked.model,
            variant=asked.variant,
            width=asked.width,
            depth=asked.depth,
            resume=resume,
            device=device,
            precision=precision,
            workers=workers,
            reporter=progress,
        )
        network, card = load_model(outcome.run)
        used = read_manifest(outcome.run).precision
        scored = score(network, card, splits.validation, workers=workers, device=device, precision=used, reporter=progress)
    report = write_report(outcome.run, scored)
    image = an_image(splits, outcome.run)
    if json:
        best = {"epoch": outcome.best_epoch, "accuracy": outcome.accuracy, "loss": outcome.loss}
        speed = {"seconds": outcome.seconds, "images_per_second": outcome.images_per_second}
        show({"run": str(outcome.run), "best": best, **speed, "report": str(report)})
        return
    folder = shlex.quote(str(outcome.run))
    print(
        f"accuracy  {percent(outcome.accuracy)} of {scored.n:,} held-out images, after epoch {outcome.best_epoch} of "
        f"{asked.recipe.epochs} ({clock(outcome.seconds)})\n"
        f"run       {outcome.run}\n"
        f"report    {report}\n"
        f"next      inceptions predict {folder} {shlex.quote(str(image))}\n"
        f"          inceptions evaluate {folder}"
    )
