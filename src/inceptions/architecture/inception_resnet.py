"""Inception-ResNet-v1 and -v2: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", AAAI 2017 (arXiv:1602.07261), figures 10 to 20 and Table 1.

A block's branches are joined and a 1x1 convolution brings them back to the depth of the block's input ("filter expansion"):
with a bias, without batch norm and without ReLU. It is scaled by 0.17, 0.10 or 0.20 and added; batch norm stands on the
branches only, never on the sum (section 3.2). Section 3.3 wants the scales between 0.1 and 0.3 for wide networks to train;
`Options.residual_scale` sets them.

Inception-ResNet-v1:

* `facenet`: D. Sandberg's face network, the only one with public weights (so the default): one more 8x8 block, unscaled and
  without ReLU, then 512 numbers with batch norm. `embedding` is these at length 1; the classifier reads them before that.
* `paper`: figures 10 to 14.

Inception-ResNet-v2:

* `released`: TF-slim's, which all published weights belong to and which its authors say they meant: the stem of
  Inception-v3 and one of its modules, twice the blocks, a last unscaled block without ReLU, a 1x1 convolution before the
  pooling, an auxiliary head.
* `paper`: the figures, with Inception-v4's stem. Two of their numbers cannot be: figure 17 expands to 1154 where 1152
  channels enter, figure 19 to 2048 where 2144 do. They are declared as what enters.
"""

from __future__ import annotations

from typing import Literal

from inceptions.architecture.declaration import Architecture, Published, assemble
from inceptions.architecture.inception_v2 import NORM, auxiliary_head, average, classifier, conv, halve
from inceptions.architecture.inception_v3 import stem as stem_v3
from inceptions.architecture.inception_v4 import reduction_17
from inceptions.architecture.inception_v4 import stem as stem_v4
from inceptions.architecture.nodes import (
    Chain,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalPool,
    L2Normalise,
    Node,
    Residual,
    chain,
    concat,
)
from inceptions.architecture.options import Options
from inceptions.architecture.shapes import Shape, after

VariantV1 = Literal["facenet", "paper"]
VariantV2 = Literal["released", "paper"]

# Of 35×35, 17×17 and 8×8 blocks.
SCALES = (0.17, 0.10, 0.20)

SUMMARIES_V1: dict[str, str] = {
    "facenet": "5/10/5 blocks and a last one without ReLU, 512-number embedding (facenet; published weights, of faces)",
    "paper": "5/10/5 blocks, classifier on 1792 channels",
}
SUMMARIES_V2: dict[str, str] = {
    "released": "10/20/10 blocks, Inception-v3's stem, one auxiliary head (TF-slim, Keras, timm; published weights)",
    "paper": "5/10/5 blocks, Inception-v4's stem, the figures' two misprints corrected",
}

PUBLISHED_V1 = {
    "conv_1a": Published("149×149×32"),
    "conv_2a": Published("147×147×32"),
    "conv_2b": Published("147×147×64"),
    "pool_3a": Published("73×73×64"),
    "conv_3b": Published("73×73×80"),
    "conv_4a": Published("71×71×192"),
    "conv_4b": Published("35×35×256"),
    "block35_5": Published("35×35×256"),
    "mixed_6a": Published("17×17×896"),
    "block17_10": Published("17×17×896"),
    "mixed_7a": Published("8×8×1792"),
    "block8_5": Published("8×8×1792"),
    "main.pool": Published("1792"),
    "main.logits": Published("1000"),
}
PUBLISHED_V2 = {
    "mixed_5a": Published("35×35×384"),
    "block35_5": Published("35×35×384"),
    "mixed_6a": Published("17×17×1152"),
    "block17_10": Published("17×17×1154", remark="figure 17's expansion; 1152 channels enter and leave"),
    "mixed_7a": Published("8×8×2144"),
    "block8_5": Published("8×8×2048", remark="figure 19's expansion; 2144 channels enter and leave"),
    "main.pool": Published("1792", remark="figure 15 draws both networks and prints v1's depth; 2144 channels enter"),
}


def inception_resnet_v1(variant: VariantV1 = "facenet", options: Options | None = None) -> Architecture:
    """Declare Inception-ResNet-v1.

    Args:
        variant: the paper's, or facenet's.
        options: classes, input channels, multipliers; the published ones if None.
    """
    options = (options or Options()).settled()
    wide, facenet = options.filters, variant == "facenet"
    trunk: list[Node] = [
        *stem_v3(options)[:-1],
        conv("conv_4b", wide(256), 3, stride=2, padding="valid"),
    ]
    trunk += blocks(trunk, options, 5, "block35", SCALES[0], block_35(options, 32, 32))
    trunk += [reduction_17("mixed_6a", options, k=192, l=192, m=256, n=384)]
    trunk += blocks(trunk, options, 10, "block17", SCALES[1], block_17(options, 128, 128, 128))
    trunk += [reduction_8("mixed_7a", options, 384, 256, 256, 256)]
    trunk += blocks(trunk, options, 5, "block8", SCALES[2], block_8(options, 192, 192), last=facenet)
    if facenet:
        trunk += [
            chain(
                "bottleneck",
                GlobalPool("pool"),
                Dropout("dropout", 0.6),
                Dense("fc", wide(512), bias=False, norm=NORM),
            ),
            L2Normalise("embedding"),
        ]
    return assemble(
        name="inception_resnet_v1",
        variant=variant,
        summary=SUMMARIES_V1[variant],
        source="Szegedy et al. 2016, arXiv:1602.07261, figures 10 to 15" + ("; D. Sandberg, facenet" if facenet else ""),
        input_size=(160, 160) if facenet else (299, 299),
        trunk=tuple(trunk),
        aux=(),
        main=chain("main", Dense("logits", options.classes)) if facenet else classifier(options, dropout=0.2),
        main_at="bottleneck" if facenet else None,
        options=options,
        published={} if facenet else PUBLISHED_V1,
        initialiser="glorot" if facenet else "variance_scaling",
    )


def inception_resnet_v2(variant: VariantV2 = "released", options: Options | None = None) -> Architecture:
    """Declare Inception-ResNet-v2.

    Args:
        variant: the released network, or the paper's figures.
        options: classes, input channels, multipliers; the published ones if None.
    """
    options = (options or Options()).settled()
    wide, released = options.filters, variant == "released"
    a, b, c = (10, 20, 9) if released else (5, 10, 5)
    trunk: list[Node] = [*stem_v3(options), module_35("mixed_5b", options)] if released else [*stem_v4(options, figures=True)]
    trunk += blocks(trunk, options, a, "block35", SCALES[0], block_35(options, 48, 64))
    trunk += [reduction_17("mixed_6a", options, k=256, l=256, m=384, n=384)]
    trunk += blocks(trunk, options, b, "block17", SCALES[1], block_17(options, 192, 160, 192))
    at = trunk[-1].name
    trunk += [reduction_8("mixed_7a", options, 384, 288, 288, 320)]
    trunk += blocks(trunk, options, c, "block8", SCALES[2], block_8(options, 224, 256), last=released)
    trunk += [conv("conv_7b", wide(1536), 1)] if released else []
    return assemble(
        name="inception_resnet_v2",
        variant=variant,
        summary=SUMMARIES_V2[variant],
        source="Szegedy et al. 2016, arXiv:1602.07261, figures 15 to 19"
        + ("; TF-slim's inception_resnet_v2" if released else ""),
        input_size=(299, 299),
        trunk=tuple(trunk),
        aux=(auxiliary_head(at, options),) if released else (),
        main=classifier(options, dropout=0.2),
        options=options,
        published={} if released else PUBLISHED_V2,
        initialiser="variance_scaling",
    )


def blocks(
    trunk: list[Node], options: Options, repeats: int, name: str, scale: float, branches: Concat, *, last: bool = False
) -> list[Node]:
    """Residual blocks on the end of `trunk`: its depth is what they expand to.

    `last` adds one more, unscaled and without ReLU, as released networks end.
    """
    channels = after(Chain("trunk", tuple(trunk)), Shape(options.in_channels, 299, 299)).channels
    body = chain("body", branches, Conv("up", channels, 1, relu=False))
    count = options.repeats(repeats)
    set_scale = scale if options.residual_scale is None else options.residual_scale
    found: list[Node] = [Residual(f"{name}_{i}", body, scale=set_scale) for i in range(1, count + 1)]
    return [*found, Residual(f"{name}_{count + 1}", body, relu=False)] if last else found


def block_35(options: Options, middle: int, end: int) -> Concat:
    """Figures 10 and 16, Inception-ResNet-A: 1x1 | 1x1, 3x3 | 1x1, 3x3, 3x3."""
    wide = options.filters
    return concat(
        "mixed",
        (conv("1x1", wide(32), 1),),
        (conv("3x3_reduce", wide(32), 1), conv("3x3", wide(32), 3)),
        (conv("3x3_reduce", wide(32), 1), conv("3x3_1", wide(middle), 3), conv("3x3_2", wide(end), 3)),
    )


def block_17(options: Options, first: int, middle: int, end: int) -> Concat:
    """Figures 11 and 17, Inception-ResNet-B: 1x1 | 1x1, 1x7, 7x1."""
    wide = options.filters
    return concat(
        "mixed",
        (conv("1x1", wide(first), 1),),
        (conv("7x7_reduce", wide(128), 1), conv("1x7", wide(middle), (1, 7)), conv("7x1", wide(end), (7, 1))),
    )


def block_8(options: Options, middle: int, end: int) -> Concat:
    """Figures 13 and 19, Inception-ResNet-C: 1x1 | 1x1, 1x3, 3x1."""
    wide = options.filters
    return concat(
        "mixed",
        (conv("1x1", wide(192), 1),),
        (conv("3x3_reduce", wide(192), 1), conv("1x3", wide(middle), (1, 3)), conv("3x1", wide(end), (3, 1))),
    )


def reduction_8(name: str, options: Options, first: int, second: int, middle: int, end: int) -> Concat:
    """Figures 12 and 18, Reduction-B, 17x17 to 8x8: 1x1, 3x3/2 | 1x1, 3x3/2 | 1x1, 3x3, 3x3/2 | max pool/2."""
    wide = options.filters
    return concat(
        name,
        (conv("3x3_reduce", wide(256), 1), conv("3x3", wide(first), 3, stride=2, padding="valid")),
        (conv("3x3_reduce", wide(256), 1), conv("3x3", wide(second), 3, stride=2, padding="valid")),
        (
            conv("3x3_reduce", wide(256), 1),
            conv("3x3_1", wide(middle), 3),
            conv("3x3_2", wide(end), 3, stride=2, padding="valid"),
        ),
        (halve("pool"),),
    )


def module_35(name: str, options: Options) -> Concat:
    """The released network's one module without a shortcut: 1x1 | 1x1, 5x5 | 1x1, 3x3, 3x3 | pool, 1x1."""
    wide = options.filters
    return concat(
        name,
        (conv("1x1", wide(96), 1),),
        (conv("5x5_reduce", wide(48), 1), conv("5x5", wide(64), 5)),
        (conv("3x3_reduce", wide(64), 1), conv("3x3_1", wide(96), 3), conv("3x3_2", wide(96), 3)),
        (average("pool"), conv("pool_proj", wide(64), 1)),
    )
