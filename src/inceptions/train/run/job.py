"""What `inceptions train` was asked for, with the gaps filled: from the run to resume, or from the defaults."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from inceptions.errors import UsageError
from inceptions.recipe import Recipe, override
from inceptions.recipe import recipe as published
from inceptions.train.run.checkpoint import found
from inceptions.train.run.folder import CHECKPOINTS, METRICS, RECIPE, REPORT, Manifest, read_manifest
from inceptions.train.tuning.start import Start, adapted, open_start, refuse_another

RUNS = Path("runs")
BUILTIN = "digits"
MODEL = "googlenet"
# What marks a folder that holds the runs of several models, and their number.
ENSEMBLE = "ensemble.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A training run to do: everything `train` and `open_data` need to know.

    Attributes:
        data: a folder, or the name of a built-in source.
        recipe: with every override in it.
        model: name of the network.
        variant: which of the networks of that name; None for the default.
        width: factor on its filters.
        depth: factor on its modules.
        run: the run's folder.
        resume: whether the run in that folder is to go on.
        weights: what to start from, which then decides the network; None for random weights.
        ignore: a list of images to leave out.
        start: the weights, read.
    """

    data: str
    recipe: Recipe
    model: str
    variant: str | None
    width: float
    depth: float
    run: Path
    resume: bool
    weights: str | Path | None = None
    ignore: Path | None = None
    start: Start | None = None


def job(
    *,
    data: str | None = None,
    recipe: str | None = None,
    settings: tuple[str, ...] = (),
    model: str | None = None,
    variant: str | None = None,
    width: float | None = None,
    depth: float | None = None,
    run: Path | None = None,
    resume: bool = False,
    weights: str | Path | None = None,
    preprocess: str | None = None,
    ignore: Path | None = None,
) -> Job:
    """Fill in what was not said. A run that is resumed knows its data, recipe and network.

    Args:
        data: a folder; without one, and without a run to resume, the built-in digits.
        recipe: name of a recipe; "digits" for the built-in digits and "scratch" for folders if None.
        settings: "field=value", changes to the recipe.
        model: name of the network; the recipe's own, or googlenet, if None.
        variant: which of the networks of that name.
        width: factor on its filters.
        depth: factor on its modules.
        run: the run's folder; a new one, or the newest unfinished one to resume, if None.
        resume: go on with a run.
        weights: what to start from (`open_start`); the recipe is then "finetune" if None, shows images as these
            weights know them, and the network is theirs.
        preprocess: how images are shown to that network, where a foreign file does not say so.
        ignore: a list of images to leave out.

    Raises:
        UsageError: an unknown recipe or field, a bad value, nothing to resume, another network than that of the weights.
        WeightsError: the weights cannot be read.
    """
    if run is not None and run == Path():
        raise UsageError("--run needs the name of a folder that is the run's own, not the one you are in.")
    run = unfinished_run() if resume and run is None else run
    before = begun(run, data) if resume and run is not None else None
    if before is not None:
        data = data or before.data
        model, variant = model or before.model, variant or (before.variant if model is None else None)
        width = before.options.get("width", 1.0) if width is None else width
        depth = before.options.get("depth", 1.0) if depth is None else depth
        if weights is None:
            weights, preprocess = before.weights or None, preprocess or before.preprocess or None
        ignore = Path(before.ignore) if ignore is None and before.ignore else ignore
    data = data or BUILTIN
    builtin = data == BUILTIN and not Path(data).exists()
    usual = "finetune" if weights is not None else BUILTIN if builtin else "scratch"
    start = before.recipe if before and recipe is None else published(recipe or usual)
    if preprocess is not None and weights is None:
        raise UsageError("--preprocess says how images are shown to the network of --weights: name the weights too.")
    begin = None if weights is None else open_start(weights, preprocess=preprocess)
    if begin is not None and (before is None or recipe is not None):
        card = begin.card
        refuse_another(card, model=model, variant=variant, width=width, depth=depth)
        start, model, variant = adapted(start, card), card.architecture, card.variant
        width, depth = card.options.width, card.options.depth
    chosen = override(start, settings)
    if model is None:
        model, _, own = (chosen.model or MODEL).partition("/")
        variant = variant or own or None
    return Job(
        data=data,
        recipe=chosen,
        model=model,
        variant=variant,
        width=1.0 if width is None else width,
        depth=1.0 if depth is None else depth,
        run=run or new_run(Path(data).resolve().name, model),
        resume=resume,
        weights=weights,
        ignore=ignore,
        start=begin,
    )


def begun(run: Path, data: str | None) -> Manifest | None:
    """What the run in a folder is; None if it was killed before that was written down and `data` says what to train on.

    Raises:
        UsageError: there is no run in the folder.
    """
    several = (run / ENSEMBLE).is_file()
    first = member(run, 1) if several else run
    if not (first / RECIPE).is_file():
        if data:
            return None
        if several or (run.is_dir() and is_bare(run)):
            raise UsageError(nothing_done(run, "--resume, DATA and " if several else ""))
    return read_manifest(first)


def is_bare(run: Path) -> bool:
    """Whether a folder may be that of a run which was killed before it wrote anything down."""
    return all(path.name.startswith(".") or path.name == CHECKPOINTS for path in run.iterdir())


def nothing_done(run: Path, more: str = "") -> str:
    """What is said of such a run; `more` is what else the command needs to use the same folder."""
    return (
        f"The run in {run} was stopped before anything was done: there is nothing to resume. Begin it again with the command "
        f"it was begun with; {more}--run {shlex.quote(str(run))} puts it into the same folder."
    )


def member(run: Path, number: int) -> Path:
    """The folder of one run of an ensemble, counted from 1."""
    return run / f"model-{number}"


def new_run(data: str, model: str, runs: Path = RUNS) -> Path:
    """The folder of a new run, "runs/digits-googlenet-1": the first number that is free. It is not created.

    Args:
        data: name of the data.
        model: name of the network.
        runs: where runs are kept.
    """
    name = re.sub(r"[^\w.-]+", "-", f"{data}-{model}").strip("-.")
    return next(path for number in count(1) if not (path := runs / f"{name}-{number}").exists())


def unfinished_run(runs: Path = RUNS) -> Path:
    """The run under `runs` that was written to last and has epochs left, or no report yet.

    Raises:
        UsageError: there is none.
    """
    left = [recipe.parent for recipe in runs.glob(f"*/{RECIPE}") if not is_reported(recipe.parent)]
    left += [ensemble.parent for ensemble in runs.glob(f"*/{ENSEMBLE}") if not is_finished_ensemble(ensemble)]
    if not left:
        if bare := [run for run in runs.glob("*") if run.is_dir() and is_bare(run)]:
            raise UsageError(nothing_done(max(bare, key=lambda run: run.stat().st_mtime)))
        raise UsageError(f"There is no unfinished run under {runs}/. Name the run to resume: --resume --run DIR.")
    return max(left, key=last_written)


def last_written(run: Path) -> float:
    """When a run, or the newest of an ensemble's, wrote its history or its recipe."""
    files = [path for folder in (run, *run.glob("model-*")) for path in (folder / RECIPE, folder / METRICS, folder / ENSEMBLE)]
    return max(path.stat().st_mtime for path in files if path.exists())


def is_finished_ensemble(record: Path) -> bool:
    """Whether every run of the ensemble whose record this is came to its end and has its report."""
    try:
        models = json.loads(record.read_text(encoding="utf-8"))["models"]
        return all(is_reported(member(record.parent, number)) for number in range(1, models + 1))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def is_reported(run: Path) -> bool:
    """Whether a run is finished and its report is written, which is the last thing that the command does."""
    return is_finished(run) and (run / REPORT).is_file()


def is_finished(run: Path) -> bool:
    """Whether a run came to its end, its last epoch or that of its patience, with everything saved. A damaged one did not."""
    try:
        rows = [json.loads(line) for line in (run / METRICS).read_text(encoding="utf-8").splitlines()]
        last, recipe = rows[-1], read_manifest(run).recipe
        saved = {path.stem for path in found(run / CHECKPOINTS)}
        over = last["epoch"] >= recipe.epochs
        if recipe.patience is not None and not over and last["split"] == "validation":
            judged = [row for row in rows if row["split"] == "validation"]
            best = max(judged, key=lambda row: (row["accuracy"], -row["loss"], -row["epoch"]))
            over = last["epoch"] - best["epoch"] >= recipe.patience
        return over and f"step-{last['step']:08d}" in saved
    except (OSError, ValueError, LookupError, TypeError):
        return False
