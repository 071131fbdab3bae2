"""The catalogue as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from inceptions.weights.preprocess import Preprocess
from inceptions.weights.published.cache import place
from inceptions.weights.published.checkpoint import Published

HEADINGS = ("weights", "network", "classes", "input", "top-1", "top-5", "size", "licence")
NUMBERS = frozenset({"classes", "input", "top-1", "top-5", "size"})
UNKNOWN = "–"


def catalogue_text(rows: Sequence[Published]) -> str:
    """One line a checkpoint."""
    table = [HEADINGS, *(_cells(one) for one in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]

    def line(cells: Sequence[str]) -> str:
        placed = (
            cell.rjust(width) if heading in NUMBERS else cell.ljust(width)
            for cell, width, heading in zip(cells, widths, HEADINGS, strict=True)
        )
        return "  ".join(placed).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join(
        (
            line(HEADINGS),
            rule,
            *map(line, table[1:]),
            f"{UNKNOWN} is what nobody states. Accuracy in percent on ImageNet, as published. Licence: of the weights.",
            "All about one: inceptions models --weights inception_v3.torchvision_in1k",
            'In Python: inceptions.create_model("inception_v3", weights="torchvision_in1k")',
        )
    )


def checkpoint_text(one: Published) -> str:
    """Everything known of a checkpoint."""
    checksum = UNKNOWN if one.checksum is None else f"{one.checksum.kind} {one.checksum.digest}"
    if one.hub is not None:
        checksum = "sha256, as the Hub states it when the file is fetched"
    score = UNKNOWN if one.top1 is None else f"{one.top1} % top-1, {one.top5} % top-5 (measured by {one.scored_by})"
    size = UNKNOWN if one.size is None else f"{one.size:,} bytes"
    lines = {
        "network": one.network,
        "outputs": f"{one.outputs:,} ({one.classes})" if one.outputs else "none: without its classifier",
        "input": preprocess_text(one.preprocess),
        "accuracy": score,
        "licence": one.licence or "not stated for the weights",
        "address": one.link,
        "size": size,
        "checksum": checksum,
        "kept in": str(place(one)),
        "remark": one.remark,
    }
    if one.member is not None:
        lines["kept in"] += f" (an archive, of which {one.member} is used)"
    width = max(map(len, lines))
    return "\n".join((one.full_name, *(f"  {key:<{width}}  {value}" for key, value in lines.items() if value)))


def preprocess_text(preprocess: Preprocess) -> str:
    """What happens to an image: geometry, then colours."""
    mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (preprocess.mean, preprocess.std))
    return f"{preprocess.describe()}; {preprocess.channels} from 0 to 1, less ({mean}), divided by ({std})"


def _cells(one: Published) -> tuple[str, ...]:
    def percent(value: float | None) -> str:
        return UNKNOWN if value is None else f"{value:.2f}"

    return (
        one.full_name,
        one.network,
        f"{one.outputs:,}" if one.outputs else "none",
        "×".join(map(str, one.preprocess.size)),
        percent(one.top1),
        percent(one.top5),
        UNKNOWN if one.size is None else f"{one.size / 1e6:.1f} MB",
        one.licence or UNKNOWN,
    )
