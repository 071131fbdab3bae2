"""Inception-v4: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning", AAAI 2017 (arXiv:1602.07261), figures 3 to 9 and Table 1.

* `released`: TF-slim's inception_v4, to which all published weights belong; it has an auxiliary head the paper does not
  mention.
* `paper`: the figures, which draw some pairs of 1x7 and 7x1 (and one of 1x3 and 3x1) the other way round. Figure 5 draws
  "1x7, 1x7" in its second branch, a misprint: without a 7x1 the factorisation is not one. It is declared 1x7, 7x1.

Both have the same parameters and multiply-adds; only the shapes of some kernels differ.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from inceptions.architecture.declaration import Architecture, Published, assemble
from inceptions.architecture.inception_v2 import auxiliary_head, average, classifier, conv, halve
from inceptions.architecture.nodes import Concat, Conv, Node, concat
from inceptions.architecture.options import Options

Variant = Literal["released", "paper"]

STAGE_35 = ("mixed_5b", "mixed_5c", "mixed_5d", "mixed_5e")
STAGE_17 = ("mixed_6b", "mixed_6c", "mixed_6d", "mixed_6e", "mixed_6f", "mixed_6g", "mixed_6h")
STAGE_8 = ("mixed_7b", "mixed_7c", "mixed_7d")

# The sizes beside figure 3's stem and figure 9's outline.
PUBLISHED = {
    "conv_1a": Published("149×149×32"),
    "conv_2a": Published("147×147×32"),
    "conv_2b": Published("147×147×64"),
    "mixed_3a": Published("73×73×160"),
    "mixed_4a": Published("71×71×192"),
    "mixed_5a": Published("35×35×384"),
    **{name: Published("35×35×384") for name in STAGE_35},
    "mixed_6a": Published("17×17×1024"),
    **{name: Published("17×17×1024") for name in STAGE_17},
    "mixed_7a": Published("8×8×1536"),
    **{name: Published("8×8×1536") for name in STAGE_8},
    "main.pool": Published("1536"),
    "main.dropout": Published("1536"),
    "main.logits": Published("1000"),
}

SUMMARIES: dict[str, str] = {
    "released": "TF-slim's order of 1×7 and 7×1, one auxiliary head (published weights)",
    "paper": "the figures' order of 1×7 and 7×1, no auxiliary head",
}


def inception_v4(variant: Variant = "released", options: Options | None = None) -> Architecture:
    """Declare Inception-v4.

    Args:
        variant: which of the two.
        options: classes, input channels, multipliers; the published ones if None.
    """
    options = (options or Options()).settled()
    figures = variant == "paper"
    seventeen = options.stage(STAGE_17)
    trunk: tuple[Node, ...] = (
        *stem(options, figures),
        *(module_35(name, options) for name in options.stage(STAGE_35)),
        reduction_17("mixed_6a", options, k=192, l=224, m=256, n=384),
        *(module_17(name, options, figures) for name in seventeen),
        reduction_8("mixed_7a", options),
        *(module_8(name, options, figures) for name in options.stage(STAGE_8)),
    )
    return assemble(
        name="inception_v4",
        variant=variant,
        summary=SUMMARIES[variant],
        source="Szegedy et al. 2016, arXiv:1602.07261, figures 3 to 9",
        input_size=(299, 299),
        trunk=trunk,
        aux=() if figures else (auxiliary_head(seventeen[-1], options),),
        main=classifier(options, dropout=0.2),
        options=options,
        published=PUBLISHED,
        initialiser="variance_scaling",
    )


def stem(options: Options, figures: bool = False) -> tuple[Node, ...]:
    """Figure 3: 299x299x3 to 35x35x384, with three splits. `figures` draws 7x1 before 1x7."""
    wide = options.filters
    pair = (conv("1x7", wide(64), (1, 7)), conv("7x1", wide(64), (7, 1)))
    return (
        conv("conv_1a", wide(32), 3, stride=2, padding="valid"),
        conv("conv_2a", wide(32), 3, padding="valid"),
        conv("conv_2b", wide(64), 3),
        concat("mixed_3a", (halve("pool"),), (conv("3x3", wide(96), 3, stride=2, padding="valid"),)),
        concat(
            "mixed_4a",
            (conv("3x3_reduce", wide(64), 1), conv("3x3", wide(96), 3, padding="valid")),
            (conv("7x7_reduce", wide(64), 1), *turned(pair, figures), conv("3x3", wide(96), 3, padding="valid")),
        ),
        concat("mixed_5a", (conv("3x3", wide(192), 3, stride=2, padding="valid"),), (halve("pool"),)),
    )


def module_35(name: str, options: Options) -> Concat:
    """Figure 4, Inception-A: 1x1 | 1x1, 3x3 | 1x1, 3x3, 3x3 | pool, 1x1."""
    wide = options.filters
    return concat(
        name,
        (conv("1x1", wide(96), 1),),
        (conv("3x3_reduce", wide(64), 1), conv("3x3", wide(96), 3)),
        (conv("3x3_reduce", wide(64), 1), conv("3x3_1", wide(96), 3), conv("3x3_2", wide(96), 3)),
        (average("pool"), conv("pool_proj", wide(96), 1)),
    )


def module_17(name: str, options: Options, figures: bool) -> Concat:
    """Figure 5, Inception-B: 1x1 | 1x1, 1x7, 7x1 | 1x1, 7x1, 1x7, 7x1, 1x7 (drawn 1x7 first) | pool, 1x1."""
    wide = options.filters
    return concat(
        name,
        (conv("1x1", wide(384), 1),),
        (conv("7x7_reduce", wide(192), 1), conv("1x7", wide(224), (1, 7)), conv("7x1", wide(256), (7, 1))),
        (
            conv("7x7_reduce", wide(192), 1),
            *turned((conv("7x1_1", wide(192), (7, 1)), conv("1x7_1", wide(224), (1, 7))), figures),
            *turned((conv("7x1_2", wide(224), (7, 1)), conv("1x7_2", wide(256), (1, 7))), figures),
        ),
        (average("pool"), conv("pool_proj", wide(128), 1)),
    )


def module_8(name: str, options: Options, figures: bool) -> Concat:
    """Figure 6, Inception-C: 1x1 | 1x1, (1x3 | 3x1) | 1x1, 3x1, 1x3 (drawn 1x3 first), (1x3 | 3x1) | pool, 1x1."""
    wide = options.filters
    split = concat("split", (conv("1x3", wide(256), (1, 3)),), (conv("3x1", wide(256), (3, 1)),))
    return concat(
        name,
        (conv("1x1", wide(256), 1),),
        (conv("3x3_reduce", wide(384), 1), split),
        (
            conv("3x3_reduce", wide(384), 1),
            *turned((conv("3x1", wide(448), (3, 1)), conv("1x3", wide(512), (1, 3))), figures),
            split,
        ),
        (average("pool"), conv("pool_proj", wide(256), 1)),
    )


def reduction_17(name: str, options: Options, *, k: int, l: int, m: int, n: int) -> Concat:  # noqa: E741 (Table 1's letters)
    """Figure 7, Reduction-A, 35x35 to 17x17: n 3x3/2 | k 1x1, l 3x3, m 3x3/2 | max pool/2; the letters are Table 1's."""
    wide = options.filters
    return concat(
        name,
        (conv("3x3", wide(n), 3, stride=2, padding="valid"),),
        (conv("3x3_reduce", wide(k), 1), conv("3x3_1", wide(l), 3), conv("3x3_2", wide(m), 3, stride=2, padding="valid")),
        (halve("pool"),),
    )


def reduction_8(name: str, options: Options) -> Concat:
    """Figure 8, Reduction-B, 17x17 to 8x8: 1x1, 3x3/2 | 1x1, 1x7, 7x1, 3x3/2 | max pool/2."""
    wide = options.filters
    return concat(
        name,
        (conv("3x3_reduce", wide(192), 1), conv("3x3", wide(192), 3, stride=2, padding="valid")),
        (
            conv("7x7_reduce", wide(256), 1),
            conv("1x7", wide(256), (1, 7)),
            conv("7x1", wide(320), (7, 1)),
            conv("3x3", wide(320), 3, stride=2, padding="valid"),
        ),
        (halve("pool"),),
    )


def turned(pair: tuple[Conv, Conv], turn: bool) -> tuple[Conv, Conv]:
    """The pair with its kernels, not its widths, the other way round, if `turn`."""
    first, second = pair
    if not turn:
        return pair
    return replace(second, filters=first.filters), replace(first, filters=second.filters)
