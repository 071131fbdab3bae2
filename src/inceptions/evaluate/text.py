"""Evaluations, comparisons and tables as text, for a terminal; the answers to all images as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TextIO

from inceptions.data import Images
from inceptions.evaluate.calibration import Fitted
from inceptions.evaluate.compare import Comparison
from inceptions.evaluate.evaluation import Evaluation
from inceptions.evaluate.metrics import Interval
from inceptions.evaluate.table import Table
from inceptions.files import write_bytes

SHOWN = 20
"""With more classes, or changed images of a kind, than this, only the first ones are listed."""


def write_text(found: Evaluation | Table | Comparison | Fitted, out: TextIO) -> None:
    """Whatever `inceptions evaluate` found."""
    match found:
        case Evaluation():
            write_evaluation(found, out)
        case Table():
            write_table(found, out)
        case Comparison():
            write_comparison(found, out)
        case Fitted():
            write_fitted(found, out)


def write_evaluation(evaluation: Evaluation, out: TextIO) -> None:
    """The scores, how they were measured, and the classes, the hardest first."""
    spans = evaluation.intervals
    out.write(f"images  {evaluation.n:,}\n")
    out.write(f"top-1   {percent(evaluation.top1)}{between(spans.get('top1'))}\n")
    if len(evaluation.per_class) > 5:
        out.write(f"top-5   {percent(evaluation.top5)}{between(spans.get('top5'))}\n")
    out.write(f"loss    {evaluation.loss:.4f}{plain_between(spans.get('loss'))}\n")
    if evaluation.calibration_error is not None:
        out.write(f"ECE     {evaluation.calibration_error:.4f}{plain_between(spans.get('calibration_error'))}\n")
    if evaluation.calibrated is not None:
        write_calibrated(evaluation, out)
    out.write(f"how     {evaluation.protocol}; {evaluation.precision}\n")
    if spans:
        out.write("        in brackets: 95 % intervals, from resampled images\n")
    out.write("\n")
    for title, several in (("model", evaluation.models), ("head", evaluation.heads)):
        write_several(title, several, out)
    for name, model in evaluation.models.items():
        write_several(f"head of {name}", model.heads, out)
    hardest = evaluation.hardest_first
    width = max(len("class"), *(len(one.name) for one in hardest[:SHOWN]))
    out.write(f"{'class':<{width}}  images    right  accuracy  precision      F1  taken for\n")
    for one in hardest[:SHOWN]:
        shares = [
            f"{percent(share) if share is not None else '–':>{wide}}" for share, wide in ((one.precision, 9), (one.f1, 6))
        ]
        line = f"{one.name:<{width}}  {one.n:>6,}  {one.correct:>7,}  {percent(one.correct / one.n):>8}  {'  '.join(shares)}"
        out.write(f"{line}  {one.mistaken_for or ''}".rstrip() + "\n")
    if len(hardest) > SHOWN:
        out.write(f"and {len(hardest) - SHOWN} easier classes; --json lists all of them\n")
    for name, reason in evaluation.skipped:
        out.write(f"not counted: {name} ({reason})\n")


def write_calibrated(evaluation: Evaluation, out: TextIO) -> None:
    """What the weight file's calibration changes."""
    found = evaluation.calibrated
    assert found is not None
    out.write(f"calibrated  temperature {found.temperature:.3f}: loss {found.loss:.4f}, ECE {found.calibration_error:.4f}")
    if found.sure is not None:
        right = "" if found.right_if_sure is None else f", {percent(found.right_if_sure)} of them right"
        out.write(f"; sure of {percent(found.sure)}{right}")
    out.write("\n")


def write_several(title: str, several: dict[str, Evaluation], out: TextIO) -> None:
    """One line of figures each."""
    if not several:
        return
    width = max(len(title), *map(len, several))
    many = any(len(one.per_class) > 5 for one in several.values())
    out.write(f"{title:<{width}}    top-1{'    top-5' if many else ''}    loss     ECE\n")
    for name, one in several.items():
        five = f"  {percent(one.top5):>7}" if many else ""
        out.write(f"{name:<{width}}  {percent(one.top1):>7}{five}  {one.loss:.4f}  {one.calibration_error:.4f}\n")
    out.write("\n")


def write_comparison(comparison: Comparison, out: TextIO) -> None:
    """Both scores, the test, and the images that changed."""
    first, second = comparison.scores
    out.write(f"images  {first.n:,}\n")
    for who, name, one in zip("AB", comparison.names, comparison.scores, strict=True):
        out.write(f"{who}       {percent(one.top1)}{between(one.intervals['top1'])}  {name}\n")
    low, high = comparison.interval
    out.write(f"B − A   {signed(comparison.difference)}  ({signed(low)} to {signed(high)})\n")
    gained, lost = comparison.count("gained"), comparison.count("lost")
    out.write(f"right   {gained:,} by B only, {lost:,} by A only; p = {comparison.p_value:.3g} (McNemar's exact test)\n")
    out.write(f"how     {first.protocol}; {first.precision}\n")
    if second.protocol != first.protocol:
        out.write(f"        B: {second.protocol}; {second.precision}\n")
    titles = {"gained": "Right by B only", "lost": "Right by A only", "other": "Both wrong, in different ways"}
    for kind, title in titles.items():
        changes = [change for change in comparison.changes if change.kind == kind]
        if not changes:
            continue
        out.write(f"\n{title}: {len(changes):,}\n")
        for change in changes[:SHOWN]:
            out.write(f"  {change.path}  {change.label}  A: {change.answers[0]}  B: {change.answers[1]}\n")
        if len(changes) > SHOWN:
            out.write(f"  and {len(changes) - SHOWN:,} more; --json lists all of them\n")


def write_table(table: Table, out: TextIO) -> None:
    """As in the paper, with intervals."""
    first = next(iter(table.evaluations.values()))
    many = len(first.per_class) > 5
    five = "  top-5 error" if many else ""
    out.write(f"models   crops    cost  top-1 error{five}    loss  compared with the first row\n")
    for row in table.rows:
        errors = f"{percent(row.top1_error):>11}" + (f"  {percent(row.top5_error):>11}" if many else "")
        base = "base"
        if row is not table.rows[0]:
            low, high = row.compared_interval
            base = f"{signed(row.compared):>7}  ({signed(low)} to {signed(high)})"
        out.write(f"{row.models:>6}  {row.crops:>6}  {row.cost:>6,}  {errors}  {row.loss:.4f}  {base}\n")
    models = table.rows[-1].models
    means = f"; a row of one model is the mean of the {models}, each alone" if models > 1 else ""
    out.write(f"\n{first.n:,} images, {first.precision}. In brackets: 95 % intervals of the difference{means}.\n")
    for name, reason in first.skipped:
        out.write(f"not counted: {name} ({reason})\n")


def write_fitted(fitted: Fitted, out: TextIO) -> None:
    """What was fitted, on how many images, and what it does."""
    calibration = fitted.calibration
    out.write(f"temperature  {calibration.temperature:.3f}, fitted on {calibration.images:,} images\n")
    for name, (before, after) in {"loss": calibration.loss, "ECE": calibration.calibration_error}.items():
        out.write(f"{name:<11}  {before:.4f} → {after:.4f}\n")
    if calibration.threshold is None:
        out.write(
            f"threshold    none: even among its surest answers fewer than {percent(calibration.precision_wanted)} are right\n"
        )
    else:
        assert calibration.precision is not None
        out.write(
            f"threshold    {calibration.threshold:.4f}: {percent(calibration.coverage)} of the answers are sure, "
            f"{percent(calibration.precision)} of them right ({percent(calibration.precision_wanted)} wanted)\n"
        )
    out.write(f"written to   {fitted.file}; `inceptions predict` uses it\n")


def write_csv(evaluation: Evaluation, images: Images, file: Path) -> None:
    """One line an image: its class, the answer, and how probable both were; an unreadable one has a line with its error.

    Raises:
        MachineError: the file cannot be written.
    """
    content = io.StringIO()
    table = csv.writer(content, lineterminator="\n")
    table.writerow(("path", "class", "answer", "right", "probability", "class_probability", "class_rank", "error"))
    found = evaluation.outcomes
    assert found is not None
    names = [one.name for one in evaluation.per_class]
    for row, image in enumerate(evaluation.indices):
        numbers = f"{found.confidence[row]:.6f}", f"{found.own[row]:.6f}", int(found.ranks[row]) + 1
        answer = names[found.answers[row]]
        table.writerow(
            (images.names[image], names[found.labels[row]], answer, str(bool(found.right[row])).lower(), *numbers, "")
        )
    for name, reason in evaluation.skipped:
        table.writerow((name, *[""] * 6, reason))
    write_bytes(file, content.getvalue().encode("utf-8"))


def percent(share: float) -> str:
    """A share of 1 with one decimal; only all is 100.0 %, and only none is 0.0 %."""
    rounded = round(1000 * share)
    return f"{(rounded if share in (0, 1) else min(max(rounded, 1), 999)) / 10:.1f} %"


def signed(share: float) -> str:
    """A difference of shares in points of a hundred."""
    return f"{100 * share:+.1f}"


def between(interval: Interval | None) -> str:
    """An interval of shares behind its figure; nothing if there is none."""
    return "" if interval is None else f"  ({100 * interval[0]:.1f} – {100 * interval[1]:.1f})"


def plain_between(interval: Interval | None) -> str:
    """The same of other numbers."""
    return "" if interval is None else f"  ({interval[0]:.4f} – {interval[1]:.4f})"
