"""Curves and diagrams as figures of their own drawing: what is where, for a template to write as SVG.

A drawing is 360 units wide, as a phone is, so its letters keep their size there; wide screens show several side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 38
DOTS = 40
"""With more points than this, a line shows none of them singly."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points.

    Attributes:
        name: for the legend.
        kind: class of its style, "train", "validation" or "rate".
        points: (x, y) in the quantities' own units, by rising x.
    """

    name: str
    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line in its place.

    Attributes:
        line: what is drawn.
        path: an SVG path.
        dots: the points, where there is room for them.
    """

    line: Line
    path: str
    dots: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Axes with lines in them.

    Attributes:
        title: the quantity.
        unit: of the quantity; "" if it has none.
        across: the quantity along the horizontal axis.
        rows: height and label of each horizontal line.
        columns: place and label of each mark on the horizontal axis.
        lines: in the order of the legend.
        mark: place on the horizontal axis that is marked; None for none.
        says: the same in a sentence, for people who do not see it.
    """

    title: str
    unit: str
    across: str
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    lines: tuple[Drawn, ...]
    mark: float | None
    says: str


def chart(
    lines: Sequence[Line],
    *,
    title: str,
    unit: str = "",
    across: str = "epoch",
    says: str = "",
    mark: float | None = None,
    bounds: tuple[float, float] | None = None,
) -> Chart:
    """Put lines between axes.

    Args:
        lines: at least one, with at least one point.
        title: the quantity.
        unit: of the quantity.
        across: the horizontal quantity, which is counted in whole numbers.
        says: a sentence in place of the drawing.
        mark: a horizontal value to mark.
        bounds: what the quantity cannot go beyond.
    """
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    rows = ticks(min(ys), max(ys), bounds=bounds)
    low, high = min(rows[0], *ys), max(rows[-1], *ys)
    columns = [x for x in ticks(min(xs), max(xs), count=5) if min(xs) <= x <= max(xs) and x == round(x)] or [xs[0]]
    place = scale((min(xs), max(xs)), (low, high))
    return Chart(
        title=title,
        unit=unit,
        across=across,
        rows=tuple((place((xs[0], y))[1], label(y, rows)) for y in rows),
        columns=tuple((place((x, low))[0], f"{x:g}") for x in columns),
        lines=tuple(drawn(line, place) for line in lines),
        mark=None if mark is None else place((mark, low))[0],
        says=says,
    )


def drawn(line: Line, place: Callable[[Point], Point]) -> Drawn:
    """A line in its place."""
    points = [place(point) for point in line.points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return Drawn(line, path, tuple(points) if len(points) <= DOTS else ())


def scale(across: tuple[float, float], up: tuple[float, float]) -> Callable[[Point], Point]:
    """From quantities to places; a quantity of one value lies in the middle."""

    def place(point: Point) -> Point:
        x, y = (
            (value - low) / (high - low) if high > low else 0.5 for value, (low, high) in zip(point, (across, up), strict=True)
        )
        return LEFT + x * (WIDTH - LEFT - RIGHT), TOP + (1 - y) * (HEIGHT - TOP - BOTTOM)

    return place


def ticks(low: float, high: float, *, count: int = 4, bounds: tuple[float, float] | None = None) -> list[float]:
    """Round values from at most `low` to at least `high`, about `count` steps apart, at least two.

    Args:
        low: smallest value.
        high: largest value.
        count: of steps.
        bounds: values that are not gone beyond.
    """
    spread = (high - low) or abs(high) / 10 or 1.0
    rough = spread / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if last == first:
        first, last = first - 1, last + 1
    found = [i * step for i in range(first, last + 1)]
    if bounds is not None:
        within = [value for value in found if bounds[0] - step / 1e6 <= value <= bounds[1] + step / 1e6]
        found = within if len(within) > 1 else list(bounds)
    return [round(value, 12) for value in found]


def label(value: float, among: Sequence[float]) -> str:
    """A value on an axis, with as many digits as its neighbours need to differ."""
    step = among[1] - among[0] if len(among) > 1 else abs(value) or 1.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    text = f"{value:.{digits}f}"
    return text if float(text) == value or digits > 6 else f"{value:.{digits + 1}f}"
