"""What the commands say about networks as plain text: whole in a pipe as on a terminal, nothing is cut off."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from inceptions.architecture.bottleneck import Bottleneck
from inceptions.architecture.catalogue import declare, steps, variants
from inceptions.architecture.memory import Memory
from inceptions.architecture.options import Options
from inceptions.architecture.table import Table, mebibytes
from inceptions.errors import UsageError

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


def table_csv(table: Table) -> str:
    """The rows for a spreadsheet: numbers without separators and signs; no sums, no remarks."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow("share %" if heading == "share" else heading for heading in table.headings)
    for row in table.rows:
        writer.writerow(
            cell if heading in WORDS else cell.replace(",", "").removesuffix(" %")
            for cell, heading in zip(row, table.headings, strict=True)
        )
    return out.getvalue()


def memory_text(peaks: Memory) -> str:
    """What a batch takes to predict and to train, in two lines."""
    images = "one image" if peaks.batch == 1 else f"{peaks.batch} images"
    predicting, training = mebibytes(peaks.inference), mebibytes(peaks.training)
    return (
        f"To predict {images} at a time takes {predicting} MiB of memory.\n"
        f"To train on {images} at a time takes {training} MiB of memory (AdamW)."
    )


def network_text(name: str) -> str:
    """A network's variants, the sizes they claim to work on, and their auxiliary heads."""
    lines = [name]
    for variant, summary in variants(name).items():
        network = declare(name, variant)
        least, (height, width) = network.minimum_size, network.input_size
        optional = declare(name, variant, Options(aux=True)).heads[:-1]
        heads = ", ".join(head.name for head in optional) or "none"
        heads += " (if asked for)" if len(optional) > len(network.heads[:-1]) else ""
        lines.append(f"  {variant}: {summary}")
        lines.append(f"    any size from {least}×{least}, published {height}×{width}; auxiliary heads: {heads}")
        if names := ", ".join(steps(name, variant)):
            lines.append(f"    without any of its steps, as {variant}-5x5 or {variant}-7x7_stem-plain_aux: {names}")
    return "\n".join(lines)


def read_size(written: str) -> tuple[int, int]:
    """(height, width) of "299" or "299x224".

    Raises:
        UsageError: it is neither.
    """
    found = re.fullmatch(r"(\d{1,6})(?:[x×](\d{1,6}))?", written)
    if found is None:
        raise UsageError(f"An image size is a side or HEIGHTxWIDTH in pixels, as 299 or 299x224, not {written!r}.")
    return int(found[1]), int(found[2] or found[1])


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
