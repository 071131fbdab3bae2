"""Where weights come from: a file, a run's folder, a published checkpoint by its name, a repository on the Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from inceptions.network import Network, from_architecture
from inceptions.weights.address import Repository, is_hub
from inceptions.weights.card import Card
from inceptions.weights.open import is_ours, open_any
from inceptions.weights.preprocess import Preprocess
from inceptions.weights.published.catalogue import PUBLISHED, find
from inceptions.weights.published.checkpoint import Published
from inceptions.weights.store import check_classifier, load_state

TAG = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Opened:
    """Weights as they were read: not yet compared with the network they are for.

    Attributes:
        tensors: under our names.
        card: what is known of them.
        where: the file, for messages.
    """

    tensors: dict[str, Tensor]
    card: Card
    where: str


def load_model(weights: str | Path) -> tuple[Network, Card]:
    """The network of weights, in evaluation mode on the CPU.

    Args:
        weights: a weight file, a run's folder, "hf:owner/name", or a published checkpoint ("inception_v3.torchvision_in1k").

    Raises:
        UsageError: it is no address on the Hub, or a foreign file does not say what must be known; says what to add.
        WeightsError: nothing is there, it cannot be read, it has no classifier, or not the tensors of the network it names.
        MachineError: it cannot be fetched.
    """
    opened = open_weights(weights)
    check_classifier(opened.card, opened.where)
    model = from_architecture(opened.card.declare(), device="cpu", fresh=False)
    load_state(model, opened.tensors, opened.where)
    return model.eval(), opened.card


def load_trunk(
    weights: str | Path,
    *,
    partial: bool = True,
    preprocess: str | Preprocess | None = None,
    background: Literal["drop", "keep"] = "drop",
) -> tuple[Network, Card]:
    """The network of weights for its features, or to train a new classifier on.

    It goes as far as they do: where tensors of the trunk are absent, to the last complete tap. A classifier that is not there
    is fresh; the card then names no classes.

    Args:
        weights: as `load_model` takes them.
        partial: accept that tensors are absent.
        preprocess: what a foreign file does not say, as `foreign.open_foreign` takes it.
        background: what becomes of a foreign file's outputs that stand for nothing, likewise.

    Returns:
        The network, in evaluation mode on the CPU, and what is known of it.

    Raises:
        UsageError: a foreign file does not say how images are shown to it.
        WeightsError: as `load_model`.
        MachineError: it cannot be fetched.
    """
    path, known = resolve(weights)
    ours = is_ours(path)
    foreign = {"known": known, "partial": partial, "preprocess": preprocess, "background": background, "trunk": True}
    opened = open_any(path, **({} if ours else foreign))
    model = from_architecture(opened.card.declare(), device="cpu", seed=0)
    own = {} if opened.card.classes else {name: one for name, one in model.state_dict().items() if name.startswith("main.")}
    load_state(model, {**own, **opened.tensors}, str(path))
    return model.eval(), opened.card


def open_weights(weights: str | Path, network: str | None = None, *, quiet: bool = False) -> Opened:
    """Tensors and card of weights, wherever they come from.

    Args:
        weights: as `resolve` takes them.
        network: which network they are for, if that is known.
        quiet: show no progress on standard error.

    Raises:
        UsageError: nothing of that name is published for the network, or it is no address on the Hub.
        WeightsError: nothing is there, or it cannot be read.
        MachineError: it cannot be fetched.
    """
    path, known = resolve(weights, network, quiet=quiet)
    opened = open_any(path, known=known)
    return Opened(opened.tensors, opened.card, str(path))


def resolve(weights: str | Path, network: str | None = None, *, quiet: bool = False) -> tuple[Path, Published | None]:
    """The file that weights are named by, fetched if need be, and what is known of it if it is a published one.

    What lies on the disk under that name comes first.

    Args:
        weights: a file, a run's folder, "hf:owner/name", the full name of a published checkpoint
            ("inception_v3.torchvision_in1k") or, if `network` is given, its tag ("torchvision_in1k").
        network: which network they are for.
        quiet: show no progress on standard error.

    Raises:
        UsageError: nothing of that name is published for the network, or it is no address on the Hub.
        WeightsError: nothing is there, or what was fetched is not what it should be.
        MachineError: it cannot be fetched.
    """
    if is_hub(weights):
        from inceptions.weights.hub import pull  # its client takes a while to import
        from inceptions.weights.published.cache import fetch

        repository = Repository.parse(str(weights))
        known = next((one for one in PUBLISHED if one.hub == repository.name), None)
        if known is not None and repository.file is None and repository.revision is None:
            return fetch(known, quiet=quiet), known
        return pull(str(weights), quiet=quiet), known
    path, name = Path(weights), str(weights)
    named = name in {one.full_name for one in PUBLISHED} or (network is not None and TAG.fullmatch(name) is not None)
    if path.exists() or not named:
        return path, None
    from inceptions.weights.published.cache import fetch  # with its progress bars, which files on the disk do without

    one = find(name, network)
    return fetch(one, quiet=quiet), one
