"""The steps by which the "Rethinking" paper gets from GoogLeNet's modules to Inception-v3's, each of which can be left out.

Szegedy et al. 2015, arXiv:1512.00567. `inception_v3/paper` takes all of them. What is left out stands behind its name, in any
number and order: "paper-5x5", "paper-7x7_stem-plain_aux" (which is Table 3's Inception-v2). Such a name is a variant like any
other: weight files, recipes and commands take it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from inceptions.errors import UsageError, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What a network of the paper has of its steps.

    Attributes:
        two_3x3: two 3x3 in place of a 5x5 (section 3.1; figure 5 instead of 4).
        asymmetric: 1x7 and 7x1 in place of a 7x7 (section 3.2; figure 6), in the 17x17 modules and the reduction behind them.
        reduction: how maps are halved: convolution and pooling in parallel (figure 10); the convolutions of that alone; pooling
            first, which loses information, or last, which costs four times as much (section 5; figure 9).
        stem_3x3: three 3x3 in place of the stem's 7x7 (section 6).
        normalised_aux: batch norm on the auxiliary head's fully connected layer, not just on its convolution (section 4).
    """

    two_3x3: bool = True
    asymmetric: bool = True
    reduction: Literal["parallel", "convolution", "pool_first", "pool_last"] = "parallel"
    stem_3x3: bool = True
    normalised_aux: bool = True


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A step that is not taken: what that changes, and how a summary says it."""

    change: dict[str, Any]
    words: str


LADDER: dict[str, LeftOut] = {
    "5x5": LeftOut({"two_3x3": False}, "5×5 instead of two 3×3 (figure 4)"),
    "7x7": LeftOut({"asymmetric": False}, "7×7 instead of 1×7 and 7×1"),
    "convolution": LeftOut({"reduction": "convolution"}, "convolutions alone halve the maps"),
    "pool_first": LeftOut({"reduction": "pool_first"}, "pooling alone halves the maps (figure 9, left)"),
    "pool_last": LeftOut({"reduction": "pool_last"}, "the module runs at full size, then pooling halves (figure 9, right)"),
    "7x7_stem": LeftOut({"stem_3x3": False}, "a 7×7 instead of three 3×3 in the stem"),
    "plain_aux": LeftOut({"normalised_aux": False}, "no batch norm on the auxiliary head's fully connected layer"),
}
"""What can be left out, by the name that says so; in the paper's order."""


def without(names: Sequence[str]) -> tuple[Steps, list[str]]:
    """The steps that remain, and the names of those that do not in the order of `LADDER`.

    Raises:
        UsageError: a name that is none, or two that change the same thing.
    """
    steps = Steps()
    for name in names:
        if name not in LADDER:
            raise unknown("step of the ladder", name, LADDER)
        changed = replace(steps, **LADDER[name].change)
        if any(getattr(steps, field) != getattr(Steps(), field) for field in LADDER[name].change):
            raise UsageError(f"Of the ladder's steps, {'-'.join(names)} changes one twice: name each once.")
        steps = changed
    return steps, sorted(names, key=list(LADDER).index)
