"""The history of a run as two pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from inceptions.files import write_bytes
from inceptions.train.run.folder import Row

# Colours that people with colour blindness can tell apart (Okabe & Ito 2008).
COLOURS = {"train": "#0072B2", "validation": "#D55E00"}


def draw_history(rows: Sequence[Row], folder: Path) -> None:
    """Write `accuracy.png` and `loss.png`, training and validation by epoch.

    Raises:
        MachineError: the files cannot be written.
    """
    for quantity in ("accuracy", "loss"):
        write_bytes(folder / f"{quantity}.png", picture(rows, quantity))


def picture(rows: Sequence[Row], quantity: Literal["accuracy", "loss"]) -> bytes:
    """One quantity over the epochs, as PNG."""
    # Figure and canvas without pyplot: no global state, no window system.
    figure = Figure(figsize=(6.4, 4.0), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for split, colour in COLOURS.items():
        shown = [row for row in rows if row.split == split]
        axes.plot(
            [row.epoch for row in shown],
            [getattr(row, quantity) for row in shown],
            color=colour,
            marker="o" if len(shown) < 30 else None,
            markersize=3,
            label={"train": "training", "validation": "validation"}[split],
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel("accuracy" if quantity == "accuracy" else "loss (cross-entropy of the main head)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if rows:
        axes.legend(frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()
