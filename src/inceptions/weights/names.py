"""One tensor, two names: how somebody else's state dict maps onto ours, and back.

A family of checkpoints is one function from our units (a convolution or a dense layer with what follows it, by its dotted path)
to the places where the family keeps them. Everything else follows from the declaration: which tensors a unit has, how they are
laid out, and that each is used exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from inceptions.architecture import Architecture
from inceptions.architecture.declaration import leaves
from inceptions.architecture.nodes import Conv, Dense, SeparableConv
from inceptions.errors import WeightsError

Unit = Conv | Dense | SeparableConv
Layout = Literal["same", "hwio", "io"]
"""How the other side stores a tensor: as we do, a convolution as [height, width, in, out], a matrix as [in, out]."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a family keeps a unit: the prefix of its weight and bias, and that of its batch norm."""

    core: str
    norm: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor by both its names."""

    ours: str
    theirs: str
    layout: Layout = "same"


@dataclass(frozen=True, slots=True)
class Translation:
    """The whole map between a network of ours and a family's state dict.

    Attributes:
        pairs: every tensor that both sides have.
        implied: tensors of ours that the family leaves out because they are always this number (a scale of 1).
        ignored: names on their side that we have no use for (counters).
    """

    pairs: tuple[Pair, ...]
    implied: Mapping[str, float] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()

    def to_ours(self, foreign: Mapping[str, Tensor], ours: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """A foreign state dict under our names: every tensor used once, none left over, every shape right.

        Args:
            foreign: their tensors by their names.
            ours: a state dict of our network, for the shapes; "meta" tensors will do.
            where: what `foreign` was read from, for the message.

        Raises:
            WeightsError: tensors are missing, left over or of another shape; names the first of each.
        """
        known = {pair.theirs for pair in self.pairs}
        faults = [
            f"{len(found)} {word} (first: {min(found)})"
            for word, found in (("missing", known - set(foreign)), ("left over", set(foreign) - known - self.ignored))
            if found
        ]
        if faults:
            raise WeightsError(f"{where} is not a state dict of this network: {', '.join(faults)}.")
        found = {pair.ours: arrange(foreign[pair.theirs], pair.layout, into=True) for pair in self.pairs}
        found |= {name: torch.full_like(ours[name], value, device="cpu") for name, value in self.implied.items()}
        for pair in self.pairs:
            if found[pair.ours].shape != ours[pair.ours].shape:
                raise WeightsError(
                    f"{where}: {pair.theirs} has the shape {list(foreign[pair.theirs].shape)}, which does not fit our "
                    f"{pair.ours} of {list(ours[pair.ours].shape)}."
                )
        assert set(found) == set(ours), sorted(set(found) ^ set(ours))[:3]
        return found

    def to_theirs(self, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Our state dict under their names and in their layout.

        Raises:
            WeightsError: a tensor that the family leaves out does not have the value it stands for.
        """
        for name, value in self.implied.items():
            if "num_batches" not in name and not bool((ours[name] == value).all()):
                raise WeightsError(f"This family cannot hold {name}: it takes it to be {value:g}, and here it is not.")
        return {pair.theirs: arrange(ours[pair.ours], pair.layout, into=False) for pair in self.pairs}


def units(architecture: Architecture) -> Iterator[tuple[str, Unit]]:
    """Every node that has weights, with its dotted path, in the order of our state dict."""
    trees = [*architecture.trunk.nodes, *(head.body for head in architecture.heads)]
    for tree in trees:
        for path, leaf in leaves(tree):
            if isinstance(leaf, Unit):
                yield path, leaf


def torch_names(architecture: Architecture, place: Callable[[str], Place]) -> Translation:
    """The map for a family written in PyTorch: the same tensors in the same layout.

    Args:
        architecture: the network.
        place: from our path of a unit to their place.
    """
    pairs: list[Pair] = []
    for path, leaf in units(architecture):
        assert not isinstance(leaf, SeparableConv)
        theirs = place(path)
        core = "conv" if isinstance(leaf, Conv) else "linear"
        biased = leaf.has_bias if isinstance(leaf, Conv) else leaf.bias
        pairs += [Pair(f"{path}.{core}.{name}", f"{theirs.core}.{name}") for name in ("weight", "bias")[: 1 + biased]]
        if leaf.norm is not None:
            names = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            pairs += [Pair(f"{path}.bn.{name}", f"{theirs.norm}.{name}") for name in names]
    return Translation(tuple(pairs))


def keras_names(architecture: Architecture, place: Callable[[str], Place]) -> Translation:
    """The map for a family written in TensorFlow or Keras: kernels with the channels last, batch norm without a scale.

    Args:
        architecture: the network.
        place: from our path of a unit to their layers.
    """
    pairs: list[Pair] = []
    implied: dict[str, float] = {}
    for path, leaf in units(architecture):
        assert not isinstance(leaf, SeparableConv)
        theirs = place(path)
        core = "conv" if isinstance(leaf, Conv) else "linear"
        layout: Layout = "hwio" if isinstance(leaf, Conv) else "io"
        pairs.append(Pair(f"{path}.{core}.weight", f"{theirs.core}/kernel", layout))
        if leaf.has_bias if isinstance(leaf, Conv) else leaf.bias:
            pairs.append(Pair(f"{path}.{core}.bias", f"{theirs.core}/bias"))
        if leaf.norm is not None:
            for ours, name in (("bias", "beta"), ("running_mean", "moving_mean"), ("running_var", "moving_variance")):
                pairs.append(Pair(f"{path}.bn.{ours}", f"{theirs.norm}/{name}"))
            implied |= {f"{path}.bn.weight": 1.0, f"{path}.bn.num_batches_tracked": 0.0}
    return Translation(tuple(pairs), implied)


def arrange(tensor: Tensor, layout: Layout, *, into: bool) -> Tensor:
    """A tensor from their layout into ours, or back."""
    match layout:
        case "hwio":
            return tensor.permute((3, 2, 0, 1) if into else (2, 3, 1, 0)).contiguous()
        case "io":
            return tensor.T.contiguous()
        case "same":
            return tensor


def unit(name: str) -> Place:
    """The place of a module with children `conv` and `bn`, the habit of PyTorch's Inceptions."""
    return Place(f"{name}.conv", f"{name}.bn")


def lookup(table: Mapping[str, Mapping[str, str]], path: str) -> str:
    """A module's unit from a table of tables: `table[module][rest of the path]`."""
    module, _, rest = path.partition(".")
    return table[module][rest]
