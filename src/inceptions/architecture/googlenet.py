"""GoogLeNet: Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich,
"Going Deeper with Convolutions", CVPR 2015 (arXiv:1409.4842), Table 1 and figures 2 and 3.

Five networks go by this name:

* `paper`: the paper's, as its authors' Caffe replication fixes what the table leaves open: 5x5 convolutions in the third
  branch, biases, no batch norm, local response normalisation in the stem, pooling that rounds up.
* `bn`: what torchvision ships. Batch norm everywhere, no LRN, a 3x3 where the paper has 5x5, and a 2x2 window in the fourth
  pooling. The published weights belong to it, so it is the default.
* `slim`: TF-slim's inception_v1, from which torchvision has these weights: `bn` with TensorFlow's padding, which is a pixel
  further down and right in the first layer, and on maps of odd size in the poolings. It was trained without auxiliary heads
  (they are there if asked for) and with 20 % dropout.
* `bn_5x5`: `bn` with the paper's 5x5.
* `naive`: `bn` with the module of Figure 2a, which has no 1x1 reductions: the network the paper argues against.

Dropout is the paper's 40 % in all but `slim` (torchvision trains with 20 %); `Network.set_dropout` changes it.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    Pool,
    chain,
    concat,
)
from inceptions.architecture.options import Options

Variant = Literal["bn", "paper", "slim", "bn_5x5", "naive"]


@dataclass(frozen=True, slots=True)
class Row:
    """A module of Table 1; the columns have the paper's names, `params` and `ops` are as printed."""

    name: str
    output: str
    n1x1: int
    n3x3_reduce: int
    n3x3: int
    n5x5_reduce: int
    n5x5: int
    pool_proj: int
    params: str
    ops: str
    remark: str = ""


# fmt: off
#                                    #1x1 #3x3  #3x3 #5x5  #5x5 pool
#   type            output                reduce     reduce     proj  params   ops
STAGE_3 = (
    Row("inception_3a", "28×28×256",   64,  96, 128,  16,   32,   32, "159K", "128M"),
    Row("inception_3b", "28×28×480",  128, 128, 192,  32,   96,   64, "380K", "304M"),
)
STAGE_4 = (
    Row("inception_4a", "14×14×512",  192,  96, 208,  16,   48,   64, "364K", "73M"),
    Row("inception_4b", "14×14×512",  160, 112, 224,  24,   64,   64, "437K", "88M"),
    Row("inception_4c", "14×14×512",  128, 128, 256,  24,   64,   64, "463K", "100M", "too few for these widths"),
    Row("inception_4d", "14×14×528",  112, 144, 288,  32,   64,   64, "580K", "119M"),
    Row("inception_4e", "14×14×832",  256, 160, 320,  32,  128,  128, "840K", "170M"),
)
STAGE_5 = (
    Row("inception_5a", "7×7×832",    256, 160, 320,  32,  128,  128, "1072K", "54M", "too many for these widths"),
    Row("inception_5b", "7×7×1024",   384, 192, 384,  48,  128,  128, "1388K", "71M", "too few for these widths"),
)
# fmt: on
TABLE_1 = (*STAGE_3, *STAGE_4, *STAGE_5)

# The rows of Table 1 that are not modules.
PUBLISHED = {
    "conv_1": Published("112×112×64", "2.7K", "34M", "7·7·3·64 weights are 9,408, and on 112×112 they take 118M multiply-adds"),
    "pool_1": Published("56×56×64"),
    "conv_2_reduce": Published("", "", "", "the table counts it in the next row"),
    "conv_2": Published("56×56×192", "112K", "360M"),
    "pool_2": Published("28×28×192"),
    **{row.name: Published(row.output, row.params, row.ops, row.remark) for row in TABLE_1},
    "pool_3": Published("14×14×480"),
    "pool_4": Published("7×7×832"),
    "main.pool": Published("1×1×1024"),
    "main.dropout": Published("1×1×1024"),
    "main.logits": Published("1×1×1000", "1000K", "1M"),
}

SUMMARIES: dict[str, str] = {
    "bn": "batch norm, 3×3 third branch, 2×2 pool_4 (torchvision; published weights)",
    "paper": "5×5 third branch, biases, LRN, pooling rounded up (the paper, Caffe)",
    "slim": "as bn, with TensorFlow's padding and no auxiliary heads unless asked for (TF-slim's inception_v1)",
    "bn_5x5": "as bn, with the paper's 5×5 third branch",
    "naive": "as bn, with the modules of Figure 2a: no 1×1 reductions",
}


def googlenet(variant: Variant = "bn", options: Options | None = None) -> Architecture:
    """Declare GoogLeNet as Table 1 prints it.

    Args:
        variant: which of the networks of that name.
        options: classes, input channels, multipliers; the published ones if None.
    """
    slim = variant == "slim"
    options = (options or Options()).settled(aux=not slim)
    wide = options.filters
    bn = variant != "paper"
    conv = partial(Conv, norm=BatchNorm(eps=1e-3) if bn else None)
    halve = partial(Pool, kind="max", kernel=3, stride=2, padding="tensorflow" if slim else "valid", ceil=not slim)
    reduced = partial(reduced_module, options=options, third=3 if variant in ("bn", "slim") else 5, norm=bn)
    module = partial(naive_module, options=options) if variant == "naive" else reduced

    trunk: tuple[Node, ...] = (
        conv("conv_1", wide(64), 7, stride=2, padding="tensorflow" if slim else "same"),
        halve("pool_1"),
        *(() if bn else (LocalResponseNorm("norm_1"),)),
        conv("conv_2_reduce", wide(64), 1),
        conv("conv_2", wide(192), 3),
        *(() if bn else (LocalResponseNorm("norm_2"),)),
        halve("pool_2"),
        *(module(row) for row in options.rows(STAGE_3)),
        halve("pool_3"),
        *(module(row) for row in options.rows(STAGE_4)),
        halve("pool_4", kernel=2) if bn else halve("pool_4"),
        *(module(row) for row in options.rows(STAGE_5)),
    )
    return assemble(
        name="googlenet",
        variant=variant,
        summary=SUMMARIES[variant],
        source="Szegedy et al. 2014, arXiv:1409.4842, Table 1",
        input_size=(224, 224),
        trunk=trunk,
        aux=tuple(auxiliary_head(name, at, options, bn) for name, at in AUXILIARY.items()),
        main=chain("main", GlobalPool("pool"), Dropout("dropout", 0.2 if slim else 0.4), Dense("logits", options.classes)),
        options=options,
        published=PUBLISHED if variant != "naive" else {},
        initialiser="he" if bn else "xavier",
    )


def reduced_module(row: Row, *, options: Options, third: int, norm: bool) -> Concat:
    """Figure 2b: 1x1 | 1x1, 3x3 | 1x1, 5x5 | pool, 1x1. `third` is the kernel where the paper has 5x5."""
    wide = options.filters
    conv = partial(Conv, norm=BatchNorm(eps=1e-3) if norm else None)
    large = f"{third}x{third}"
    return concat(
        row.name,
        (conv("1x1", wide(row.n1x1), 1),),
        (conv("3x3_reduce", wide(row.n3x3_reduce), 1), conv("3x3", wide(row.n3x3), 3)),
        (conv(f"{large}_reduce", wide(row.n5x5_reduce), 1), conv(large, wide(row.n5x5), third)),
        (Pool("pool", "max", 3), conv("pool_proj", wide(row.pool_proj), 1)),
    )


def naive_module(row: Row, *, options: Options) -> Concat:
    """Figure 2a: 1x1 | 3x3 | 5x5 | pool, all on the whole input; the pooled input goes on at full depth."""
    wide = options.filters
    conv = partial(Conv, norm=BatchNorm(eps=1e-3))
    return concat(
        row.name,
        (conv("1x1", wide(row.n1x1), 1),),
        (conv("3x3", wide(row.n3x3), 3),),
        (conv("5x5", wide(row.n5x5), 5),),
        (Pool("pool", "max", 3),),
    )


AUXILIARY = {"aux_4a": "inception_4a", "aux_4d": "inception_4d"}


def auxiliary_head(name: str, at: str, options: Options, bn: bool) -> Head:
    """Section 5: average pooling 5x5 stride 3, 128 1x1, 1024 fully connected, dropout of 70 %, classifier.

    torchvision's heads (`bn`) divide the map into 4x4 bins instead; on 14x14 the windows differ (4 wide, not 5).
    """
    wide = options.filters
    return Head(
        name,
        chain(
            name,
            GridPool("pool", 4) if bn else GridPool("pool", 4, kernel=5, stride=3),
            Conv("conv", wide(128), 1, norm=BatchNorm(eps=1e-3) if bn else None),
            Flatten("flatten"),
            Dense("fc", wide(1024), relu=True),
            Dropout("dropout", 0.7),
            Dense("logits", options.classes),
        ),
        at=at,
    )
