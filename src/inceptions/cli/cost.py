"""`inceptions cost`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from inceptions.cli.options import Flag, Whole
from inceptions.console import one_form, show
from inceptions.errors import UsageError


def cost(
    name: str | None = None,
    /,
    *,
    variant: str | None = None,
    image_size: str | None = None,
    batch: Whole = 1,
    classes: Whole = 1000,
    width: float = 1.0,
    depth: float = 1.0,
    compare: str | None = None,
    diagram: Path | None = None,
    explain_bottleneck: Flag = False,
    json: Flag = False,
    csv: Flag = False,
) -> None:
    """Count a network's parameters and multiply-adds beside the paper's table.

    For example:

      inceptions cost googlenet
      inceptions cost googlenet --variant paper --image-size 128
      inceptions cost inception_v3 --image-size 299x399 --batch 32
      inceptions cost inception_v4 --diagram inception_v4.svg
      inceptions cost --compare googlenet,inception_v3,inception_v3/paper
      inceptions cost --explain-bottleneck

    Args:
        name: Network, as `inceptions models` lists them.
        variant: Which of the networks of that name.
        image_size: Side of the input in pixels, or HEIGHTxWIDTH; the published one if left out.
        batch: Images at a time, for the memory.
        classes: Outputs of every head.
        width: Factor on the number of filters.
        depth: Factor on the number of modules.
        compare: Networks to compare, one row each: NAME,NAME/VARIANT,…
        diagram: Draw the network into this SVG file too.
        explain_bottleneck: Count the classical example of a 1×1 reduction instead.
        json: Print one JSON document instead of text.
        csv: Print a table for a spreadsheet instead of text.
    """
    from inceptions.architecture import Options, declare
    from inceptions.architecture import cost as count
    from inceptions.architecture import diagram as draw
    from inceptions.architecture.bottleneck import bottleneck
    from inceptions.architecture.memory import memory
    from inceptions.architecture.table import comparison, table
    from inceptions.architecture.text import bottleneck_text, memory_text, read_size, table_csv, table_text
    from inceptions.files import write_text

    one_form(json, csv)
    if explain_bottleneck:
        example = bottleneck()
        if json:
            show({**asdict(example), "total": example.total})
        else:
            print(bottleneck_text(example))
        return
    asked = [(name, variant)] if name else []
    asked += [(other.strip(), None) for other in (compare or "").split(",") if other.strip()]
    if not asked:
        raise UsageError("Which network? For example: inceptions cost googlenet. `inceptions models` lists them all.")
    if variant and not name:
        raise UsageError("--variant needs the network's name before it; with --compare, write NAME/VARIANT.")
    if diagram and compare:
        raise UsageError("--diagram draws one network, --compare prints several: name one of the two.")
    if batch < 1:
        raise UsageError(f"--batch must be at least 1, not {batch}.")
    size = None if image_size is None else read_size(image_size)
    options = Options(num_classes=classes, width=width, depth=depth)
    bills = [count(declare(network, kind, options), size) for network, kind in asked]
    if diagram:
        write_text(diagram, draw(bills[0]))
        print(f"drawn in {diagram}", file=sys.stderr)
    peaks = [memory(bill.architecture, size, batch=batch) for bill in bills]
    documents = [{**bill.to_dict(), "memory": peak.to_dict()} for bill, peak in zip(bills, peaks, strict=True)]
    if json:
        show(documents if compare else documents[0])
        return
    laid = comparison(bills, batch) if compare else table(bills[0], batch)
    if csv:
        print(table_csv(laid), end="")
        return
    print(table_text(laid))
    if not compare:
        print(memory_text(peaks[0]))
