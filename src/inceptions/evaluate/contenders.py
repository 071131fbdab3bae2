"""From the words of a command to opened models and the images they are all judged on."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inceptions.data import Images, open_data, open_evaluation
from inceptions.errors import UsageError
from inceptions.evaluate.answerer import Answerer
from inceptions.network import Network
from inceptions.train.ensemble import read_size
from inceptions.train.run.folder import BEST, RECIPE, read_manifest
from inceptions.train.run.job import ENSEMBLE, member
from inceptions.weights import Card, load_model
from inceptions.weights.address import is_hub
from inceptions.weights.published.catalogue import PUBLISHED

# Last names of the files that weights come in; any other file or folder may be images.
WEIGHT_FILES = (
    *(".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".h5", ".hdf5", ".keras", ".npz", ".onnx", ".pb", ".caffemodel"),
    *(".index", ".meta", ".xml", ".pt2"),
)

Opening = Callable[[str], tuple[Network | Answerer, Card]]
"""Weights, by their name → what is asked, and its card."""


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A model to be judged.

    Attributes:
        name: what its weights were named by.
        asked: the network, in evaluation mode; or what was made of one.
        card: of its weights.
    """

    name: str
    asked: Network | Answerer
    card: Card

    @property
    def network(self) -> Network:
        """The network.

        Raises:
            UsageError: there is only what was made of it.
        """
        if isinstance(self.asked, Answerer):
            raise UsageError(f"{self.name} is run by an engine, which shows nothing inside: name weights, and no --engine.")
        return self.asked


def sorted_out(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Which words name weights, and which one, if any, names images.

    All name weights, but the last of several may name images: it does if it is neither the folder of a run or an ensemble, nor
    a file with the extension of a weight file, nor an address on the Hub, nor the name of published weights. An ensemble's
    folder stands for its models.

    Args:
        words: as they were typed, at least one.

    Returns:
        The weights, and the images; None if no images were named.

    Raises:
        UsageError: weights that are named twice, or an ensemble whose record is damaged.
    """
    *first, last = words
    weights, data = (list(words), None) if not first or are_weights(last) else (first, last)
    found = [one for word in weights for one in models_of(word)]
    if twice := sorted({one for one in found if found.count(one) > 1}):
        raise UsageError(f"{twice[0]} is named twice: name each model once, and give it more weight with --votes.")
    return found, data


def are_weights(word: str) -> bool:
    """Whether a word can only mean weights."""
    path = Path(word)
    if path.is_dir():
        return any((path / name).is_file() for name in (BEST, RECIPE, ENSEMBLE))
    return path.suffix.lower() in WEIGHT_FILES or is_hub(word) or word in {one.full_name for one in PUBLISHED}


def models_of(word: str) -> list[str]:
    """The runs of an ensemble's folder; anything else is one model.

    Raises:
        UsageError: the ensemble's record is damaged.
    """
    record = Path(word) / ENSEMBLE
    if not record.is_file():
        return [word]
    return [str(member(Path(word), number)) for number in range(1, read_size(record) + 1)]


def opened(weights: Sequence[str], opening: Opening = load_model) -> list[Contender]:
    """Open weights that tell the same classes apart.

    Args:
        weights: as `load_model` takes them.
        opening: opens one of them.

    Raises:
        UsageError: they do not.
        WeightsError: weights that cannot be read.
        MachineError: weights that cannot be fetched.
    """
    found = [Contender(name, *opening(name)) for name in weights]
    for one in found[1:]:
        columns(one, found[0])
    return found


def columns(one: Contender, first: Contender) -> list[int]:
    """For each output of the `first` model, which output of `one` has its name.

    Raises:
        UsageError: they do not tell the same classes apart, or names that occur twice stand in different places.
    """
    mine, wanted = (tuple(unicodedata.normalize("NFC", name) for name in model.card.classes) for model in (one, first))
    if mine == wanted:
        return list(range(len(mine)))
    if set(mine) != set(wanted):
        odd = sorted(set(mine) ^ set(wanted))
        who = one.name if odd[0] in mine else first.name
        raise UsageError(
            f"{first.name} and {one.name} do not tell the same classes apart: {len(odd)} are known to one of them only, "
            f"{odd[0]!r} to {who}. Models that answer together, or are compared, must have the same classes."
        )
    place = {name: i for i, name in enumerate(mine)}
    if len(place) < len(mine) or len(mine) != len(wanted):
        raise UsageError(f"{first.name} and {one.name} name a class twice and in different places: they cannot be lined up.")
    return [place[name] for name in wanted]


def images_for(contenders: Sequence[Contender], data: str | None) -> Images:
    """The images to judge models on, labelled with the first one's classes.

    Args:
        contenders: the models.
        data: what names the images; None for those that their runs held out.

    Raises:
        DataError: there are none, or of a class that the models do not know.
        UsageError: none are named, and the models are of no run, or of runs that held out different ones.
    """
    if data is not None:
        return open_evaluation(data, contenders[0].card.classes)
    first, *others = contenders
    images = own_images(Path(first.name))
    for one in others:
        theirs = own_images(Path(one.name))
        if list(theirs.names) != list(images.names):
            raise UsageError(
                f"{first.name} and {one.name} held out different images, so one has learnt from those of the other. "
                "Name a folder of images that is new to both."
            )
    return images


def own_images(weights: Path) -> Images:
    """The images that a run held out.

    Args:
        weights: the run's folder, or a weight file in it.

    Raises:
        UsageError: the weights are not in a run's folder.
        DataError: the run's data are not where they were.
    """
    run = weights if weights.is_dir() else weights.parent
    if not (run / RECIPE).is_file():
        raise UsageError(
            f"{weights} is not in the folder of a run, so it has no images of its own. Name a folder of labelled images."
        )
    manifest = read_manifest(run)
    ignore = Path(manifest.ignore) if manifest.ignore else None
    return open_data(manifest.data, seed=manifest.recipe.seed, ignore=ignore).validation
