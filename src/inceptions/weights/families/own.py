"""Our own names, in a file that somebody wrote without a card."""

from __future__ import annotations

from inceptions.architecture import Architecture
from inceptions.architecture.nodes import Conv, SeparableConv
from inceptions.weights.families.names import COUNTER, Pair, Translation, has_bias, units


def own(architecture: Architecture) -> Translation:
    """Every tensor under its own name."""
    pairs: list[Pair] = []
    for path, unit in units(architecture):
        if isinstance(unit, SeparableConv):
            pairs.append(Pair(f"{path}.depthwise.weight", f"{path}.depthwise.weight"))
        core = "pointwise" if isinstance(unit, SeparableConv) else "conv" if isinstance(unit, Conv) else "linear"
        names = [f"{core}.weight", *([f"{core}.bias"] if has_bias(unit) else [])]
        if unit.norm is not None:
            names += [f"bn.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
        pairs += [Pair(f"{path}.{name}", f"{path}.{name}") for name in names]
        if unit.norm is not None:
            pairs.append(Pair(f"{path}.bn.{COUNTER}", f"{path}.bn.{COUNTER}", otherwise=0.0))
    return Translation(tuple(pairs))
