"""What can be said of weights without running them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import torch
from torch import Tensor

from inceptions.architecture import Architecture
from inceptions.predict.doctor.findings import Finding

State = Mapping[str, Tensor]

# A filter this much weaker than the middle one of its layer moves nothing.
WEAK = 1e-4


def numbers(state: State) -> Finding:
    """NaN and infinity."""
    bad = [name for name, tensor in state.items() if tensor.is_floating_point() and not bool(tensor.isfinite().all())]
    values = sum(tensor.numel() for tensor in state.values())
    if bad:
        return Finding(
            "numbers",
            "fail",
            f"{_several(bad, 'tensor')} {'holds' if len(bad) == 1 else 'hold'} NaN or infinity.",
            {"tensors": bad},
        )
    return Finding("numbers", "ok", f"All {values:,} values of {len(state)} tensors are finite.")


def filters(state: State, architecture: Architecture) -> Finding:
    """Filters that are zero, or as good as zero beside the others of their layer, or scaled to zero by their batch norm."""
    heads = tuple(f"{head.name}." for head in architecture.heads)
    dead: dict[str, int] = {}
    whole: list[str] = []
    total = 0
    for name, tensor in state.items():
        if tensor.ndim < 2 or (name.startswith(heads) and ".logits." in name):
            continue
        norms = tensor.flatten(1).float().norm(dim=1)
        quiet = norms <= WEAK * norms.median()
        scale = state.get(f"{name.rpartition('.')[0].rpartition('.')[0]}.bn.weight")
        if scale is not None and scale.shape == quiet.shape:
            quiet = quiet | (scale.abs().float() <= WEAK * scale.abs().float().median())
        total += len(quiet)
        if bool(quiet.any()):
            dead[name] = int(quiet.sum())
            if bool(quiet.all()):
                whole.append(name)
    count = sum(dead.values())
    details = {"filters": total, "dead": dead}
    if whole:
        return Finding("filters", "fail", f"{_several(whole, 'layer')} of nothing but dead filters.", details)
    if count:
        return Finding(
            "filters",
            "warn",
            f"{count:,} of {total:,} filters are dead (as good as zero), in {_several(dead, 'layer')}.",
            details,
        )
    return Finding("filters", "ok", f"None of {total:,} filters is dead.", details)


def batch_norm(state: State) -> Finding:
    """Statistics that no image ever touched."""
    means = {name: tensor for name, tensor in state.items() if name.endswith(".bn.running_mean")}
    if not means:
        return Finding("batch norm", "note", "The network has none.")
    fresh: list[str] = []
    folded: list[str] = []
    bad: list[str] = []
    for name, mean in means.items():
        unit = name.removesuffix(".running_mean")
        variance = state[f"{unit}.running_var"]
        if bool((variance < 0).any()):
            bad.append(unit)
        elif bool((mean == 0).all()) and bool((variance == variance.flatten()[0]).all()):
            # A batch norm that was folded into its convolution does nothing: variance + eps is 1.
            (fresh if float(variance.flatten()[0]) == 1.0 else folded).append(unit)
    details = {"layers": len(means), "untouched": fresh, "folded": len(folded), "negative": bad}
    if bad:
        says = f"{_several(bad, 'layer')} with a negative variance."
        return Finding("batch norm", "fail", says, details)
    if fresh:
        says = f"{_several(fresh, 'layer')} of {len(means)} with the statistics of a fresh network (mean 0, variance 1): "
        why = "it was never trained, or saved without them." if len(fresh) == len(means) else "they never saw an image."
        return Finding("batch norm", "fail", says + why, details)
    if folded:
        return Finding(
            "batch norm",
            "note",
            f"Folded into the convolutions in {len(folded)} of {len(means)} layers, which keep no statistics.",
            details,
        )
    return Finding("batch norm", "ok", f"All {len(means)} layers have statistics.", details)


def classifier(state: State) -> Finding:
    """Rows of the main classifier that no image trained, and rows that are the same."""
    weight = state["main.logits.linear.weight"].float()
    bias = state.get("main.logits.linear.bias")
    rows = weight if bias is None else torch.cat([weight, bias.float()[:, None]], dim=1)
    norms = weight.norm(dim=1)
    empty = (norms <= 1e-3 * norms.median()).nonzero().flatten().tolist()
    _, place, counts = torch.unique(rows, dim=0, return_inverse=True, return_counts=True)
    twins = [i for i in (counts[place] > 1).nonzero().flatten().tolist() if i not in set(empty)]
    details = {"rows": len(rows), "empty": empty, "equal": twins}
    if len(rows) > 1 and (len(counts) == 1 or len(empty) == len(rows)):
        return Finding("classifier", "fail", "All its rows are the same.", details)
    if empty or twins:
        parts = [f"{len(empty):,} are (nearly) zero"] * bool(empty) + [f"{len(twins):,} equal another one"] * bool(twins)
        first = ", ".join(str(i) for i in islice(sorted({*empty, *twins}), 5))
        return Finding(
            "classifier",
            "warn",
            f"Of {len(rows):,} rows {' and '.join(parts)} (outputs {first}…): these classes were never trained.",
            details,
        )
    return Finding("classifier", "ok", f"Its {len(rows):,} rows all differ.", details)


def _several(names: Mapping[str, int] | list[str], noun: str) -> str:
    """A number of things and the first of them: "1 layer (conv_1a)", "3 tensors (first: …)"."""
    first = next(iter(names))
    return f"1 {noun} ({first})" if len(names) == 1 else f"{len(names)} {noun}s (first: {first})"
