"""The cost of a network as the paper prints it: our columns, and the paper's own beside them."""

from __future__ import annotations

from dataclasses import dataclass

from inceptions.architecture.cost import Bill, Cost


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text: headings, rows of cells, and the remarks its asterisks point to."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...]
    remarks: tuple[str, ...]


def table(bill: Bill) -> Table:
    """Lay a network's cost out, one row for every row of the paper's table.

    The published columns are there where the paper prints any, for the variant and width it prints them for. They are quoted as
    printed; figures known to be wrong carry an asterisk and a remark.
    """
    architecture = bill.architecture
    options = architecture.options
    published = architecture.published if options.width == options.depth == 1 else {}
    headings: tuple[str, ...] = ("layer", "type", "output", "params", "mult-adds", "share", "sees")
    if published:
        headings = (*headings, "paper: output", "params", "ops")
    rows, remarks = [], []
    for node in (*bill.nodes, *bill.heads):
        row = _ours(node, bill.macs if node in bill.nodes else 0)
        if published:
            printed = published.get(node.name)
            mark = "*" if printed and printed.remark else ""
            row = (*row, *((printed.output, printed.params + mark, printed.ops) if printed else ("", "", "")))
            if printed and printed.remark:
                remarks.append(f"* {node.name}: {printed.remark}")
        rows.append(row)
    total: tuple[str, ...] = ("total", "", "", f"{bill.params:,}", f"{bill.macs:,}", "100 %", "")
    if bill.heads:
        remarks.append(
            f"With the auxiliary heads (training only): {bill.params_with_heads:,} parameters, "
            f"{bill.macs_with_heads:,} multiply-adds."
        )
    return Table(headings, tuple(rows), (*total, *("",) * (len(headings) - len(total))), tuple(remarks))


def _ours(node: Cost, whole: int) -> tuple[str, ...]:
    return (
        node.name,
        node.op,
        str(node.output),
        f"{node.params:,}" if node.params else "",
        f"{node.macs:,}" if node.macs else "",
        f"{node.macs / whole:.1%}".replace("%", " %") if whole and node.macs else "",
        f"{node.field}",
    )
