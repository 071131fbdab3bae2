"""`report.html`: what a run was and how good it is, on one page that needs nothing else."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from inceptions.errors import UsageError
from inceptions.evaluate.evaluation import Evaluation
from inceptions.evaluate.text import percent
from inceptions.files import write_text
from inceptions.recipe import names, to_table
from inceptions.recipe import recipe as published
from inceptions.train.limits import waited, what_limited
from inceptions.train.progress import clock
from inceptions.train.runfolder import METRICS, PLOTS, RECIPE, REPORT, Manifest, Row, read_manifest

CURVES = ("accuracy", "loss")

ENVIRONMENT = Environment(
    loader=PackageLoader("inceptions", "evaluate"),
    autoescape=True,
    undefined=StrictUndefined,
)


def write_report(run: Path, evaluation: Evaluation) -> Path:
    """Write the report of a run into its folder.

    Args:
        run: the run's folder.
        evaluation: of its best weights on its validation images.

    Returns:
        Where the report is.

    Raises:
        UsageError: the folder holds no run that has finished an epoch.
        MachineError: the report cannot be written.
    """
    manifest = read_manifest(run)
    rows = read_rows(run / METRICS)
    if not rows:
        raise UsageError(f"The run in {run} has not finished an epoch: there is nothing to report.")
    best = max((row for row in rows if row.split == "validation"), key=lambda row: (row.accuracy, -row.loss, -row.epoch))
    page = ENVIRONMENT.get_template("report.html.jinja").render(
        title=f"{manifest.model} on {Path(manifest.data).name}",
        subtitle=subtitle(manifest),
        figures=list(figures(evaluation, rows)),
        limit=what_limited(rows, manifest.recipe).sentence,
        evaluation=evaluation,
        best=best.epoch,
        curves=list(curves(run)),
        history=history(rows),
        classes=[(one, percent(one.correct / one.n)) for one in evaluation.hardest_first],
        command=command(manifest),
        recipe=(run / RECIPE).read_text(encoding="utf-8"),
    )
    write_text(run / REPORT, page)
    return run / REPORT


def read_rows(metrics: Path) -> list[Row]:
    """The history of a run; empty before its first epoch is over."""
    text = metrics.read_text(encoding="utf-8") if metrics.is_file() else ""
    return [Row(**json.loads(line)) for line in text.splitlines()]


def subtitle(manifest: Manifest) -> str:
    """One line under the title: network, classes, images."""
    train, validation = manifest.images
    return (
        f"{manifest.model}/{manifest.variant} · recipe {manifest.recipe.name} · {len(manifest.classes)} classes · "
        f"{train:,} training and {validation:,} validation images"
    )


def figures(evaluation: Evaluation, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """The numbers at the top, the most important first."""
    yield "validation accuracy", percent(evaluation.top1)
    if len(evaluation.per_class) > 5:
        yield "among the first five", percent(evaluation.top5)
    yield "validation loss", f"{evaluation.loss:.3f}"
    yield "epochs", str(rows[-1].epoch)
    yield "time", clock(rows[-1].seconds)
    yield "waiting for images", percent(waited(rows))


def curves(run: Path) -> Iterator[tuple[str, str]]:
    """Name and data address of each picture that the run has."""
    for name in CURVES:
        picture = run / PLOTS / f"{name}.png"
        if picture.is_file():
            yield name, f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode('ascii')}"


def history(rows: Sequence[Row]) -> list[dict[str, str]]:
    """One entry an epoch, as text."""
    epochs: dict[int, dict[str, str]] = {}
    for row in rows:
        entry = epochs.setdefault(row.epoch, {"epoch": str(row.epoch)})
        entry[f"{row.split}_loss"] = f"{row.loss:.3f}"
        entry[f"{row.split}_accuracy"] = percent(row.accuracy)
    return list(epochs.values())


def command(manifest: Manifest) -> str:
    """The command that runs the same again: what differs from the published recipe is set field by field."""
    recipe = manifest.recipe
    words = ["inceptions", "train", manifest.data, "--model", manifest.model, "--variant", manifest.variant]
    words += ["--recipe", recipe.name, "--precision", manifest.precision]
    for name in ("width", "depth"):
        if manifest.options[name] != 1:
            words += [f"--{name}", f"{manifest.options[name]:g}"]
    if recipe.name in names():
        before, now = (dict(flat(to_table(one))) for one in (published(recipe.name), recipe))
        for name in dict.fromkeys((*before, *now)):
            if before.get(name) != now.get(name):
                words += ["--set", f"{name}={plain(now.get(name))}"]
    return shlex.join(words)


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested tables as dotted names."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def plain(value: Any) -> str:
    """A value as `--set` reads it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case list():
            return ",".join(plain(item) for item in value)
        case _:
            return str(value)
