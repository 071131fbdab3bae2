"""Inception-v3: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer Vision", CVPR
2016 (arXiv:1512.00567), and the network its authors released (TF-slim's inception_v3).

The released network is not the one of the paper's Table 1. It has a 1x1 convolution and a second pooling in the stem,
widens the pool projections one by one, and keeps a 5x5 beside the two 3x3 of its 35x35 modules. All published weights
belong to it, under one of two rules for its average pools: `torchvision` (and timm) count the padding, which the weights
were not trained with, `tensorflow` (and Keras, TF-slim) do not. `fid` is the graph of 2015-12-05 that the Fréchet distance
is measured with: a max pool in the last module.

`tensorflow_151` and `tensorflow_79` are the networks of section 9, which see smaller images with the same weights.

`paper` is Table 1 (see `inception_v2`), and "paper-5x5", "paper-7x7_stem-plain_aux", ... the same without some of the paper's
steps (see `ladder`).
"""

from __future__ import annotations

from functools import partial

from inceptions.architecture.declaration import Architecture, assemble
from inceptions.architecture.inception_v2 import (
    ALIASES,
    STAGE_8,
    STAGE_17,
    Row,
    auxiliary_head,
    classifier,
    conv,
    halve,
    module_8,
    reduction_8,
    reduction_17,
    rethought,
)
from inceptions.architecture.ladder import LADDER, without
from inceptions.architecture.nodes import Concat, Node, Pool, concat
from inceptions.architecture.options import PAPER_CLASSES, Options

# Filters of the pool projections.
STAGE_35 = (Row("mixed_5b", 32), Row("mixed_5c", 64), Row("mixed_5d", 64))

FID_CLASSES = 1008

# Sides of the images that see the same maps through a stem with fewer strides (section 9).
LOW = {"tensorflow_151": 151, "tensorflow_79": 79}

SUMMARIES: dict[str, str] = {
    "torchvision": "the released network, average pools count padding (torchvision, timm)",
    "tensorflow": "the released network, average pools leave padding out (TensorFlow, TF-slim, Keras)",
    "fid": "the graph of 2015-12-05: as tensorflow, max pool in mixed_7c, 1008 outputs, no auxiliary head unless asked for",
    "tensorflow_151": "as tensorflow, stride 1 in conv_1a: sees 151×151 at the cost of 299×299 (section 9)",
    "tensorflow_79": "as tensorflow, stride 1 in conv_1a, no pool_3a: sees 79×79 at the cost of 299×299 (section 9)",
    "paper": "Table 1: 3×3 stem, modules of figures 5, 6 and 7, auxiliary head with batch norm",
}


def inception_v3(variant: str = "torchvision", options: Options | None = None) -> Architecture:
    """Declare Inception-v3.

    Args:
        variant: which of the networks of that name; "paper" may be followed by steps to leave out, each behind a hyphen.
        options: classes, input channels, multipliers; the published ones if None.

    Raises:
        UsageError: no such step.
    """
    base, *named = variant.split("-")
    if base == "paper":
        steps, left_out = without(named)
        changes = "; ".join(LADDER[name].words for name in left_out)
        summary = f"as paper, but {changes}" if changes else SUMMARIES[base]
        return rethought("inception_v3", "-".join((base, *left_out)), summary, steps, options or Options())
    fid = variant == "fid"
    options = (options or Options()).settled(classes=FID_CLASSES if fid else PAPER_CLASSES, aux=not fid)
    average = partial(Pool, kind="average", kernel=3, count_padding=variant == "torchvision")
    seventeen = options.rows(STAGE_17)
    eight = options.stage(STAGE_8)
    last_pool = partial(Pool, kind="max", kernel=3) if fid else average
    trunk: tuple[Node, ...] = (
        *stem(options, input_size=LOW.get(variant, 299)),
        *(module_35(row, options, average) for row in options.rows(STAGE_35)),
        reduction_17("mixed_6a", options),
        *(module_17(row, options, average) for row in seventeen),
        reduction_8("mixed_7a", options),
        *(module_8(name, options, average) for name in eight[:-1]),
        module_8(eight[-1], options, last_pool),
    )
    return assemble(
        name="inception_v3",
        variant=variant,
        summary=SUMMARIES[variant],
        source="Szegedy et al. 2015, arXiv:1512.00567; TF-slim's inception_v3",
        input_size=(LOW.get(variant, 299),) * 2,
        trunk=trunk,
        aux=(auxiliary_head(seventeen[-1].name, options, stds=(0.01, 0.001)),),
        main=classifier(options, dropout=0.5 if variant == "torchvision" else 0.2),
        options=options,
        aliases=ALIASES,
        initialiser="truncated_normal",
    )


def stem(options: Options, input_size: int = 299) -> tuple[Node, ...]:
    """The released stem, 299x299x3 to 35x35x192; for 151 pixels without its first stride, for 79 also without its pool_3a."""
    wide = options.filters
    return (
        conv("conv_1a", wide(32), 3, stride=2 if input_size == 299 else 1, padding="valid"),
        conv("conv_2a", wide(32), 3, padding="valid"),
        conv("conv_2b", wide(64), 3),
        *((halve("pool_3a"),) if input_size > 79 else ()),
        conv("conv_3b", wide(80), 1),
        conv("conv_4a", wide(192), 3, padding="valid"),
        halve("pool_5a"),
    )


def module_35(row: Row, options: Options, pool: partial[Pool]) -> Concat:
    """The released 35x35 module: 1x1 | 1x1, 5x5 | 1x1, 3x3, 3x3 | pool, 1x1."""
    wide = options.filters
    return concat(
        row.name,
        (conv("1x1", wide(64), 1),),
        (conv("5x5_reduce", wide(48), 1), conv("5x5", wide(64), 5)),
        (conv("3x3_reduce", wide(64), 1), conv("3x3_1", wide(96), 3), conv("3x3_2", wide(96), 3)),
        (pool("pool"), conv("pool_proj", wide(row.filters), 1)),
    )


def module_17(row: Row, options: Options, pool: partial[Pool]) -> Concat:
    """The released 17x17 module: 1x1 | 1x1, 1x7, 7x1 | 1x1, 7x1, 1x7, 7x1, 1x7 | pool, 1x1."""
    wide, inner = options.filters, options.filters(row.filters)
    return concat(
        row.name,
        (conv("1x1", wide(192), 1),),
        (conv("7x7_reduce", inner, 1), conv("1x7", inner, (1, 7)), conv("7x1", wide(192), (7, 1))),
        (
            conv("7x7_reduce", inner, 1),
            conv("7x1_1", inner, (7, 1)),
            conv("1x7_1", inner, (1, 7)),
            conv("7x1_2", inner, (7, 1)),
            conv("1x7_2", wide(192), (1, 7)),
        ),
        (pool("pool"), conv("pool_proj", wide(192), 1)),
    )
