"""One tensor, two names: how a state dict of somebody else's maps onto ours, and back.

A family of checkpoints is described by one function from our units (a convolution or dense layer with what follows it, by its dotted
path) to its own names for them. Everything else here follows from the declaration: which tensors a unit has, and that each is used
exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from inceptions.architecture import Architecture
from inceptions.architecture.declaration import leaves
from inceptions.architecture.nodes import Conv, Dense
from inceptions.errors import WeightsError

Unit = Conv | Dense
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor by both its names."""

    ours: str
    theirs: str


def units(architecture: Architecture) -> Iterator[tuple[str, Unit]]:
    """Every node that has weights, with its dotted path, in the order of our state dict."""
    trees = [*architecture.trunk.nodes, *(head.body for head in architecture.heads)]
    for tree in trees:
        for path, leaf in leaves(tree):
            if isinstance(leaf, Conv | Dense):
                yield path, leaf


def torch_pairs(architecture: Architecture, unit_name: Callable[[str], str]) -> list[Pair]:
    """The map for a family written in PyTorch, where a unit is a module with children `conv` and `bn`, or a plain `Linear`.

    Args:
        architecture: the network.
        unit_name: from our path of a unit to theirs.
    """
    pairs = []
    for path, leaf in units(architecture):
        theirs = unit_name(path)
        core, prefix = ("conv", f"{theirs}.conv") if isinstance(leaf, Conv) else ("linear", theirs)
        biased = leaf.has_bias if isinstance(leaf, Conv) else leaf.bias
        pairs += [Pair(f"{path}.{core}.{name}", f"{prefix}.{name}") for name in ("weight", "bias")[: 1 + biased]]
        if leaf.norm is not None:
            pairs += [Pair(f"{path}.bn.{name}", f"{theirs}.bn.{name}") for name in NORM]
    return pairs


def to_ours(pairs: list[Pair], foreign: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """A foreign state dict under our names: every tensor used once, none left over.

    Raises:
        WeightsError: tensors are missing or left over; `where` is the file's name for the message.
    """
    known = {pair.theirs for pair in pairs}
    missing = sorted(known - set(foreign))
    extra = sorted(set(foreign) - known)
    if missing or extra:
        said = [f"{word} {len(names)} (first: {names[0]})" for word, names in (("missing", missing), ("left over", extra)) if names]
        raise WeightsError(f"{where} is not a state dict of this network: {', '.join(said)}.")
    return {pair.ours: foreign[pair.theirs] for pair in pairs}


def to_theirs(pairs: list[Pair], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our state dict under foreign names."""
    return {pair.theirs: ours[pair.ours] for pair in pairs}
