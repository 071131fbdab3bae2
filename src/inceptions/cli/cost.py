"""`inceptions cost`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

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
    classes: Whole | None = None,
    in_channels: Whole = 3,
    until: str | None = None,
    width: float = 1.0,
    depth: float = 1.0,
    residual_scale: float | None = None,
    padding: Literal["published", "same"] = "published",
    aux: Annotated[bool | None, Parameter(negative="--no-aux")] = None,
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
      inceptions cost inception_v3/paper-5x5-7x7_stem
      inceptions cost --compare googlenet,inception_v3,inception_v3/paper
      inceptions cost --explain-bottleneck

    Args:
        name: Network, as `inceptions models` lists them.
        variant: Which of the networks of that name.
        image_size: Side of the input in pixels, or HEIGHTxWIDTH; the published one if left out.
        batch: Images at a time, for the memory.
        classes: Outputs of every head; the published number if left out.
        in_channels: Channels of the input.
        until: End at this layer (by name, or by stride), with pooling and a classifier behind it.
        width: Factor on the number of filters.
        depth: Factor on the number of modules.
        residual_scale: Factor on the residuals of an Inception-ResNet, 0 to 1.
        padding: "same" pads every window, so that only strides change sizes.
        aux: With or without the auxiliary heads; as published if left out.
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
    if explain_bottleneck and csv:
        raise UsageError("--explain-bottleneck is a calculation, not a table: print it as text or with --json.")
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
    options = Options(
        num_classes=classes,
        in_channels=in_channels,
        aux=aux,
        until=int(until) if until and until.isdecimal() else until,
        width=width,
        depth=depth,
        residual_scale=residual_scale,
        padding=padding,
    )
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
    if not compare:
        print(f"{bills[0].architecture.full_name}: {bills[0].architecture.summary}\n")
    print(table_text(laid))
    if not compare:
        print(memory_text(peaks[0]))
