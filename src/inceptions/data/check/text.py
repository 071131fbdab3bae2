"""A check as text: a few lines of figures, then what to know, the problems first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inceptions.data.check.audit import Check
from inceptions.data.check.findings import Finding

SHOWN = 20
"""With more classes than this, only the smallest ones are listed."""

NAMES = 3


def write_check(check: Check, out: TextIO) -> None:
    """The report: tables and colours on a terminal, plain lines elsewhere."""
    if out.isatty():
        console = Console(file=out, highlight=False)
        for line in heading(check):
            console.print(Text(line))
        console.print(_class_table(check))
        for finding in check.findings:
            style = "bold red" if finding.problem else "yellow"
            console.print(Text(_mark(finding), style=style), Text(f" {visible(finding.what)}"), sep="")
            for line in details(finding):
                console.print(Text(f"          {line}", style="dim"))
        console.print(Text(verdict(check), style="bold"))
        return
    lines = [*heading(check), *_class_lines(check), ""]
    for finding in check.findings:
        lines += [f"{_mark(finding)} {visible(finding.what)}", *(f"          {line}" for line in details(finding))]
    out.write("\n".join([*lines, verdict(check)]) + "\n")


def heading(check: Check) -> Iterator[str]:
    """What there is, in figures."""
    trained, validated = (sum(check.counts[part]) for part in ("train", "validation"))
    split = "" if check.given else " (held out as training would)"
    images = f"{trained:,} training and {validated:,} validation images{split}"
    yield f"{visible(check.where)}: {images}, {len(check.classes)} classes"
    sides = check.shorter_sides
    if sides:
        yield f"shorter side  {sides[0]:,} to {sides[-1]:,} pixels, half of them {median(sides):,.0f} or more"
        yield f"formats       {_counted(check.formats)}"
        yield f"modes         {_counted(check.modes)}"


def details(finding: Finding) -> Iterator[str]:
    """Under a finding: its first examples, and what to do."""
    names = [visible(example) for example in finding.examples[:NAMES]]
    if finding.count > len(names) > 0:
        names.append(f"and {finding.count - len(names):,} more")
    yield from names
    if finding.advice:
        yield f"→ {finding.advice}"


def verdict(check: Check) -> str:
    """The last line."""
    problems, remarks = len(check.problems), len(check.findings) - len(check.problems)
    if not check.findings:
        return "Nothing is wrong."
    counted = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in ((problems, "problem"), (remarks, "remark"))]
    return f"{counted[0]}, {counted[1]}." if problems else f"Nothing is wrong; {counted[1]}."


def visible(text: str) -> str:
    """Text in which nothing moves the cursor: what cannot be printed stands as an escape."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _mark(finding: Finding) -> str:
    return "problem  " if finding.problem else "remark   "


def _rows(check: Check) -> list[tuple[str, int, int]]:
    """Of each class: name, training and validation images; all, or the smallest."""
    rows = list(zip(map(visible, check.classes), check.counts["train"], check.counts["validation"], strict=True))
    return rows if len(rows) <= SHOWN else sorted(rows, key=lambda row: row[1])[:SHOWN]


def _class_lines(check: Check) -> Iterator[str]:
    rows = _rows(check)
    width = max(len("class"), *(len(name) for name, _, _ in rows))
    yield ""
    yield f"{'class':<{width}}  training  validation"
    for name, train, validation in rows:
        yield f"{name:<{width}}  {train:>8,}  {validation:>10,}"
    if len(check.classes) > len(rows):
        yield f"and {len(check.classes) - len(rows)} larger classes; --json lists all of them"


def _class_table(check: Check) -> Table:
    table = Table("class", box=None, pad_edge=False)
    table.add_column("training", justify="right")
    table.add_column("validation", justify="right")
    rows = _rows(check)
    for name, train, validation in rows:
        table.add_row(Text(name), f"{train:,}", f"{validation:,}")
    if len(check.classes) > len(rows):
        table.add_row(Text(f"and {len(check.classes) - len(rows)} larger classes; --json lists all of them"))
    return table


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
