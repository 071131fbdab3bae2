"""`inceptions train`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from inceptions.cli.options import Batch, Flag, Precision, Whole, Workers
from inceptions.console import show, stoppable
from inceptions.errors import InceptionsError

if TYPE_CHECKING:
    from inceptions.data import Splits
    from inceptions.train import Ensemble, Outcome, RangeTest, Reporter


@stoppable()
def train(
    data: str | None = None,
    /,
    *,
    model: str | None = None,
    variant: str | None = None,
    recipe: str | None = None,
    weights: str | None = None,
    preprocess: str | None = None,
    run: Path | None = None,
    resume: Flag = False,
    accept_changes: Flag = False,
    dry_run: Flag = False,
    find_lr: Flag = False,
    ensemble: Whole | None = None,
    recipes: Flag = False,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", show_default=False)] = (),
    epochs: Whole | None = None,
    seed: Whole | None = None,
    balance: Literal["none", "loss", "sampler"] | None = None,
    batch: Batch | None = None,
    width: float | None = None,
    depth: float | None = None,
    workers: Workers = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    recompute: Flag = False,
    compile_: Annotated[Flag, Parameter(name="--compile")] = False,
    track: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    ignore: Path | None = None,
    strict_split: Flag = False,
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Train a network on a folder of photographs.

    The folder holds train/ and validation/ (or val/, test/), each with one
    folder of images for every class; or just one folder for every class, and
    a fifth of its images is held out. DATA may also be tar shards, as in
    'shards/train-{000..146}.tar', parquet files, or hf-dataset:OWNER/NAME of
    the Hugging Face Hub. Without a folder it trains on the handwritten digits
    inside scikit-learn: a minute or two, no download.

    A run has a folder of its own, with recipe.toml, metrics.jsonl, plots,
    report.html and weights.safetensors, the weights of its best epoch. After
    Ctrl-C or a crash it goes on with --resume as if nothing had happened.

    For example:

      inceptions train
      inceptions train PHOTOS/
      inceptions train PHOTOS/ --weights FILE
      inceptions train PHOTOS/ --model plain_cnn --recipe tutorial
      inceptions train PHOTOS/ --epochs 30 --set optim.lr=0.001
      inceptions train PHOTOS/ --recipe googlenet_2014 --ensemble 7
      inceptions train --recipes
      inceptions train PHOTOS/ --dry-run
      inceptions train PHOTOS/ --find-lr
      inceptions train --resume

    Several processes, one for each GPU, train one run together when they are
    launched so: torchrun --nproc-per-node 2 -m -- inceptions train PHOTOS/ …

    Args:
        data: Folder of photographs; the built-in digits if left out.
        model: Network, one of `inceptions models` [default: the recipe's, or googlenet]
        variant: Which of the networks of that name [default: the first]
        recipe: One of --recipes [default: scratch for a folder, finetune with --weights]
        weights: Start from the weights in this file or run's folder; they decide the network.
        preprocess: How images are shown to the network of --weights, where a foreign file does not say so; as for convert.
        run: Folder of the run [default: runs/DATA-MODEL-NUMBER]
        resume: Go on with the run in --run, or with the newest unfinished one.
        accept_changes: Resume even if recipe or images are not those the run began with; shows what differs.
        dry_run: Say what would be trained, in which memory and how long it would take, and write nothing.
        find_lr: Raise the learning rate until training falls apart; draws the loss and suggests a rate.
        ensemble: Train so many models that start alike and see the images in other orders and crops, one after the other.
        recipes: List the recipes instead; with --recipe, all about one: source, result, and what is not known.
        set_: Set a field of the recipe, FIELD=VALUE; may be repeated. A run's recipe.toml shows them all.
        epochs: Passes over the images; short for --set epochs=…
        seed: Of everything random; short for --set seed=…
        balance: Make classes of unequal size count alike: in the loss, or by showing each as often; short for --set balance=…
        batch: Images in an update, short for --set batch_size=…; auto: the recipe's, computed in parts that fit into memory.
        width: Factor on the number of filters [default: 1]
        depth: Factor on the number of modules [default: 1]
        workers: Processes that prepare images.
        device: auto, cpu, cuda, cuda:1 or mps.
        precision: auto: bf16 where the hardware is faster with it, else fp32. fp16 for older GPUs.
        recompute: Compute maps twice instead of keeping them: less memory, a third more time.
        compile_: Let torch compile the network: minutes at the start; try it on GPUs, on the CPU GoogLeNet is a fifth slower.
        track: Tell the figures to a tracker too: tensorboard, wandb, mlflow, …; may be repeated.
        ignore: Leave out the images in this list, as `inceptions data check --write-ignore` writes it.
        strict_split: Refuse validation images that are training images too, instead of saying so.
        json: Print one JSON document instead of text.
        quiet: No progress.
    """
    from inceptions.data import open_data
    from inceptions.evaluate import percent
    from inceptions.predict import an_image
    from inceptions.train import clock, ensemble_size, find_rate, forecast, job, reporter, train_ensemble
    from inceptions.train import train as run_training

    if recipes:
        list_recipes(recipe, json=json)
        return
    short = {"epochs": epochs, "seed": seed, "balance": balance, "batch_size": None if batch == "auto" else batch}
    asked = job(
        data=data,
        recipe=recipe,
        weights=weights,
        preprocess=preprocess,
        settings=(*set_, *(f"{name}={value}" for name, value in short.items() if value is not None)),
        model=model,
        variant=variant,
        width=width,
        depth=depth,
        run=run,
        resume=resume,
        ignore=ignore,
    )
    splits = open_data(asked.data, seed=asked.recipe.seed, ignore=asked.ignore, strict_split=strict_split)
    # What is asked before training is asked of one model.
    models = None if dry_run or find_lr else ensemble_size(asked, ensemble)
    if models is not None:
        with reporter(quiet=quiet) as progress, said_once():
            together = train_ensemble(
                asked,
                models,
                splits,
                reporter=progress,
                finished=partial(report_on, splits=splits, workers=workers, device=device, reporter=progress),
                device=device,
                precision=precision,
                workers=workers,
                accept_changes=accept_changes,
                fit=batch == "auto",
                recompute=recompute,
                compiled=compile_,
                track=track,
            )
        show_ensemble(together, json=json)
        return
    wanted: dict[str, Any] = {
        "splits": splits,
        "recipe": asked.recipe,
        "run": asked.run,
        "weights": asked.start,
        "model": asked.model,
        "variant": asked.variant,
        "width": asked.width,
        "depth": asked.depth,
        "device": device,
        "precision": precision,
        "workers": workers,
    }
    with reporter(quiet=quiet) as progress, said_once():
        if dry_run:
            ahead = forecast(**wanted, fit=batch == "auto", forget=recompute, compiled=compile_, reporter=progress)
            show(ahead.to_dict()) if json else print(ahead.text())
            return
        if find_lr:
            show_rate(find_rate(**wanted, forget=recompute, compiled=compile_, reporter=progress), json=json)
            return
        outcome = run_training(
            **wanted,
            resume=resume,
            accept_changes=accept_changes,
            fit=batch == "auto",
            recompute=recompute,
            compiled=compile_,
            track=track,
            reporter=progress,
        )
        if not outcome.leads:
            return
        image = an_image(splits, outcome.run)
        # Last: a run without a report is what a bare --resume looks for.
        report = report_on(outcome, splits, workers=workers, device=device, reporter=progress)
    if json:
        best = {"epoch": outcome.best_epoch, "accuracy": outcome.accuracy, "loss": outcome.loss}
        speed = {
            "seconds": outcome.seconds,
            "images_per_second": outcome.images_per_second,
            "data_wait": outcome.data_wait,
        }
        limit = {"kind": outcome.limit.kind, "sentence": outcome.limit.sentence}
        show({"run": str(outcome.run), "best": best, "epochs": outcome.epochs, **speed, "limit": limit, "report": str(report)})
        return
    folder = shlex.quote(str(outcome.run))
    print(
        f"accuracy  {percent(outcome.accuracy)} of {len(outcome.held):,} held-out images, after epoch {outcome.best_epoch} of "
        f"{outcome.epochs} ({clock(outcome.seconds)})\n"
        f"run       {outcome.run}\n"
        f"report    {report}\n"
        f"speed     {outcome.images_per_second:.0f} images/s, {percent(outcome.data_wait)} of the time waiting for images\n"
        f"limit     {outcome.limit.sentence}\n"
        f"next      inceptions predict {folder} {shlex.quote(str(image))}\n"
        f"          inceptions evaluate {folder}"
    )


@contextmanager
def said_once() -> Iterator[None]:
    """Leave an error that all of several processes have to the one that says it."""
    from inceptions.train import told

    try:
        yield
    except InceptionsError as error:
        if told(error):
            sys.exit(error.exit_code)
        raise


def report_on(outcome: Outcome, splits: Splits, *, workers: int | str, device: str, reporter: Reporter) -> Path:
    """Write the report of a run that is over."""
    from inceptions.evaluate import evaluate_trained, write_report
    from inceptions.predict.explain import pairs
    from inceptions.train import read_manifest
    from inceptions.weights import load_model

    network, card = load_model(outcome.run)
    scored = evaluate_trained(
        network,
        card,
        outcome.held,
        outcome.answers,
        precision=read_manifest(outcome.run).precision,
        workers=workers,
        device=device,
        reporter=reporter,
    )
    return write_report(
        outcome.run,
        scored,
        outcome.held,
        splits=splits,
        unread=outcome.unread,
        explain=pairs(network, card, device=device),
    )


def list_recipes(name: str | None, *, json: bool) -> None:
    """Print what every recipe is, or everything about one."""
    from inceptions.recipe import names, recipe
    from inceptions.recipe.text import described, line, recipe_text

    if json:
        show([described(recipe(each)) for each in ([name] if name else names())])
    elif name:
        print(recipe_text(recipe(name)))
    else:
        print("\n".join(line(recipe(each)) for each in names()))


def show_rate(found: RangeTest, *, json: bool) -> None:
    """Print what the learning-rate range test found."""
    if json:
        show(
            {
                "run": str(found.run),
                "suggestion": found.suggestion,
                "lowest": found.lowest,
                "picture": str(found.picture),
                "rates": found.rates,
                "losses": found.losses,
                "smoothed": found.smoothed,
            }
        )
        return
    print(
        f"rate      {found.suggestion:g}, a tenth of {found.lowest:.2g}, where the loss is lowest and about to rise\n"
        f"picture   {found.picture}\n"
        f"next      the same command without --find-lr, with --set optim.lr={found.suggestion:g}"
    )


def show_ensemble(ensemble: Ensemble, *, json: bool) -> None:
    """Print what came of several models."""
    from inceptions.evaluate import percent

    if json:
        models = [
            {"run": str(model.run), "best": {"epoch": model.epoch, "accuracy": model.accuracy, "loss": model.loss}}
            for model in ensemble.models
        ]
        together = {"n": ensemble.n, "accuracy": ensemble.accuracy, "loss": ensemble.loss}
        show({"run": str(ensemble.run), "models": models, "together": together})
        return
    for model in ensemble.models:
        print(f"{model.run.name:<9} {percent(model.accuracy)}, after epoch {model.epoch}")
    print(
        f"together  {percent(ensemble.accuracy)} of {ensemble.n:,} held-out images, by the mean of their probabilities\n"
        f"run       {ensemble.run}, a report in the folder of each model\n"
        f"next      inceptions evaluate {shlex.quote(str(ensemble.models[0].run))}"
    )
