"""The layers of Keras's `InceptionV3` and `InceptionResNetV2` (keras.applications).

Keras numbers its layers anew in every process ("conv2d_94" may be the first one), so only their rank counts: here "conv2d/0" is
the first convolution that was made, with "batch_normalization/0" behind it. Keras makes them in the order of our units.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count

from torch import Tensor

from inceptions.architecture import Architecture, Options, declare
from inceptions.architecture.nodes import Chain, Concat, Conv, Dense, Dropout, Node, Residual
from inceptions.weights.families.names import Place, Translation, google_names, units

NUMBERED = re.compile(r"(.+?)(?:_(\d+))?")


def ranked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A file's tensors with the rank of each numbered layer instead of its number. What is named otherwise stays as it is."""
    layers = dict.fromkeys(name.rpartition("/")[0] for name in tensors)
    new: dict[str, str] = {}
    for kind in ("conv2d", "batch_normalization"):
        numbers = {}
        for layer in layers:
            base = layer.rpartition("/")[2]
            found = NUMBERED.fullmatch(base)
            if base == kind or (found is not None and found[1] == kind):
                numbers[layer] = int(found[2] or 0) if found is not None else 0
        # A fine-tuned network may hold the whole of it as one layer, whose name then stands before.
        for rank, layer in enumerate(sorted(numbers, key=numbers.__getitem__)):
            new[layer] = f"{layer.rpartition('/')[0]}/{kind}/{rank}".lstrip("/")
    renamed = {name: new.get(name.rpartition("/")[0]) for name in tensors}
    return {f"{layer}/{name.rpartition('/')[2]}" if layer else name: tensors[name] for name, layer in renamed.items()}


def numbered(tensors: Mapping[str, Tensor], network: str) -> dict[str, Tensor]:
    """The inverse: layers as a fresh process numbers them (conv2d, conv2d_1, ...), in the order in which Keras lists them.

    Args:
        tensors: by the rank of their layers.
        network: which of ours it is, "name/variant".
    """
    architecture = declare(network, None, Options(aux=False))
    named = MAPS[architecture.name](architecture)
    theirs: dict[str, list[str]] = {}
    for pair in named.pairs:
        if pair.written:
            theirs.setdefault(pair.ours.rsplit(".", 2)[0], []).append(pair.theirs)
    return {_counted(name): tensors[name] for name in in_order(architecture, theirs) if name in tensors}


def in_order(architecture: Architecture, theirs: Mapping[str, list[str]]) -> list[str]:
    """The names of tensors by layer, those layers first that are farthest from the output; then from left to right.

    A convolution is three layers there, with batch norm and ReLU; joining, pooling, scaling and adding are one each.
    """
    found: list[tuple[int, int, str]] = []
    ranks = {path: i for i, (path, _) in enumerate(units(architecture))}

    def walk(node: Node, path: str, behind: int) -> int:
        """How far the first layer of a node is from the output, if what comes behind it is `behind` away."""
        match node:
            case Chain(nodes=nodes):
                for inner in reversed(nodes):
                    behind = walk(inner, f"{path}.{inner.name}" if path else inner.name, behind)
                return behind
            case Concat(branches=branches):
                return max(walk(branch, f"{path}.{branch.name}", behind + 1) for branch in branches)
            case Residual(body=body, relu=relu):
                joined = behind + 1 + relu
                return max(joined, walk(body, path, joined))
            case Conv(norm=norm, relu=relu):
                first = behind + 1 + relu + (norm is not None)
                names = theirs[path]
                for name in names:
                    core = name.endswith(("/kernel", "/bias"))
                    found.append((first if core else first - 1, ranks[path], name))
                return first
            case Dense():
                found.extend((behind + 1, ranks[path], name) for name in theirs[path])
                return behind + 1
            case Dropout():
                return behind
            case _:
                return behind + 1

    walk(architecture.trunk, "", walk(architecture.main.body, "main", -1))
    # Equal keys keep the order of a layer's own tensors.
    return [name for *_, name in sorted(found, key=lambda one: (-one[0], one[1]))]


def _counted(name: str) -> str:
    layer, _, leaf = name.rpartition("/")
    kind, _, rank = layer.partition("/")
    return f"{kind if rank in ('', '0') else f'{kind}_{rank}'}/{leaf}"


def inception_v3(architecture: Architecture) -> Translation:
    """The map for `inception_v3/tensorflow` without its auxiliary head, which Keras does not have."""
    return _ranked(architecture, {"main.logits": Place("predictions")})


def inception_resnet_v2(architecture: Architecture) -> Translation:
    """The map for `inception_resnet_v2/released` without its auxiliary head. The projections of the blocks have names there."""
    named = {"main.logits": Place("predictions"), "conv_7b": Place("conv_7b", "conv_7b_bn")}
    named |= {path: Place(f"{path.removesuffix('.up')}_conv") for path, _ in units(architecture) if path.endswith(".up")}
    return _ranked(architecture, named)


def _ranked(architecture: Architecture, named: dict[str, Place]) -> Translation:
    rank = count()
    places = dict(named)
    for path, _ in units(architecture):
        if path not in places:
            i = next(rank)
            places[path] = Place(f"conv2d/{i}", f"batch_normalization/{i}")
    return google_names(architecture, places.__getitem__)


MAPS = {"inception_v3": inception_v3, "inception_resnet_v2": inception_resnet_v2}
