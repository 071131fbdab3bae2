"""The cost of a network as the paper prints it: our columns, and the paper's own beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inceptions.architecture.cost import Bill, Cost
from inceptions.architecture.declaration import Published
from inceptions.architecture.memory import VALUE, memory


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text: headings, rows of cells, a last row of sums if any, and the remarks its asterisks point to."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def table(bill: Bill, batch: int = 1) -> Table:
    """Lay a network's cost out, one row for every row of the paper's table.

    The published columns are there where the paper prints any of this very network (`Bill.published`). They are quoted as
    printed; figures known to be wrong carry an asterisk and a remark.

    Args:
        bill: the counted network.
        batch: images whose activations the memory column adds up, in MiB of 32-bit numbers.
    """
    published = bill.published
    headings: tuple[str, ...] = ("layer", "type", "output", "params", "mult-adds", "share", "memory", "sees")
    if published:
        headings = (*headings, "paper: output", "paper: params", "paper: ops")
    rows, remarks = [], []
    for node in (*bill.nodes, *bill.heads):
        row = _ours(node, bill.macs if node in bill.nodes else 0, batch)
        if published:
            printed = published.get(node.name)
            row = (*row, *(_printed(printed) if printed else ("", "", "")))
            if printed and printed.remark:
                remarks.append(f"* {node.name}: {printed.remark}")
        rows.append(row)
    activations = sum(node.activations for node in bill.nodes)
    total: tuple[str, ...] = (
        "total",
        "",
        "",
        f"{bill.params:,}",
        f"{bill.macs:,}",
        "100 %",
        mebibytes(VALUE * activations * batch),
        "",
    )
    if bill.heads:
        remarks.append(
            f"With the auxiliary heads (training only): {bill.params_with_heads:,} parameters, "
            f"{bill.macs_with_heads:,} multiply-adds."
        )
    return Table(headings, tuple(rows), (*total, *("",) * (len(headings) - len(total))), tuple(remarks))


def comparison(bills: Sequence[Bill], batch: int = 1) -> Table:
    """Networks side by side, one row each.

    Args:
        bills: the counted networks.
        batch: images at a time, for the columns of memory (peaks, in MiB; training as with AdamW).
    """
    headings = (
        *("network", "input", "params", "with heads", "mult-adds", "convolutions"),
        *("to predict", "to train", "smallest input"),
    )
    rows = []
    for bill in bills:
        peaks = memory(bill.architecture, (bill.input.height, bill.input.width), batch=batch)
        row = (
            bill.architecture.full_name,
            str(bill.input),
            f"{bill.params:,}",
            f"{bill.params_with_heads:,}",
            f"{bill.macs:,}",
            f"{bill.layers.convolutions}",
            mebibytes(peaks.inference),
            mebibytes(peaks.training),
            f"{bill.architecture.minimum_size}",
        )
        rows.append(row)
    remark = f"To predict, to train: the peak of memory in MiB, {batch} image{'s'[: batch > 1]} at a time; training with AdamW."
    return Table(headings, tuple(rows), remarks=(remark,))


def _printed(row: Published) -> tuple[str, str, str]:
    """A row's cells, with an asterisk on the figure its remark is about: the parameters, or the size if there are none."""
    mark = "*" if row.remark else ""
    return (row.output, row.params + mark, row.ops) if row.params else (row.output + mark, "", row.ops)


def mebibytes(count: int) -> str:
    """A number of bytes in MiB."""
    return f"{count / 2**20:,.1f}"


def _ours(node: Cost, whole: int, batch: int) -> tuple[str, ...]:
    return (
        node.name,
        node.op,
        str(node.output),
        f"{node.params:,}" if node.params else "",
        f"{node.macs:,}" if node.macs else "",
        f"{node.macs / whole:.1%}".replace("%", " %") if whole and node.macs else "",
        mebibytes(VALUE * node.activations * batch),
        f"{node.field}",
    )
