"""The report of all claims: one page that needs nothing else, and the same in Markdown."""

from __future__ import annotations

import base64
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from inceptions.claims.cells import Settings
from inceptions.claims.images import DIGITS
from inceptions.claims.picture import pictures
from inceptions.claims.results import Result
from inceptions.claims.statistics import Verdict
from inceptions.claims.text import counted, figure
from inceptions.files import write_text

PLOTS = "plots"
RESULTS = "claims-results.json"
HTML, MARKDOWN = "report.html", "report.md"
LOADER = PackageLoader("inceptions", "claims")
# A page escapes; Markdown is written for people and for tools that show it as text.
PAGE = Environment(loader=LOADER, autoescape=True, undefined=StrictUndefined)
TEXT = Environment(loader=LOADER, autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@dataclass(frozen=True)
class Row:
    """A claim as the page shows it: text only."""

    result: Result
    headline: str
    figures: list[tuple[str, str, str, str]]
    counts: list[tuple[str, str, str]]
    picture: str
    image: str
    panels: str
    command: str


def write_report(folder: Path, results: Sequence[Result], settings: Settings) -> Path:
    """Write `report.html`, `report.md`, the pictures and `claims-results.json` into a folder of claims.

    Returns:
        Where the page is.

    Raises:
        MachineError: a file cannot be written.
    """
    drawn = pictures(results, folder / PLOTS)
    rows = [_row(result, drawn[result.claim.number], folder, settings) for result in results]
    tally = Counter(result.verdict for result in results)
    given = {
        "rows": rows,
        "settings": settings,
        "tally": [(verdict.value, tally[verdict]) for verdict in Verdict if tally[verdict]],
        "seeds": max((len(result.seeds) for result in results), default=0),
        "seconds": sum(result.seconds for result in results),
    }
    write_text(folder / RESULTS, json.dumps([result.to_dict() for result in results], indent=2) + "\n")
    write_text(folder / MARKDOWN, TEXT.get_template("report.md.jinja").render(given))
    write_text(folder / HTML, PAGE.get_template("report.html.jinja").render(given))
    return folder / HTML


def command(result: Result, settings: Settings) -> str:
    """The command that computes this claim again."""
    words = ["inceptions", "claims", "run", result.claim.id]
    if settings.data != DIGITS:
        words += ["--data", settings.data]
    if settings.seed:
        words += ["--seed", str(settings.seed)]
    if settings.full:
        words.append("--full")
    return shlex.join(words)


def _row(result: Result, picture: Path, folder: Path, settings: Settings) -> Row:
    figures = [
        (
            finding.hypothesis.statement + (" (processor time)" if finding.hypothesis.timed else ""),
            finding.hypothesis.published,
            figure(finding),
            finding.verdict.value,
        )
        for finding in result.findings
    ]
    counts = [(one.what, counted(one), "equal" if one.equal else one.remark or "differs") for one in result.counts]
    image = base64.b64encode(picture.read_bytes()).decode("ascii")
    if figures:
        headline = "; ".join(shown for _, _, shown, _ in figures[: result.claim.headline])
    else:
        headline = f"{sum(one.equal for one in result.counts)} of {len(counts)} counts are the published ones"
    return Row(
        result=result,
        headline=headline,
        figures=figures,
        counts=counts,
        picture=picture.relative_to(folder).as_posix(),
        image=f"data:image/png;base64,{image}",
        panels="; ".join(panel.label or "ours by the published counts" for panel in result.claim.panels),
        command=command(result, settings),
    )
