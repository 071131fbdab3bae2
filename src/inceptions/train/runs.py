"""What `inceptions train` was asked for, with the gaps filled: from the run to resume, or from the defaults."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from inceptions.errors import UsageError
from inceptions.recipe import Recipe, override
from inceptions.recipe import recipe as published
from inceptions.train.checkpoint import found
from inceptions.train.runfolder import CHECKPOINTS, METRICS, RECIPE, Manifest, read_manifest

RUNS = Path("runs")
BUILTIN = "digits"
MODEL = "googlenet"


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
    """

    data: str
    recipe: Recipe
    model: str
    variant: str | None
    width: float
    depth: float
    run: Path
    resume: bool


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
) -> Job:
    """Fill in what was not said. A run that is resumed knows its data, recipe and network.

    Args:
        data: a folder; without one, and without a run to resume, the built-in digits.
        recipe: name of a recipe; "digits" for the built-in digits and "scratch" for folders if None.
        settings: "field=value", changes to the recipe.
        model: name of the network.
        variant: which of the networks of that name.
        width: factor on its filters.
        depth: factor on its modules.
        run: the run's folder; a new one, or the newest unfinished one to resume, if None.
        resume: go on with a run.

    Raises:
        UsageError: an unknown recipe or field, a bad value, nothing to resume.
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
    data, model = data or BUILTIN, model or MODEL
    builtin = data == BUILTIN and not Path(data).exists()
    start = before.recipe if before and recipe is None else published(recipe or (BUILTIN if builtin else "scratch"))
    return Job(
        data=data,
        recipe=override(start, settings),
        model=model,
        variant=variant,
        width=1.0 if width is None else width,
        depth=1.0 if depth is None else depth,
        run=run or new_run(Path(data).resolve().name, model),
        resume=resume,
    )


def begun(run: Path, data: str | None) -> Manifest | None:
    """What the run in a folder is; None if it was killed before that was written down and `data` says what to train on.

    Raises:
        UsageError: there is no run in the folder.
    """
    return None if data and not (run / RECIPE).is_file() else read_manifest(run)


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
    """The run under `runs` that was written to last and has epochs left.

    Raises:
        UsageError: there is none.
    """
    left = [recipe.parent for recipe in runs.glob(f"*/{RECIPE}") if not is_finished(recipe.parent)]
    if not left:
        raise UsageError(f"There is no unfinished run under {runs}/. Name the run to resume: --resume --run DIR.")
    return max(left, key=lambda run: max(path.stat().st_mtime for path in (run / RECIPE, run / METRICS) if path.exists()))


def is_finished(run: Path) -> bool:
    """Whether a run came to the end of its last epoch, with everything saved. A damaged one did not."""
    try:
        last = json.loads((run / METRICS).read_text(encoding="utf-8").splitlines()[-1])
        saved = {path.stem for path in found(run / CHECKPOINTS)}
        return last["epoch"] >= read_manifest(run).recipe.epochs and f"step-{last['step']:08d}" in saved
    except (OSError, ValueError, LookupError, TypeError):
        return False
