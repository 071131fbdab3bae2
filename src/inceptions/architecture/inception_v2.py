"""Inception-v2: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer Vision", CVPR
2016 (arXiv:1512.00567), Table 1 and figures 4 to 10. (TF-slim's inception_v2 is `bn_inception`.)

The text gives no widths inside the modules: the released Inception-v3's are used, which come to the table's channels. It
leaves open whether its five 17x17 modules count the one that makes the map 17x17: here they do, as in the released network.
Where the figures show a reduction as a sketch (figure 10), the released one stands.

Each step by which the paper gets from GoogLeNet's modules to these can be left out, so that it can be measured
(`inceptions.architecture.ladder`). The paper says twice what it calls Inception-v2, and differently: Table 1 prints a stem of
3x3 convolutions, while Table 3 counts the step from a 7x7 to that stem as one of those from v2 to v3. `paper` follows Table 3,
`table_1` follows Table 1. With every step taken it is `inception_v3/paper`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from inceptions.architecture.declaration import Architecture, Published, assemble
from inceptions.architecture.ladder import Steps
from inceptions.architecture.nodes import (
    BatchNorm,
    Chain,
    Concat,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    GridPool,
    Head,
    Node,
    Pool,
    chain,
    concat,
)
from inceptions.architecture.options import Options

Variant = Literal["paper", "table_1"]

NORM = BatchNorm(eps=1e-3)
# Batch norm everywhere; a window that shrinks the map says so: the habit of this paper and the next.
conv = partial(Conv, norm=NORM)
halve = partial(Pool, kind="max", kernel=3, stride=2, padding="valid")
average = partial(Pool, kind="average", kernel=3)


@dataclass(frozen=True, slots=True)
class Row:
    """A module and the one width in which it differs from its neighbours."""

    name: str
    filters: int


STAGE_35 = ("mixed_5b", "mixed_5c", "mixed_5d")
# Filters of the convolutions inside the factorised branches.
STAGE_17 = (Row("mixed_6b", 128), Row("mixed_6c", 160), Row("mixed_6d", 160), Row("mixed_6e", 192))
STAGE_8 = ("mixed_7b", "mixed_7c")

# The graph of 2015 counts its modules from "mixed" to "mixed_10"; Keras likewise, from "mixed0".
MODULES = (*STAGE_35, "mixed_6a", *(row.name for row in STAGE_17), "mixed_7a", *STAGE_8)
ALIASES = {"mixed": MODULES[0], **{f"mixed{sign}{i}": name for sign in ("_", "") for i, name in enumerate(MODULES)}}


STEPS = {
    "paper": Steps(stem_3x3=False, normalised_aux=False),
    "table_1": Steps(normalised_aux=False),
}
SUMMARIES: dict[str, str] = {
    "paper": "Table 3's Inception-v2: 7×7 stem, no batch norm on the auxiliary head's fully connected layer",
    "table_1": "Table 1's Inception-v2: the 3×3 stem, which Table 3 counts as a later step",
}

# Table 1 prints what enters each row; here it stands in the row that makes it.
TABLE_1 = {
    "conv_1a": Published("149×149×32"),
    "conv_2a": Published("147×147×32"),
    "conv_2b": Published("147×147×64"),
    "pool_3a": Published("73×73×64"),
    "conv_3b": Published("71×71×80"),
    "conv_4a": Published("35×35×192"),
    "conv_4b": Published("35×35×288"),
    "mixed_5d": Published("35×35×288"),
    "mixed_6a": Published("17×17×768"),
    "mixed_6e": Published("17×17×768", remark="the table has five modules here and no row for the reductions"),
    "mixed_7a": Published("8×8×1280"),
    "mixed_7c": Published("8×8×2048"),
    "main.pool": Published("1×1×2048"),
    "main.logits": Published("1×1×1000"),
}


def inception_v2(variant: Variant = "paper", options: Options | None = None) -> Architecture:
    """Declare the Inception-v2 of the "Rethinking" paper (TF-slim's inception_v2 is `bn_inception`).

    Args:
        variant: the paper says in Table 1 and in Table 3 what it means by Inception-v2, and they differ in the stem.
        options: classes, input channels, multipliers; the published ones if None.
    """
    return rethought("inception_v2", variant, SUMMARIES[variant], STEPS[variant], options or Options())


def rethought(name: str, variant: str, summary: str, steps: Steps, options: Options) -> Architecture:
    """Declare the network of Table 1 with the given steps taken."""
    options = options.settled()
    wide = options.filters
    seventeen = options.rows(STAGE_17)
    top: tuple[Node, ...] = (
        conv("conv_1a", wide(32), 3, stride=2, padding="valid"),
        conv("conv_2a", wide(32), 3, padding="valid"),
        conv("conv_2b", wide(64), 3),
    )
    trunk: tuple[Node, ...] = (
        *(top if steps.stem_3x3 else (conv("conv_1a", wide(64), 7, stride=2, padding="valid"),)),
        halve("pool_3a"),
        conv("conv_3b", wide(80), 3, padding="valid"),
        conv("conv_4a", wide(192), 3, stride=2, padding="valid"),
        conv("conv_4b", wide(288), 3),
        *(figure_5(name, options, steps.two_3x3) for name in options.stage(STAGE_35)),
        reduced(reduction_17("mixed_6a", options), steps),
        *(figure_6(row, options, steps.asymmetric) for row in seventeen),
        reduced(reduction_8("mixed_7a", options, steps.asymmetric), steps),
        *(module_8(name, options) for name in options.stage(STAGE_8)),
    )
    return assemble(
        name=name,
        variant=variant,
        summary=summary,
        source="Szegedy et al. 2015, arXiv:1512.00567, Table 1",
        input_size=(299, 299),
        trunk=trunk,
        aux=(auxiliary_head(seventeen[-1].name, options, stds=(0.01, 0.001), normalised=steps.normalised_aux),),
        main=classifier(options, dropout=0.2),
        options=options,
        aliases=ALIASES,
        published=TABLE_1 if steps in (Steps(), STEPS["table_1"]) else {},
        initialiser="truncated_normal",
    )


def figure_5(name: str, options: Options, two_3x3: bool) -> Concat:
    """1x1 | 1x1, 3x3 | 1x1, 3x3, 3x3 | pool, 1x1; figure 4 has a 5x5 in place of the two."""
    wide = options.filters
    large = (conv("3x3_1", wide(96), 3), conv("3x3_2", wide(96), 3)) if two_3x3 else (conv("5x5", wide(96), 5),)
    return concat(
        name,
        (conv("1x1", wide(64), 1),),
        (conv("3x3_reduce", wide(48), 1), conv("3x3", wide(64), 3)),
        (conv("3x3_reduce" if two_3x3 else "5x5_reduce", wide(64), 1), *large),
        (average("pool"), conv("pool_proj", wide(64), 1)),
    )


def figure_6(row: Row, options: Options, asymmetric: bool) -> Concat:
    """As `module_17` with the pairs in the figure's order, 1x7 before 7x1; without the step, a 7x7 in place of each pair."""
    wide, inner = options.filters, options.filters(row.filters)

    def pair(suffix: str, filters: int) -> tuple[Conv, ...]:
        if not asymmetric:
            return (conv(f"7x7{suffix}", filters, 7),)
        return conv(f"1x7{suffix}", inner, (1, 7)), conv(f"7x1{suffix}", filters, (7, 1))

    return concat(
        row.name,
        (conv("1x1", wide(192), 1),),
        (conv("7x7_reduce", inner, 1), *pair("", wide(192))),
        (conv("7x7_reduce", inner, 1), *pair("_1", inner), *pair("_2", wide(192))),
        (average("pool"), conv("pool_proj", wide(192), 1)),
    )


def module_8(name: str, options: Options, pool: partial[Pool] = average) -> Concat:
    """Figure 7: 1x1 | 1x1, (1x3 | 3x1) | 1x1, 3x3, (1x3 | 3x1) | pool, 1x1."""
    wide = options.filters
    split = concat("split", (conv("1x3", wide(384), (1, 3)),), (conv("3x1", wide(384), (3, 1)),))
    return concat(
        name,
        (conv("1x1", wide(320), 1),),
        (conv("3x3_reduce", wide(384), 1), split),
        (conv("3x3_reduce", wide(448), 1), conv("3x3", wide(384), 3), split),
        (pool("pool"), conv("pool_proj", wide(192), 1)),
    )


def reduction_17(name: str, options: Options) -> Concat:
    """35x35 to 17x17: 3x3/2 | 1x1, 3x3, 3x3/2 | max pool/2 (figure 10)."""
    wide = options.filters
    return concat(
        name,
        (conv("3x3", wide(384), 3, stride=2, padding="valid"),),
        (
            conv("3x3_reduce", wide(64), 1),
            conv("3x3_1", wide(96), 3),
            conv("3x3_2", wide(96), 3, stride=2, padding="valid"),
        ),
        (halve("pool"),),
    )


def reduction_8(name: str, options: Options, asymmetric: bool = True) -> Concat:
    """17x17 to 8x8: 1x1, 3x3/2 | 1x1, 1x7, 7x1, 3x3/2 | max pool/2; or a 7x7 in place of the pair."""
    wide = options.filters
    pair = (conv("1x7", wide(192), (1, 7)), conv("7x1", wide(192), (7, 1)))
    return concat(
        name,
        (conv("3x3_reduce", wide(192), 1), conv("3x3", wide(320), 3, stride=2, padding="valid")),
        (
            conv("7x7_reduce", wide(192), 1),
            *(pair if asymmetric else (conv("7x7", wide(192), 7),)),
            conv("3x3", wide(192), 3, stride=2, padding="valid"),
        ),
        (halve("pool"),),
    )


def reduced(parallel: Concat, steps: Steps) -> Node:
    """A reduction as figure 10 has it, or its convolutions alone, or one of figure 9's: pooling alone, or the same module
    unstrided and then pooling.
    """
    match steps.reduction:
        case "parallel":
            return parallel
        case "convolution":
            *convolutions, _ = parallel.branches
            return Concat(parallel.name, tuple(convolutions))
        case "pool_first":
            return halve(parallel.name)
        case "pool_last":
            return chain(parallel.name, Concat("mixed", tuple(map(unstrided, parallel.branches))), halve("pool"))


def unstrided(branch: Chain) -> Chain:
    """The branch at the full size of its input."""
    strided = (node for node in branch.nodes if isinstance(node, Conv | Pool))
    return Chain(branch.name, tuple(replace(node, stride=1, padding="same") for node in strided))


def auxiliary_head(
    at: str, options: Options, *, stds: tuple[float | None, float | None] = (None, None), normalised: bool = True
) -> Head:
    """Average pooling 5x5 stride 3 (17x17 to 5x5), 128 1x1, 768 5x5 (a fully connected layer in effect), classifier.

    Args:
        at: the 17x17 module it hangs on; the head is named after it.
        options: classes and width.
        stds: standard deviations that the 5x5 and the classifier start with.
        normalised: batch norm on the 5x5 ("BN-auxiliary").
    """
    name = f"aux_{at.removeprefix('mixed_')}"
    return Head(
        name,
        chain(
            name,
            GridPool("pool", 5, kernel=5, stride=3),
            conv("1x1", options.filters(128), 1),
            conv("5x5", options.filters(768), 5, padding="valid", norm=NORM if normalised else None, std=stds[0]),
            Flatten("flatten"),
            Dense("logits", options.classes, std=stds[1]),
        ),
        at=at,
    )


def classifier(options: Options, dropout: float) -> Chain:
    """Global average, dropout, one fully connected layer."""
    return chain("main", GlobalPool("pool"), Dropout("dropout", dropout), Dense("logits", options.classes))
