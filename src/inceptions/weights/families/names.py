"""One tensor, two names: how somebody else's state dict maps onto ours, and back.

A family of checkpoints is one function from our units (a convolution or a dense layer with what follows it, by its dotted path)
to the places where the family keeps them. Everything else follows from the declaration: which tensors a unit has, how they are
laid out, and that each is used exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from inceptions.architecture import Architecture
from inceptions.architecture.declaration import leaves
from inceptions.architecture.nodes import Conv, Dense, SeparableConv
from inceptions.errors import WeightsError

Unit = Conv | Dense | SeparableConv
Layout = Literal["same", "hwio", "hwim", "1x1io", "io"]
"""How the other side stores a tensor: as we do; a convolution as [height, width, in, out], a depthwise one as [height, width,
in, multiplier]; a matrix as a convolution of 1x1, or as [in, out]."""

COUNTER = "num_batches_tracked"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a family keeps a unit: the prefix of its weight and bias, and that of its batch norm."""

    core: str
    norm: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor by both its names.

    Attributes:
        ours: our name.
        theirs: their name; "" where they never keep it.
        layout: how they store it.
        otherwise: what it is where they left it out; None if they must have it.
        written: whether it goes back to them. Where it does not, it must be `otherwise`.
    """

    ours: str
    theirs: str
    layout: Layout = "same"
    otherwise: float | None = None
    written: bool = True


@dataclass(frozen=True, slots=True)
class Fit:
    """What a foreign state dict has for a network of ours.

    Attributes:
        tensors: by our names, as far as they are there.
        used: their names of these.
        implied: our names of those that they left out because they are always the same number.
        missing: their names of what must be there and is not.
        unexpected: their names that have no place.
        misshapen: pairs whose shapes differ, with their shape and ours.
    """

    tensors: dict[str, Tensor]
    used: tuple[str, ...]
    implied: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[tuple[Pair, tuple[int, ...], tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Translation:
    """The whole map between a network of ours and a family's state dict."""

    pairs: tuple[Pair, ...]

    def fit(self, foreign: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> Fit:
        """Give each of our tensors theirs; judges nothing.

        Args:
            foreign: their tensors by their names.
            ours: a state dict of our network, for the shapes; "meta" tensors will do.
        """
        found: dict[str, Tensor] = {}
        used, implied, missing, misshapen = [], [], [], []
        for pair in self.pairs:
            shape = ours[pair.ours].shape
            theirs = foreign.get(pair.theirs) if pair.theirs else None
            if theirs is not None:
                used.append(pair.theirs)
                arranged = arrange(theirs, pair.layout, tuple(shape))
                if arranged.shape == shape:
                    found[pair.ours] = arranged
                else:
                    misshapen.append((pair, tuple(theirs.shape), tuple(shape)))
            elif pair.otherwise is None:
                missing.append(pair.theirs)
            else:
                implied.append(pair.ours)
                found[pair.ours] = torch.full_like(ours[pair.ours], pair.otherwise, device="cpu")
        assert {pair.ours for pair in self.pairs} == set(ours), "the map and the network differ"
        unexpected = tuple(name for name in foreign if name not in set(used))
        return Fit(found, tuple(used), tuple(implied), tuple(missing), unexpected, tuple(misshapen))

    def to_ours(self, foreign: Mapping[str, Tensor], ours: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """A foreign state dict under our names: every tensor used once, none left over, every shape right.

        Args:
            foreign: their tensors by their names.
            ours: a state dict of our network, for the shapes; "meta" tensors will do.
            where: what `foreign` was read from, for the message.

        Raises:
            WeightsError: tensors are missing, left over or of another shape; names the first of each.
        """
        fit = self.fit(foreign, ours)
        faults = [
            f"{len(names)} {word} (first: {min(names)})"
            for word, names in (("missing", fit.missing), ("left over", fit.unexpected))
            if names
        ]
        if faults:
            raise WeightsError(f"{where} is not a state dict of this network: {', '.join(faults)}.")
        for pair, theirs, shape in fit.misshapen:
            raise WeightsError(
                f"{where}: {pair.theirs} has the shape {list(theirs)}, which does not fit our {pair.ours} of {list(shape)}."
            )
        return fit.tensors

    def to_theirs(self, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Our state dict under their names and in their layout.

        Raises:
            WeightsError: a tensor that the family leaves out does not have the value it stands for.
        """
        found = {}
        for pair in self.pairs:
            if pair.written:
                found[pair.theirs] = restore(ours[pair.ours], pair.layout)
            elif COUNTER not in pair.ours and not _is(ours[pair.ours], pair.otherwise):
                raise WeightsError(
                    f"This family cannot hold {pair.ours}: it takes it to be {pair.otherwise:g}, and here it is not."
                )
        return found


def units(architecture: Architecture) -> Iterator[tuple[str, Unit]]:
    """Every node that has weights, with its dotted path, in the order of our state dict."""
    trees = [*architecture.trunk.nodes, *(head.body for head in architecture.heads)]
    for tree in trees:
        for path, leaf in leaves(tree):
            if isinstance(leaf, Unit):
                yield path, leaf


def units_of(architecture: Architecture, name: str) -> list[str]:
    """The paths of the units in one node of the trunk, or in one head."""
    return [path for path, _ in units(architecture) if path == name or path.startswith(f"{name}.")]


def torch_names(architecture: Architecture, place: Callable[[str], Place]) -> Translation:
    """The map for a family written in PyTorch: the same tensors in the same layout. Older files lack the counters.

    Args:
        architecture: the network.
        place: from our path of a unit to their place.
    """
    pairs: list[Pair] = []
    for path, leaf in units(architecture):
        theirs = place(path)
        if isinstance(leaf, SeparableConv):
            pairs.append(Pair(f"{path}.depthwise.weight", f"{theirs.core}.depthwise.weight"))
            core, head = f"{path}.pointwise", f"{theirs.core}.pointwise"
        else:
            core, head = f"{path}.{'conv' if isinstance(leaf, Conv) else 'linear'}", theirs.core
        pairs += [Pair(f"{core}.{name}", f"{head}.{name}") for name in ("weight", "bias")[: 1 + has_bias(leaf)]]
        if leaf.norm is not None:
            names = ("weight", "bias", "running_mean", "running_var")
            pairs += [Pair(f"{path}.bn.{name}", f"{theirs.norm}.{name}") for name in names]
            pairs.append(Pair(f"{path}.bn.{COUNTER}", f"{theirs.norm}.{COUNTER}", otherwise=0.0))
    return Translation(tuple(pairs))


def google_names(
    architecture: Architecture,
    place: Callable[[str], Place],
    *,
    weight: str = "kernel",
    bias: str = "bias",
    matrix: Layout = "io",
) -> Translation:
    """The map for a family written in TensorFlow or Keras: kernels with the channels last, batch norm without a scale.

    A scale is read where somebody has trained one, but the family's own code has no place for it.

    Args:
        architecture: the network.
        place: from our path of a unit to their layers.
        weight: what they call a kernel.
        bias: what they call a bias.
        matrix: how they keep a dense layer.
    """
    pairs: list[Pair] = []
    for path, leaf in units(architecture):
        theirs = place(path)
        if isinstance(leaf, SeparableConv):
            core = f"{path}.pointwise"
            pairs.append(Pair(f"{path}.depthwise.weight", f"{theirs.core}/depthwise_{weight}", "hwim"))
            pairs.append(Pair(f"{core}.weight", f"{theirs.core}/pointwise_{weight}", "hwio"))
        else:
            core = f"{path}.{'conv' if isinstance(leaf, Conv) else 'linear'}"
            pairs.append(Pair(f"{core}.weight", f"{theirs.core}/{weight}", "hwio" if isinstance(leaf, Conv) else matrix))
        if has_bias(leaf):
            pairs.append(Pair(f"{core}.bias", f"{theirs.core}/{bias}"))
        if leaf.norm is not None:
            for ours, name in (("bias", "beta"), ("running_mean", "moving_mean"), ("running_var", "moving_variance")):
                pairs.append(Pair(f"{path}.bn.{ours}", f"{theirs.norm}/{name}"))
            pairs.append(Pair(f"{path}.bn.weight", f"{theirs.norm}/gamma", otherwise=1.0, written=False))
            pairs.append(Pair(f"{path}.bn.{COUNTER}", "", otherwise=0.0, written=False))
    return Translation(tuple(pairs))


def _is(tensor: Tensor, value: float | None) -> bool:
    return value is not None and torch.equal(tensor, torch.full_like(tensor, value))


def has_bias(unit: Unit) -> bool:
    """Whether a unit adds a bias of its own."""
    return unit.bias if isinstance(unit, Dense) else unit.has_bias


def arrange(tensor: Tensor, layout: Layout, shape: tuple[int, ...]) -> Tensor:
    """A tensor from their layout into ours, of `shape` if it can be: sides of length 1 come and go."""
    match layout, tensor.ndim:
        case "hwio" | "1x1io", 4:
            tensor = tensor.permute(3, 2, 0, 1)
        case "hwim", 4:
            tensor = tensor.permute(2, 3, 0, 1).flatten(0, 1)[:, None]
        case "io" | "1x1io", 2:
            tensor = tensor.T
    if tuple(tensor.shape) != shape and [n for n in tensor.shape if n != 1] == [n for n in shape if n != 1]:
        tensor = tensor.reshape(shape)
    return tensor.contiguous()


def restore(tensor: Tensor, layout: Layout) -> Tensor:
    """A tensor of ours in their layout."""
    match layout:
        case "hwio":
            tensor = tensor.permute(2, 3, 1, 0)
        case "hwim":
            # Colour images have three channels, and nobody else published a separable first layer.
            tensor = tensor.reshape(3, -1, *tensor.shape[2:]).permute(2, 3, 0, 1)
        case "1x1io":
            tensor = tensor.T[None, None]
        case "io":
            tensor = tensor.T
        case "same":
            pass
    return tensor.contiguous()


def unit(name: str) -> Place:
    """The place of a module with children `conv` and `bn`, the habit of PyTorch's Inceptions."""
    return Place(f"{name}.conv", f"{name}.bn")


def lookup(table: Mapping[str, Mapping[str, str]], path: str) -> str:
    """A module's unit from a table of tables: `table[module][rest of the path]`."""
    module, _, rest = path.partition(".")
    return table[module][rest]
