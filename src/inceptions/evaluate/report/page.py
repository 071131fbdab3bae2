"""`report.html`: what a run was, or how good weights are, on one page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from inceptions.architecture import Architecture, Options, declare
from inceptions.architecture.cost import Bill, cost
from inceptions.data import Images, Readable, Splits
from inceptions.data.decode import printable
from inceptions.errors import InceptionsError, UsageError
from inceptions.evaluate.contenders import Contender
from inceptions.evaluate.evaluation import Evaluation
from inceptions.evaluate.protocol import Protocol
from inceptions.evaluate.report.audit import NAMED, Audit, Unread, audit_of_evaluation, audit_of_run
from inceptions.evaluate.report.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from inceptions.evaluate.report.commands import after_training, evaluate_command, flat, train_command
from inceptions.evaluate.report.confusion import TABLE, confusion
from inceptions.evaluate.report.history import best_of, curves, read_rows, table
from inceptions.evaluate.report.mistakes import Explain, mistakes
from inceptions.evaluate.report.reliability import bins, mean_confidence, recall_interval, sureness
from inceptions.evaluate.report.surroundings import surroundings
from inceptions.evaluate.report.verdict import interval_of, verdict
from inceptions.evaluate.text import percent
from inceptions.files import write_text
from inceptions.train.progress import clock
from inceptions.train.run.folder import METRICS, RECIPE, REPORT, Manifest, Row, read_manifest
from inceptions.train.watch.limits import waited, what_limited
from inceptions.weights.preprocess import Preprocess

# What XML and HTML forbid; a name may hold it all the same.
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def held(value: Any) -> Any:
    """What goes into the page: names of files and classes may hold bytes that are no text, and signs that no page may hold."""
    return FORBIDDEN.sub("\ufffd", printable(value)) if type(value) is str else value


ENVIRONMENT = Environment(
    loader=PackageLoader("inceptions", "evaluate/report"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=held,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
ENVIRONMENT.filters["percent"] = lambda share: percent(share).replace(" ", "\u00a0")
# Read now: a run takes days, and its report is to be that of the version that ran.
PAGE, _ = map(ENVIRONMENT.get_template, ("page.html.jinja", "draw.html.jinja"))
STYLE, SCRIPT = ((Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))


def write_report(
    run: Path,
    evaluation: Evaluation,
    images: Images | Readable | None = None,
    *,
    splits: Splits | None = None,
    unread: Unread = (),
    explain: Explain | None = None,
) -> Path:
    """Write the report of a run into its folder.

    Args:
        run: the run's folder.
        evaluation: of its best weights on its validation images.
        images: those; without them no mistakes are shown.
        splits: what the run learnt from and was judged on; without them only the validation images are counted.
        unread: training images that could not be read, with the reason.
        explain: draws what spoke for an answer.

    Returns:
        Where the report is.

    Raises:
        UsageError: the folder holds no run that has finished an epoch.
        MachineError: the report cannot be written.
    """
    manifest = read_manifest(run)
    rows = read_rows(run / METRICS)
    best = best_of(rows)
    if best is None:
        raise UsageError(f"The run in {run} has not finished an epoch: there is nothing to report.")
    learnt, validated = manifest.images
    audit = audit_of_evaluation(evaluation, ()) if splits is None else audit_of_run(splits, evaluation, unread)
    architecture = declare(manifest.model, manifest.variant, Options(**manifest.options))
    page = rendered(
        evaluation,
        images,
        audit,
        explain=explain,
        title=f"{manifest.model} on {Path(manifest.data).name}",
        subtitle=f"{architecture.full_name} · recipe {manifest.recipe.name} · {len(manifest.classes)} classes · {learnt:,} "
        f"training and {validated:,} validation images",
        measured=f"The weights in weights.safetensors (epoch {best.epoch}), on validation images that they never learnt from",
        bill=billed(architecture, manifest.recipe.preprocess),
        times=[("training", f"{clock(rows[-1].seconds)} ({rows[-1].seconds:,.0f} s)"), *pace(rows)],
        commands=[("Train it again", train_command(manifest)), *zip(NEXT, after_training(run), strict=True)],
        provenance=list(provenance(manifest)),
        precision=manifest.precision,
        rows=rows,
        manifest=manifest,
        recipe=(run / RECIPE).read_text(encoding="utf-8"),
    )
    write_text(run / REPORT, page)
    return run / REPORT


NEXT = ("Measure it", "Use it")


def write_evaluation_report(
    file: Path,
    evaluation: Evaluation,
    images: Images,
    contenders: Sequence[Contender],
    *,
    data: str | None,
    protocol: Protocol,
    votes: Sequence[float] = (),
    seconds: float,
    explain: Explain | None = None,
) -> None:
    """Write the report of an evaluation. Weights in the folder of a run bring its history and recipe along.

    Args:
        file: where to.
        evaluation: what was measured.
        images: on what.
        contenders: of which weights, one or several together.
        data: what the images were named by; None for a run's own.
        protocol: how they were shown.
        votes: the weight of each model; () if all are equal.
        seconds: how long it took.
        explain: draws what spoke for an answer (of the first model, if there are several).

    Raises:
        UsageError: the name is not one of a page.
        MachineError: it cannot be written.
    """
    check_name(file)
    first = contenders[0]
    run = run_of(first) if len(contenders) == 1 else None
    manifest = read_manifest(run) if run is not None else None
    rows = read_rows(run / METRICS) if run is not None else []
    architecture = first.network.architecture
    weights = [one.name for one in contenders]
    several = f"{len(contenders)} models together" if len(contenders) > 1 else architecture.full_name
    where = data if data is not None else manifest.data if manifest is not None else "its own images"
    command = evaluate_command(
        weights, data, protocol, votes=votes, heads=bool(evaluation.heads), precision=evaluation.precision
    )
    page = rendered(
        evaluation,
        images,
        audit_of_evaluation(evaluation, images.notes),
        explain=explain,
        title=f"{architecture.name if len(contenders) == 1 else several} on {Path(where).name or where}",
        subtitle=f"{several} · {len(evaluation.per_class)} classes · {evaluation.n:,} images",
        measured=f"The weights {', '.join(weights)}",
        bill=billed(architecture, protocol.sized(first.card.preprocess)),
        times=[("evaluation", f"{seconds:,.1f} s; answers that are kept from before cost none")],
        commands=[("Measure it again", command), *([("Train it again", train_command(manifest))] if manifest else [])],
        provenance=[(name, str(value)) for name, value in flat(first.card.provenance)] if len(contenders) == 1 else [],
        precision=evaluation.precision,
        rows=rows if best_of(rows) is not None else [],
        manifest=manifest,
        recipe=(run / RECIPE).read_text(encoding="utf-8") if run is not None else "",
        limited=False,
    )
    write_text(file, page)


def check_name(file: Path) -> None:
    """Refuse a file that no browser would open as a page.

    Raises:
        UsageError: it does not end as pages do.
    """
    if file.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"The report is a page: name it *.html, not {file.name}.")


def rendered(
    evaluation: Evaluation,
    images: Images | Readable | None,
    audit: Audit,
    *,
    explain: Explain | None,
    rows: Sequence[Row],
    manifest: Manifest | None,
    limited: bool = True,
    **said: Any,
) -> str:
    """The page. `said` is what the template takes as it is."""
    found = confusion(evaluation)
    limit = what_limited(rows, manifest.recipe) if limited and manifest is not None and rows else None
    best = best_of(rows)
    return PAGE.render(
        evaluation=evaluation,
        interval=interval_of(evaluation),
        verdict=verdict(evaluation, found, audit, limit=limit, recipe=manifest.recipe if manifest else None),
        classes=[(one, *recall_interval(one)) for one in evaluation.hardest_first],
        audit=audit,
        named=NAMED,
        confusion=found,
        few=TABLE,
        bins=bins(evaluation.reliability),
        confidence=mean_confidence(evaluation),
        sureness=sureness(evaluation),
        mistakes=list(mistakes(evaluation, images, explain)),
        explained=explain is not None,
        curves=list(curves(rows)),
        history=table(rows),
        best=None if best is None else best.epoch,
        box={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM},
        surroundings=list(surroundings()),
        style=STYLE,
        script=SCRIPT,
        digest=base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode("ascii"),
        **said,
    )


def billed(architecture: Architecture, preprocess: Preprocess) -> Bill | None:
    """What the network costs at the size it is shown; None for whole images of a size that it cannot take."""
    try:
        return cost(architecture, preprocess.size)
    except InceptionsError:
        return None


def pace(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Figures of a run's speed."""
    yield "epochs", str(rows[-1].epoch)
    yield "waiting for images", f"{percent(waited(rows))} of the training time"


def provenance(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """What else a repetition depends on."""
    yield "data", manifest.data
    yield "fingerprint of the images' names and labels", manifest.fingerprint
    yield "seed", str(manifest.recipe.seed)
    if manifest.weights:
        yield "started from", manifest.weights
    yield "begun with", ", ".join(f"{name} {number}" for name, number in manifest.versions.items())
    for change in manifest.accepted:
        yield "changed on the way", change


def run_of(contender: Contender) -> Path | None:
    """The folder of the run whose weights these are, if they lie in one."""
    path = Path(contender.name)
    run = path if path.is_dir() else path.parent
    return run if path.exists() and (run / RECIPE).is_file() else None
