"""AlexNet and VGG-16, declared in the family's nodes: the points that GoogLeNet's cost is compared with.

They are no part of the catalogue: nobody trains them here. Sources: A. Krizhevsky, "One weird trick for parallelizing
convolutional neural networks", 2014 (arXiv:1404.5997), the one-tower network that torchvision ships as alexnet; K. Simonyan,
A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014 (arXiv:1409.1556), configuration D.
"""

from __future__ import annotations

from functools import partial

from inceptions.architecture import Architecture, Options
from inceptions.architecture.declaration import assemble
from inceptions.architecture.nodes import Conv, Dense, Dropout, Flatten, GridPool, Node, Pool, chain

# Filters of VGG-16's convolutions; a pooling follows each row.
VGG_16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def alexnet() -> Architecture:
    """Five convolutions and three fully connected layers."""
    pool = partial(Pool, kind="max", kernel=3, stride=2, padding="valid")
    trunk = (
        Conv("conv_1", 64, 11, stride=4, padding=2),
        pool("pool_1"),
        Conv("conv_2", 192, 5),
        pool("pool_2"),
        Conv("conv_3", 384, 3),
        Conv("conv_4", 256, 3),
        Conv("conv_5", 256, 3),
        pool("pool_5"),
    )
    return _classic("alexnet", "Krizhevsky 2014, arXiv:1404.5997", trunk, grid=6)


def vgg_16() -> Architecture:
    """Thirteen 3x3 convolutions and three fully connected layers."""
    trunk: list[Node] = []
    for stage, row in enumerate(VGG_16, start=1):
        trunk += [Conv(f"conv_{stage}_{i}", filters, 3) for i, filters in enumerate(row, start=1)]
        trunk.append(Pool(f"pool_{stage}", "max", 2, stride=2, padding="valid"))
    return _classic("vgg_16", "Simonyan and Zisserman 2014, arXiv:1409.1556, Table 1, D", tuple(trunk), grid=7)


def _classic(name: str, source: str, trunk: tuple[Node, ...], grid: int) -> Architecture:
    """A trunk with the two fully connected layers of 4096 that both networks end in."""
    return assemble(
        name=name,
        variant="reference",
        summary="a point of reference",
        source=source,
        input_size=(224, 224),
        trunk=trunk,
        aux=(),
        main=chain(
            "main",
            GridPool("grid", grid),
            Flatten("flatten"),
            Dropout("dropout_6", 0.5),
            Dense("fc_6", 4096, relu=True),
            Dropout("dropout_7", 0.5),
            Dense("fc_7", 4096, relu=True),
            Dense("logits", 1000),
        ),
        options=Options().settled(aux=False),
        initialiser="xavier",
    )
