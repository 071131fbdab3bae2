"""BN-Inception: Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
Shift", ICML 2015 (arXiv:1502.03167), appendix (figure 5). TF-slim calls it inception_v2; the "Rethinking" paper's
Inception-v2 is another.

The paper's table contradicts itself: the pool projections it lists for 4c and 4d (128) give 608 channels, not the 576
beside them. So two lineages exist, and neither's weights fit the other:

* `caffe`: 608 and 1056 channels, a dense 7x7 stem, and biases in front of batch norm (which cancels them): Xiong's Caffe model
  and Cadene's port of it. The weights people use, so the default. `caffe_unbiased` is the same without those biases.
* `mxnet`: the same layers as MXNet's own code has them: it rounds the stem's poolings down (224 pixels give 27x27, not 28x28)
  and pads those of 3c and 4e by a pixel all around. Weights fit both; which of the two they were trained as, they do not say.
* `lim0606`: 576 and 1024 channels, a dense stem, and two auxiliary heads (the Caffe model of that user's).
* `slim`: 576 and 1024 channels and a separable 7x7 stem, which in TF-slim's checkpoint has a bias and no batch norm.
* `paper`: as `slim`, with batch norm in the stem too: the text says every convolution has it.
* `paper_lrn`: `paper` with GoogLeNet's two local response normalisations, whose removal section 4.2.1 counts among its changes.

Only `lim0606` was published with auxiliary heads. The others have the same two when they are asked for.

The separable stem has 8 filters for each colour, 24 in all. For one or two input channels it has 24 or 16 for each, so that
weights for colour can be adapted to fewer channels without loss (`inceptions.network.first_layer`).

Sizes: the stride-2 modules join two strided convolutions with a strided pooling. Caffe pads the first and rounds the second
up, and on maps of odd size they differ by one, so that its networks cannot work on three sizes in four. Here the
pass-through pooling pads as TensorFlow's SAME does: on even maps (as at the published 224) the same windows as Caffe's, on
odd maps the convolutions' size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from inceptions.architecture.declaration import Architecture, Published, assemble
from inceptions.architecture.nodes import (
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    GridPool,
    Head,
    LocalResponseNorm,
    Node,
    Padding,
    Pool,
    SeparableConv,
    chain,
    concat,
)
from inceptions.architecture.options import Options

Variant = Literal["caffe", "caffe_unbiased", "mxnet", "lim0606", "slim", "paper", "paper_lrn"]


@dataclass(frozen=True, slots=True)
class Row:
    """A module of the paper's table; a projection of 0 passes the pooled input through."""

    name: str
    output: str
    n1x1: int
    n3x3_reduce: int
    n3x3: int
    double_reduce: int
    double: int
    pool: Literal["average", "max"]
    pool_proj: int
    remark: str = ""


# Under stride 2 the paper still prints the size of the map that enters.
BEFORE_STRIDE = "the size is that of the module's input; stride 2 halves it"
SUM_608 = "with a projection of 128 the branches add up to 608, not 576"
SUM_1056 = f"{BEFORE_STRIDE}; with 608 channels passed through, 1056 leave"

# fmt: off
#                                   #1x1 #3x3  #3x3 double  double pool
#    type            output              reduce     reduce  #3x3   + proj
STAGE_3 = (
    Row("inception_3a", "28×28×256",   64,  64,  64,  64,  96, "average",  32),
    Row("inception_3b", "28×28×320",   64,  64,  96,  64,  96, "average",  64),
)
REDUCE_3 = Row("inception_3c", "28×28×576", 0, 128, 160, 64, 96, "max", 0, BEFORE_STRIDE)
STAGE_4 = (
    Row("inception_4a", "14×14×576",  224,  64,  96,  96, 128, "average", 128),
    Row("inception_4b", "14×14×576",  192,  96, 128,  96, 128, "average", 128),
    Row("inception_4c", "14×14×576",  160, 128, 160, 128, 160, "average", 128, SUM_608),
    Row("inception_4d", "14×14×576",   96, 128, 192, 160, 192, "average", 128, SUM_608),
)
REDUCE_4 = Row("inception_4e", "14×14×1024", 0, 128, 192, 192, 256, "max", 0, SUM_1056)
STAGE_5 = (
    Row("inception_5a", "7×7×1024",   352, 192, 320, 160, 224, "average", 128),
    Row("inception_5b", "7×7×1024",   352, 192, 320, 192, 224, "max",     128),
)
# fmt: on

# What makes 4c and 4d come to the printed 576.
NARROW = {"inception_4c": 96, "inception_4d": 96}

PUBLISHED = {
    "conv_1": Published("112×112×64"),
    "pool_1": Published("56×56×64"),
    "conv_2": Published("56×56×192"),
    "pool_2": Published("28×28×192"),
    **{row.name: Published(row.output, remark=row.remark) for row in (*STAGE_3, REDUCE_3, *STAGE_4, REDUCE_4, *STAGE_5)},
    "main.pool": Published("1×1×1024"),
}

SUMMARIES: dict[str, str] = {
    "caffe": "608/1056 channels, dense stem, biases under batch norm (Xiong's Caffe port, Cadene; published weights)",
    "caffe_unbiased": "as caffe, without the biases, which batch norm cancels",
    "mxnet": "as caffe, with the stem's pooling rounded down and that of 3c and 4e padded (MXNet's Inception-BN)",
    "lim0606": "576/1024 channels, dense stem, two auxiliary heads (Caffe, by lim0606)",
    "slim": "576/1024 channels, separable stem with a bias, not batch norm: 64 parameters fewer (TF-slim's inception_v2)",
    "paper": "576/1024 channels, separable stem, batch norm on every convolution (the paper's table, outputs as printed)",
    "paper_lrn": "as paper, with GoogLeNet's local response normalisation in the stem, which the paper removes",
}


def bn_inception(variant: Variant = "caffe", options: Options | None = None) -> Architecture:
    """Declare BN-Inception as the appendix's table prints it.

    Args:
        variant: which of the networks of that name.
        options: classes, input channels, multipliers; the published ones if None.
    """
    options = (options or Options()).settled(aux=variant == "lim0606")
    wide = options.filters
    google, mxnet, lrn = variant in ("slim", "paper", "paper_lrn"), variant == "mxnet", variant == "paper_lrn"
    norm = BatchNorm(eps=1e-3 if google else 1e-5 + 1e-10 if mxnet else 1e-5)
    conv = partial(Conv, norm=norm, bias=variant in ("caffe", "mxnet"))
    strided: Padding = "tensorflow" if google else "same"
    # Caffe rounds up and does not pad, MXNet rounds down, TensorFlow pads.
    halve = partial(Pool, kind="max", kernel=3, stride=2)
    shrink = partial(halve, padding="tensorflow") if google else partial(halve, padding="valid", ceil=not mxnet)
    module = partial(double_module, options=options, conv=conv, count_padding=not google)
    passed = halve("pool", padding="same" if mxnet else "tensorflow")
    reduce = partial(stride_2_module, options=options, conv=conv, padding=strided, pool=passed)
    narrow = {} if variant in ("caffe", "caffe_unbiased", "mxnet") else NARROW
    stage_4 = [replace(row, pool_proj=narrow.get(row.name, row.pool_proj)) for row in STAGE_4]

    trunk: tuple[Node, ...] = (
        separable_stem(options, None if variant == "slim" else norm) if google else conv("conv_1", wide(64), 7, stride=2),
        shrink("pool_1"),
        *((LocalResponseNorm("norm_1"),) if lrn else ()),
        conv("conv_2_reduce", wide(64), 1),
        conv("conv_2", wide(192), 3),
        *((LocalResponseNorm("norm_2"),) if lrn else ()),
        shrink("pool_2"),
        *(module(row) for row in options.rows(STAGE_3)),
        reduce(REDUCE_3),
        *(module(row) for row in options.rows(stage_4)),
        reduce(REDUCE_4),
        *(module(row) for row in options.rows(STAGE_5)),
    )
    dropout = (Dropout("dropout", 0.2),) if variant == "slim" else ()
    return assemble(
        name="bn_inception",
        variant=variant,
        summary=SUMMARIES[variant],
        source="Ioffe and Szegedy 2015, arXiv:1502.03167, appendix",
        input_size=(224, 224),
        trunk=trunk,
        aux=auxiliary_heads(options, norm),
        main=chain("main", GlobalPool("pool"), *dropout, Dense("logits", options.classes)),
        options=options,
        published={} if mxnet else PUBLISHED,
        initialiser="variance_scaling" if google else "he",
    )


def separable_stem(options: Options, norm: BatchNorm | None) -> SeparableConv:
    """7x7/2 on each input channel alone, then 1x1: 24 filters between the two, or 8 a channel where that is more."""
    multiplier = 8 * -(-3 // options.in_channels)
    return SeparableConv("conv_1", options.filters(64), 7, multiplier, stride=2, padding="tensorflow", norm=norm)


def double_module(row: Row, *, options: Options, conv: partial[Conv], count_padding: bool) -> Concat:
    """GoogLeNet's module with two 3x3 in place of the 5x5: 1x1 | 1x1, 3x3 | 1x1, 3x3, 3x3 | pool, 1x1."""
    wide = options.filters
    return concat(
        row.name,
        (conv("1x1", wide(row.n1x1), 1),),
        (conv("3x3_reduce", wide(row.n3x3_reduce), 1), conv("3x3", wide(row.n3x3), 3)),
        (
            conv("3x3_reduce", wide(row.double_reduce), 1),
            conv("3x3_1", wide(row.double), 3),
            conv("3x3_2", wide(row.double), 3),
        ),
        (Pool("pool", row.pool, 3, count_padding=count_padding), conv("pool_proj", wide(row.pool_proj), 1)),
    )


def stride_2_module(row: Row, *, options: Options, conv: partial[Conv], padding: Padding, pool: Pool) -> Concat:
    """1x1, 3x3/2 | 1x1, 3x3, 3x3/2 | max pool/2, which passes its channels through."""
    wide = options.filters
    return concat(
        row.name,
        (conv("3x3_reduce", wide(row.n3x3_reduce), 1), conv("3x3", wide(row.n3x3), 3, stride=2, padding=padding)),
        (
            conv("3x3_reduce", wide(row.double_reduce), 1),
            conv("3x3_1", wide(row.double), 3),
            conv("3x3_2", wide(row.double), 3, stride=2, padding=padding),
        ),
        (pool,),
    )


def auxiliary_heads(options: Options, norm: BatchNorm) -> tuple[Head, ...]:
    """lim0606's heads: average pooling 5x5 stride 3, 128 1x1, 1024 fully connected without bias, both with batch norm.

    Caffe rounds that pooling up: 4x4 on the 14x14 map behind 3c, 2x2 on the 7x7 map behind 4e.
    """
    wide = options.filters
    return tuple(
        Head(
            name,
            chain(
                name,
                GridPool("pool", grid, kernel=5, stride=3),
                Conv("conv", wide(128), 1, norm=norm),
                Flatten("flatten"),
                Dense("fc", wide(1024), bias=False, norm=norm, relu=True),
                Dense("logits", options.classes),
            ),
            at=at,
        )
        for name, at, grid in (("aux_3c", REDUCE_3.name, 4), ("aux_4e", REDUCE_4.name, 2))
    )
