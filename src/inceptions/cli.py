"""The command: typed functions whose docstrings are the help, and which only put the rooms together.

Rooms are imported inside the commands, so that `inceptions --help` answers at once and `inceptions cost` needs no torch.
Answers go to standard output, everything else to standard error.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from inceptions.console import one_form, run_app, show, whole, whole_or_auto
from inceptions.errors import UsageError

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Whole = Annotated[int, Parameter(converter=whole)]
Precision = Literal["auto", "fp32", "bf16"]
Workers = Annotated[int | Literal["auto"], Parameter(converter=whole_or_auto)]

app = App(
    name="inceptions",
    help="The Inception family: from the table in the paper to a trained, evaluated and used image classifier.\n\n"
    "Start with `inceptions train`: it needs no data of yours.",
    help_format="plaintext",
    version=lambda: version("inceptions"),
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)


@app.command(sort_key=1)
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


@app.command(sort_key=2)
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


@app.command(sort_key=3)
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


@app.command(sort_key=4)
def cost(
    name: str | None = None,
    /,
    *,
    variant: str | None = None,
    image_size: str | None = None,
    batch: Whole = 1,
    classes: Whole = 1000,
    width: float = 1.0,
    depth: float = 1.0,
    compare: str | None = None,
    diagram: Path | None = None,
    explain_bottleneck: Flag = False,
    json: Flag = False,
    csv: Flag = False,
) -> None:
    """Count a network's parameters and multiply-adds beside the paper's table.

    For example:

      inceptions cost googlenet
      inceptions cost googlenet --variant paper --image-size 128
      inceptions cost inception_v3 --image-size 299x399 --batch 32
      inceptions cost inception_v4 --diagram inception_v4.svg
      inceptions cost --compare googlenet,inception_v3,inception_v3/paper
      inceptions cost --explain-bottleneck

    Args:
        name: Network, as `inceptions models` lists them.
        variant: Which of the networks of that name.
        image_size: Side of the input in pixels, or HEIGHTxWIDTH; the published one if left out.
        batch: Images at a time, for the memory.
        classes: Outputs of every head.
        width: Factor on the number of filters.
        depth: Factor on the number of modules.
        compare: Networks to compare, one row each: NAME,NAME/VARIANT,…
        diagram: Draw the network into this SVG file too.
        explain_bottleneck: Count the classical example of a 1×1 reduction instead.
        json: Print one JSON document instead of text.
        csv: Print a table for a spreadsheet instead of text.
    """
    from inceptions.architecture import Options, declare
    from inceptions.architecture import cost as count
    from inceptions.architecture import diagram as draw
    from inceptions.architecture.bottleneck import bottleneck
    from inceptions.architecture.memory import memory
    from inceptions.architecture.table import comparison, table
    from inceptions.architecture.text import bottleneck_text, memory_text, read_size, table_csv, table_text
    from inceptions.files import write_text

    one_form(json, csv)
    if explain_bottleneck:
        example = bottleneck()
        if json:
            show({**asdict(example), "total": example.total})
        else:
            print(bottleneck_text(example))
        return
    asked = [(name, variant)] if name else []
    asked += [(other.strip(), None) for other in (compare or "").split(",") if other.strip()]
    if not asked:
        raise UsageError("Which network? For example: inceptions cost googlenet. `inceptions models` lists them all.")
    if variant and not name:
        raise UsageError("--variant needs the network's name before it; with --compare, write NAME/VARIANT.")
    if diagram and compare:
        raise UsageError("--diagram draws one network, --compare prints several: name one of the two.")
    if batch < 1:
        raise UsageError(f"--batch must be at least 1, not {batch}.")
    size = None if image_size is None else read_size(image_size)
    options = Options(num_classes=classes, width=width, depth=depth)
    bills = [count(declare(network, kind, options), size) for network, kind in asked]
    if diagram:
        write_text(diagram, draw(bills[0]))
        print(f"drawn in {diagram}", file=sys.stderr)
    peaks = [memory(bill.architecture, size, batch=batch) for bill in bills]
    documents = [{**bill.to_dict(), "memory": peak.to_dict()} for bill, peak in zip(bills, peaks, strict=True)]
    if json:
        show(documents if compare else documents[0])
        return
    laid = comparison(bills, batch) if compare else table(bills[0], batch)
    if csv:
        print(table_csv(laid), end="")
        return
    print(table_text(laid))
    if not compare:
        print(memory_text(peaks[0]))


@app.command(sort_key=5)
def models(*, json: Flag = False) -> None:
    """List the networks and their variants, the default variant first.

    With every variant stand the sizes of images it works on and its auxiliary
    heads, which `inceptions predict --head` can ask.

    For example:

      inceptions models
      inceptions models --json

    Args:
        json: Print one JSON document instead of text.
    """
    from inceptions.architecture import names, variants
    from inceptions.architecture.catalogue import details
    from inceptions.architecture.text import network_text

    if json:
        show([{"name": name, "variants": list(variants(name)), "weights": [], "details": details(name)} for name in names()])
        return
    for name in names():
        print(network_text(name))


def execute(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    return run_app(app, arguments)


def main() -> None:
    """Entry point of the `inceptions` command."""
    sys.exit(execute(sys.argv[1:]))
