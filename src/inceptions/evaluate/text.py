"""An evaluation as text, for a terminal."""

from __future__ import annotations

from typing import TextIO

from inceptions.evaluate.evaluation import Evaluation

SHOWN = 20
"""With more classes than this, only the hardest ones are listed."""


def write_text(evaluation: Evaluation, out: TextIO) -> None:
    """The scores, how they were measured, and the classes, the hardest first."""
    out.write(f"images  {evaluation.n:,}\n")
    out.write(f"top-1   {percent(evaluation.top1)}\n")
    if len(evaluation.per_class) > 5:
        out.write(f"top-5   {percent(evaluation.top5)}\n")
    out.write(f"loss    {evaluation.loss:.4f}\n")
    out.write(f"how     {evaluation.protocol}; {evaluation.precision}\n\n")
    hardest = evaluation.hardest_first
    width = max(len("class"), *(len(one.name) for one in hardest[:SHOWN]))
    out.write(f"{'class':<{width}}  images    right  accuracy  taken for\n")
    for one in hardest[:SHOWN]:
        share = percent(one.correct / one.n)
        out.write(f"{one.name:<{width}}  {one.n:>6,}  {one.correct:>7,}  {share:>8}  {one.mistaken_for or ''}".rstrip() + "\n")
    if len(hardest) > SHOWN:
        out.write(f"and {len(hardest) - SHOWN} easier classes; --json lists all of them\n")
    for name, reason in evaluation.skipped:
        out.write(f"not counted: {name} ({reason})\n")


def percent(share: float) -> str:
    """A share of 1 with one decimal; only all is 100.0 %, and only none is 0.0 %."""
    rounded = round(1000 * share)
    return f"{(rounded if share in (0, 1) else min(max(rounded, 1), 999)) / 10:.1f} %"
