"""Cost tables and the bottleneck's arithmetic as plain text: whole in a pipe as on a terminal, nothing is cut off."""

from __future__ import annotations

from collections.abc import Sequence

from inceptions.architecture.bottleneck import Bottleneck
from inceptions.architecture.table import Table

WORDS = frozenset({"layer", "type", "output", "paper: output", "network", "input"})
"""Headings of columns that hold words; those of numbers are aligned to the right."""


def table_text(table: Table) -> str:
    """The table with aligned columns, and its remarks below."""
    sums = [table.total] if table.total else []
    every = [table.headings, *table.rows, *sums]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]

    def line(cells: Sequence[str]) -> str:
        placed = (
            cell.ljust(width) if heading in WORDS else cell.rjust(width)
            for cell, width, heading in zip(cells, widths, table.headings, strict=True)
        )
        return "  ".join(placed).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join(
        (line(table.headings), rule, *map(line, table.rows), *([rule] * len(sums)), *map(line, sums), *table.remarks)
    )


def bottleneck_text(example: Bottleneck) -> str:
    """The example as a calculation that can be followed."""
    shape, kernel = example.input, example.kernel
    pixels, window = f"{shape.height}·{shape.width}", f"{kernel}·{kernel}"
    sums = (
        ("directly", f"{pixels}·{example.filters} · {window}·{shape.channels}", example.direct),
        (f"1×1 to {example.reduced} channels", f"{pixels}·{example.reduced} · {shape.channels}", example.reduce),
        (f"then {kernel}×{kernel}", f"{pixels}·{example.filters} · {window}·{example.reduced}", example.behind),
        ("these two", "", example.total),
    )
    first, second = max(len(what) for what, _, _ in sums), max(len(formula) for _, formula, _ in sums)
    return "\n".join(
        (
            f"{example.filters} convolutions of {kernel}×{kernel} on a map of {shape}, in multiplications:",
            *(f"  {what:<{first}}  {formula:<{second}}  {result:>13,}" for what, formula, result in sums),
            f"The bottleneck saves {1 - example.total / example.direct:.1%} of them: "
            f"{example.direct / example.total:.1f} times fewer.".replace("%", " %"),
        )
    )
