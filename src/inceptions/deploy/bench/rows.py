"""What was measured, as rows: for programs, and as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from inceptions.deploy.engines.engine import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A system's speed and answers for one network and batch.

    Attributes:
        system: its name.
        model: the network, "name/variant".
        precision: what its convolutions compute in.
        batch: images at once.
        images_per_second: median of the rounds.
        ratio: to the first system's speed in the same rounds, their median.
        low: lower end of the ratio's 95 % interval.
        high: upper end.
        max_abs_diff: largest difference of a logit from float32 eager; None if one is not a number.
        top1_agreement: share of the images with float32 eager's likeliest class.
        compared: how many images.
        gflops: 10⁹ operations a second, two to a multiply-add.
        ceiling_share: of the best that this machine multiplies in this precision, measured in the same run; None in int8
            and on a GPU, whose best is not measured.
        peak_memory: bytes that a fresh process held at most, from the weight file to the last of some batches; None where that
            was not measured.
    """

    system: str
    model: str
    precision: Precision
    batch: int
    images_per_second: float
    ratio: float
    low: float
    high: float
    max_abs_diff: float | None
    top1_agreement: float
    compared: int
    gflops: float
    ceiling_share: float | None
    peak_memory: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A whole measurement: its rows, and what must be known to read them."""

    rows: tuple[Row, ...]
    remarks: tuple[str, ...]

    def to_text(self) -> str:
        """A table for each network and batch (Markdown that can be read as it is), and the remarks."""
        parts = []
        for model, batch in dict.fromkeys((row.model, row.batch) for row in self.rows):
            rows = [row for row in self.rows if (row.model, row.batch) == (model, batch)]
            parts += [f"### {model}, batch {batch}", table(rows)]
        return "\n\n".join([*parts, "\n".join(f"- {remark}" for remark in self.remarks)])


def table(rows: Sequence[Row]) -> str:
    """Rows with aligned columns."""
    headings: tuple[str, ...] = (
        "system",
        "precision",
        "images/s",
        "ratio",
        "95 % interval",
        "of ceiling",
        "max. abs. diff",
        "same top-1",
        "peak memory",
    )
    cells: list[tuple[str, ...]] = [
        (
            row.system,
            row.precision,
            f"{row.images_per_second:.1f}",
            f"{row.ratio:.2f}",
            f"{row.low:.2f} to {row.high:.2f}",
            "–" if row.ceiling_share is None else f"{row.ceiling_share:.0%}",
            "not a number" if row.max_abs_diff is None else f"{row.max_abs_diff:.1e}",
            f"{row.top1_agreement:.1%}",
            "–" if row.peak_memory is None else f"{row.peak_memory / 2**20:,.0f} MiB",
        )
        for row in rows
    ]
    if all(row.peak_memory is None for row in rows):
        headings, cells = headings[:-1], [line[:-1] for line in cells]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]

    def line(words: Sequence[str]) -> str:
        placed = [
            word.ljust(width) if place < 2 else word.rjust(width)
            for place, (word, width) in enumerate(zip(words, widths, strict=True))
        ]
        return f"| {' | '.join(placed)} |"

    rule = [f"{'-' * width}" if place < 2 else f"{'-' * (width - 1)}:" for place, width in enumerate(widths)]
    return "\n".join([line(headings), line(rule), *map(line, cells)])
