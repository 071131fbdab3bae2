"""A claim's picture: its panels side by side, made to be legible in print."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from inceptions.claims.claim import Panel
from inceptions.claims.results import Result
from inceptions.claims.statistics import estimate
from inceptions.claims.text import number
from inceptions.files import write_bytes

# Colours that people with colour blindness can tell apart (Okabe & Ito 2008), without its yellow, which paper does not show.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def draw(result: Result, path: Path) -> None:
    """Write the picture of a result as PNG.

    Raises:
        MachineError: the file cannot be written.
    """
    panels = result.claim.panels
    # A picture of one panel needs room for the names beside it.
    figure = Figure(figsize=(max(7.0, 5.2 * len(panels)), 4.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        match panel.kind:
            case "points":
                _points(axes, panel, result)
            case "curves":
                _curves(axes, panel, result)
            case "counts":
                _counts(axes, result)
        axes.spines[["top", "right"]].set_visible(False)
        if panel.log:
            axes.set_yscale("log")
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_bytes(path, content.getvalue())


def _points(axes: Axes, panel: Panel, result: Result) -> None:
    """A grey point for each seed, the mean with its 95 % interval beside them; names on the left, where they can be read."""
    arms = [arm for arm in panel.arms or result.claim.arms if result.seeds and panel.quantity in result.seeds[0][arm].values]
    factor = 100 if panel.percent else 1
    for row, arm in enumerate(reversed(arms)):
        values = [factor * records[arm].values[panel.quantity] for records in result.seeds]
        values = [value for value in values if math.isfinite(value)]
        found = estimate(values)
        axes.plot(values, [row] * len(values), "o", color="#999999", markersize=4, alpha=0.6)
        half = found.high - found.mean if math.isfinite(found.high) else 0.0
        axes.errorbar([found.mean], [row + 0.22], xerr=[[half], [half]], fmt="D", color=COLOURS[0], capsize=4, markersize=5)
    axes.plot([], [], "o", color="#999999", markersize=4, label="one seed")
    axes.errorbar([], [], xerr=[], fmt="D", color=COLOURS[0], capsize=4, markersize=5, label="mean, 95 % interval")
    axes.set_yticks(range(len(arms)), ["\n".join(textwrap.wrap(arm, 18)) for arm in reversed(arms)])
    axes.set_ylim(-0.5, len(arms) - 0.2)
    axes.set_xlabel(panel.label)
    axes.grid(axis="x", alpha=0.3)
    _legend(axes)


def _curves(axes: Axes, panel: Panel, result: Result) -> None:
    """The mean over the seeds, with its 95 % interval as a band."""
    factor = 100 if panel.percent else 1
    looks = zip(cycle(COLOURS), cycle(STYLES), cycle(MARKERS), strict=False)
    for arm, (colour, style, marker) in zip(panel.arms or result.claim.arms, looks, strict=False):
        curves = [records[arm].curves.get(panel.quantity, []) for records in result.seeds]
        length = min(map(len, curves), default=0)
        if not length:
            continue
        xs = [x for x, _ in curves[0][:length]]
        ys = factor * np.array([[y for _, y in curve[:length]] for curve in curves])
        every = max(1, length // 8)
        axes.plot(xs, ys.mean(axis=0), style, color=colour, marker=marker, markersize=4, markevery=every, label=arm)
        if len(ys) > 1:
            bands = [estimate(column) for column in ys.T.tolist()]
            lows = [max(band.low, ys.min() * 0.5) if panel.log else band.low for band in bands]
            axes.fill_between(xs, lows, [band.high for band in bands], color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel(panel.across)
    axes.set_ylabel(panel.label)
    axes.grid(alpha=0.3)
    _legend(axes)


def _counts(axes: Axes, result: Result) -> None:
    """Bars of ours as shares of the published figures, with both written beside them."""
    counts = list(reversed(result.counts))
    rows = range(len(counts))
    shares = [count.ours / count.published if count.published else float(count.ours == count.published) for count in counts]
    colours = [COLOURS[0] if count.equal else COLOURS[1] for count in counts]
    # Hatched as well, because a grey print shows both colours alike.
    hatches = ["" if count.equal else "///" for count in counts]
    axes.barh(rows, shares, color=colours, hatch=hatches, edgecolor="white", height=0.55)
    axes.axvline(1.0, color="#000000", linewidth=0.8, linestyle="--")
    axes.set_yticks(rows, ["\n".join(textwrap.wrap(count.what, 34)) for count in counts], fontsize=7)
    for row, count, share in zip(rows, counts, shares, strict=True):
        axes.text(max(share, 1.0) + 0.03, row, f"{number(count.ours)} ({number(count.published)})", va="center", fontsize=7)
    axes.set_xlim(0, max(1.0, *shares) * 1.9)
    axes.set_xlabel("ours / published (beside: ours, published in brackets)")
    handles = [Patch(facecolor=COLOURS[0], edgecolor="white", label="as published")]
    if not all(count.equal for count in counts):
        handles.append(Patch(facecolor=COLOURS[1], edgecolor="white", hatch="///", label="differs, see the remark"))
    axes.legend(handles=handles, frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _legend(axes: Axes) -> None:
    """Above the axes, where it covers nothing."""
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        columns = 2 if len(handles) > 1 else 1
        axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)


def pictures(results: Sequence[Result], folder: Path) -> dict[int, Path]:
    """Draw every result; the file of each claim's number.

    Raises:
        MachineError: a file cannot be written.
    """
    found = {}
    for result in results:
        path = folder / f"{result.claim.number:02d}-{result.claim.id}.png"
        draw(result, path)
        found[result.claim.number] = path
    return found
