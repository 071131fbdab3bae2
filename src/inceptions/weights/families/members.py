"""The families, one entry for every network that somebody keeps weights of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from inceptions.architecture import Architecture, Options, declare, names, variants
from inceptions.weights.containers import Container
from inceptions.weights.families import cadene, caffe, facenet, graph_2015, keras, mxnet, own, slim, timm, torchvision
from inceptions.weights.families.names import Translation

Tensors = Mapping[str, Tensor]

TITLES = {
    "torchvision": "torchvision's",
    "timm": "timm's",
    "cadene": "Cadene's",
    "facenet": "facenet-pytorch's",
    "facenet_tensorflow": "facenet's (TensorFlow)",
    "fid": "pytorch-fid's",
    "graph_2015": "the 2015 graph's",
    "keras": "Keras's",
    "slim": "TF-slim's",
    "slim_old": "research/inception's",
    "bvlc": "BVLC's",
    "lim0606": "lim0606's",
    "mxnet": "MXNet's",
    "onnx": "an ONNX model of",
    "inceptions": "our own",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A network as one family keeps it.

    Attributes:
        family: whose.
        network: what it is here, "name/variant".
        translate: the map of its tensors.
        outputs: numbers of classes that it was published with; other networks of the same names and shapes differ in it.
        container: what the family keeps it in.
        aux: whether the family has its auxiliary heads.
        prepare: from the tensors of a file to those the map knows.
        finish: the way back.
        alike: other variants that have the same tensors, for those who know better.
    """

    family: str
    network: str
    translate: Callable[[Architecture], Translation]
    outputs: tuple[int, ...] = (1000,)
    container: Container = "pytorch"
    aux: bool = False
    prepare: Callable[[Tensors], Tensors] = lambda tensors: tensors
    finish: Callable[[Tensors], Tensors] = lambda tensors: tensors
    alike: tuple[str, ...] = ()

    def declare(self, **options: Any) -> Architecture:
        """The network, with the heads that the family has unless `options` say otherwise."""
        return declare(self.network, None, Options(**{"aux": self.aux, **options}))

    def map(self) -> Translation:
        """Every tensor the family may have of it."""
        return _map(self)

    @property
    def called(self) -> str:
        """For messages."""
        return f"{TITLES.get(self.family, self.family)} {self.network.partition('/')[0]}"


@cache
def _map(member: Member) -> Translation:
    return member.translate(member.declare())


def _with_factor(tensors: Tensors) -> Tensors:
    """Caffe's batch norm counts its averages' weight in a third tensor."""
    ones = {f"{name[:-1]}2": torch.ones(1) for name in tensors if name.endswith("/bn/0")}
    return {**tensors, **ones}


V3 = ("torchvision", "tensorflow", "fid")
FACES = (8631, 10575)
GRAPHS: tuple[tuple[Callable[[Architecture], Translation], Container], ...] = (
    (graph_2015.graph, "graphdef"),
    (graph_2015.folded, "safetensors"),
)

# Where names are the same, the first that fits is taken.
MEMBERS: tuple[Member, ...] = (
    Member(family="torchvision", network="googlenet/bn", translate=torchvision.googlenet, aux=True, alike=("slim",)),
    Member(family="torchvision", network="googlenet/bn_5x5", translate=torchvision.googlenet, outputs=(), aux=True),
    Member(family="torchvision", network="inception_v3/torchvision", translate=torchvision.inception_v3, aux=True, alike=V3),
    Member(
        family="timm",
        network="inception_v3/torchvision",
        translate=torchvision.inception_v3,
        container="safetensors",
        aux=True,
        alike=V3,
    ),
    Member(family="fid", network="inception_v3/fid", translate=torchvision.inception_v3, outputs=(1008,), alike=V3),
    Member(family="cadene", network="inception_v4/released", translate=cadene.inception_v4, outputs=(1001,)),
    Member(family="timm", network="inception_v4/released", translate=timm.inception_v4, container="safetensors"),
    Member(family="timm", network="inception_resnet_v2/released", translate=timm.inception_resnet_v2, container="safetensors"),
    Member(
        family="cadene",
        network="inception_resnet_v2/released",
        translate=cadene.inception_resnet_v2,
        outputs=(1001,),
    ),
    Member(family="cadene", network="bn_inception/caffe", translate=cadene.bn_inception, alike=("mxnet",)),
    Member(family="cadene", network="bn_inception/caffe_unbiased", translate=cadene.bn_inception, outputs=()),
    Member(family="facenet", network="inception_resnet_v1/facenet", translate=facenet.inception_resnet_v1, outputs=FACES),
    *(
        Member(
            family="keras",
            network=network,
            translate=translate,
            container="keras",
            prepare=keras.ranked,
            finish=partial(keras.numbered, network=network),
            alike=V3 if translate is keras.inception_v3 else (),
        )
        for network, translate in (
            ("inception_v3/tensorflow", keras.inception_v3),
            ("inception_resnet_v2/released", keras.inception_resnet_v2),
        )
    ),
    *(
        Member(
            family=family,
            network=network,
            translate=translate,
            outputs=FACES if family == "facenet_tensorflow" else (1001,),
            container="tensorflow",
            aux=aux,
        )
        for family, network, translate, aux in (
            ("slim", "googlenet/slim", slim.inception_v1, False),
            ("slim", "bn_inception/slim", slim.inception_v2, False),
            ("slim", "inception_v3/tensorflow", slim.inception_v3, True),
            ("slim_old", "inception_v3/tensorflow", slim.inception_v3_old, True),
            ("slim", "inception_v4/released", slim.inception_v4, True),
            ("slim", "inception_resnet_v2/released", slim.inception_resnet_v2, True),
            ("facenet_tensorflow", "inception_resnet_v1/facenet", slim.facenet, False),
        )
    ),
    *(
        Member(family="graph_2015", network="inception_v3/fid", translate=translate, outputs=(1008,), container=container)
        for translate, container in GRAPHS
    ),
    *(
        Member(
            family=family,
            network=network,
            translate=translate,
            container="caffe",
            aux=True,
            prepare=caffe.scaled,
            finish=_with_factor,
        )
        for family, network, translate in (
            ("bvlc", "googlenet/paper", caffe.googlenet),
            ("lim0606", "bn_inception/lim0606", caffe.bn_inception),
        )
    ),
    Member(family="mxnet", network="bn_inception/mxnet", translate=mxnet.bn_inception, container="numpy"),
    *(
        Member(
            family="inceptions",
            network=f"{name}/{variant}",
            translate=own.own,
            outputs=(),
            aux=True,
            alike=tuple(variants(name)),
        )
        for name in names()
        for variant in variants(name)
    ),
)
