"""The four-convolution network of Chollet's tutorial on cats and dogs: the baseline people start from.

Source: F. Chollet, "Building powerful image classification models using very little data", Keras blog, 2016, and "Deep
Learning with Python", 2017, section 5.2: 150x150 input, 3,453,121 parameters with one sigmoid output. Here the output is one
logit a class.
"""

from __future__ import annotations

from typing import Literal

from inceptions.architecture.declaration import Architecture, assemble
from inceptions.architecture.nodes import Conv, Dense, Dropout, Flatten, GridPool, Node, Pool, chain
from inceptions.architecture.options import Options

Variant = Literal["tutorial"]

FILTERS = (32, 64, 128, 128)

SUMMARIES: dict[str, str] = {"tutorial": "four 3×3 convolutions with 2×2 pooling, 512 dense (the Keras tutorial)"}


def plain_cnn(variant: Variant = "tutorial", options: Options | None = None) -> Architecture:
    """Declare the tutorial's network.

    Four times 3x3 valid convolution and 2x2 max pooling; dropout 0.5; 512 dense; classifier. The 7x7 grid before the dense
    layer is the identity at 150x150 and lets any other size in.
    """
    options = (options or Options()).settled()
    wide = options.filters
    layers: list[Node] = []
    for i, filters in enumerate(FILTERS, start=1):
        layers.append(Conv(f"conv_{i}", wide(filters), 3, padding="valid"))
        layers.append(Pool(f"pool_{i}", "max", 2, stride=2, padding="valid"))
    return assemble(
        name="plain_cnn",
        variant=variant,
        summary=SUMMARIES[variant],
        source="Chollet 2016, Keras blog; Deep Learning with Python, section 5.2",
        input_size=(150, 150),
        trunk=tuple(layers),
        aux=(),
        main=chain(
            "main",
            GridPool("grid", 7),
            Flatten("flatten"),
            Dropout("dropout", 0.5),
            Dense("dense", wide(512), relu=True),
            Dense("logits", options.classes),
        ),
        options=options,
        initialiser="xavier",
    )
