"""The weights that a run starts from: ours, or a foreign file of the family."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inceptions.errors import UsageError, WeightsError
from inceptions.network import Network, from_architecture
from inceptions.recipe import Recipe
from inceptions.train.tuning.features import CLASSIFIER, fingerprint
from inceptions.train.tuning.stages import stages_of
from inceptions.weights import Card, load_trunk
from inceptions.weights.store import load_state


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A trained network before it learns new classes.

    Attributes:
        source: where it was read from: a file, a run's folder or the name of a published checkpoint.
        network: with its old classifier, or a fresh one where the file has none.
        card: what is known of it.
        digest: a short hash of everything but the classifier, as it was when it was read.
        preprocess: what was said about how images are shown to it; "" if the weights say so themselves.
    """

    source: str
    network: Network
    card: Card
    digest: str = ""
    preprocess: str = ""

    @property
    def name(self) -> str:
        """What it is called, without the folders of this machine."""
        path = Path(self.source)
        return path.name if path.exists() else self.source

    @property
    def provenance(self) -> dict[str, Any]:
        """What the card of a network that began here says of that, and of where this one came from."""
        return {"weights": self.name, "trunk": self.digest, "weights_provenance": dict(self.card.provenance)}

    def with_classes(self, classes: int, *, seed: int) -> Start:
        """The same with fresh classifiers for other classes, and without auxiliary heads.

        Args:
            classes: how many.
            seed: of the fresh weights.
        """
        card = replace(self.card, options=replace(self.network.architecture.options, num_classes=classes, aux=False))
        fresh = from_architecture(card.declare(), seed=seed)
        own, old = fresh.state_dict(), self.network.state_dict()
        load_state(fresh, {name: own[name] if name.startswith(f"{CLASSIFIER}.") else old[name] for name in own}, self.source)
        return replace(self, network=fresh, card=card, digest=fingerprint(fresh)[:16])


def open_start(weights: str | Path, *, preprocess: str | None = None) -> Start:
    """Read weights to start from; where their network is not complete, they end at the last tap that is.

    Args:
        weights: a weight file of ours, a run's folder (its best weights), a foreign file of the family, or the name of a
            published checkpoint (`inceptions.weights.load_trunk`).
        preprocess: how images are shown to the network, where a foreign file does not say so: "torchvision", "timm", …, a tag
            of published weights, or a file that describes it.

    Raises:
        UsageError: a foreign file does not say how images are shown to it.
        WeightsError: nothing is there, or it is damaged or unknown.
        MachineError: it cannot be fetched.
    """
    network, card = load_trunk(weights, preprocess=preprocess)
    said = "" if preprocess is None else preprocess
    return Start(absolute(str(weights)), network, card, preprocess=absolute(said))


def absolute(name: str) -> str:
    """The whole path of a file, so that a run may be resumed from another folder; other names as they are."""
    return str(Path(name).resolve()) if name and Path(name).exists() else name


def adapted(recipe: Recipe, card: Card) -> Recipe:
    """A recipe that shows images as the weights know them: their size, mean, deviation and channels.

    Which part of an image is shown stays the recipe's.

    Raises:
        WeightsError: the weights are for grey images, or for images that are not square.
    """
    known = card.preprocess
    if known.channels == "L" or card.options.in_channels != 3 or len(set(known.size)) != 1:
        raise WeightsError(
            f"The weights are for images of {known.size[1]}×{known.size[0]} pixels in {card.options.in_channels} channels "
            f"({known.channels}); training can start from weights for square colour images only."
        )
    (red, green, blue), (r, g, b) = known.mean, known.std
    view = replace(
        recipe.view,
        interpolation=known.interpolation,
        channels=known.channels,
        mean=(red, green, blue),
        std=(r, g, b),
    )
    return replace(recipe, image_size=known.size[0], start_size=None, test_size=None, view=view)


def refuse_another(card: Card, *, model: str | None, variant: str | None, width: float | None, depth: float | None) -> None:
    """Refuse to be asked for another network than that of the weights; what is None was not asked for.

    Raises:
        UsageError: says which network it is.
    """
    name, _, kind = (model or card.architecture).partition("/")
    asked = (name, variant or kind or card.variant, width or card.options.width, depth or card.options.depth)
    if asked != (card.architecture, card.variant, card.options.width, card.options.depth):
        raise UsageError(
            f"The weights are of {card.architecture}/{card.variant} with width {card.options.width:g} and depth "
            f"{card.options.depth:g}: leave --model, --variant, --width and --depth out, or start from other weights."
        )


def begin_with(weights: str | Path | Start | None, recipe: Recipe, *, classes: int) -> Start | None:
    """The network that a run starts from; None to start from random weights.

    Args:
        weights: as for `open_start`, or what that returned.
        recipe: of the run.
        classes: how many there are to learn.

    Raises:
        UsageError: the recipe needs weights to start from, shows images in other colours than they know, or names stages that
            their network does not have.
        WeightsError: they cannot be read.
    """
    if weights is None:
        if recipe.tuning is None:
            return None
        raise UsageError(f"The recipe {recipe.name} starts from a trained network: name its weight file with --weights.")
    start = weights if isinstance(weights, Start) else open_start(weights)
    known, shown = start.card.preprocess, recipe.preprocess
    if (shown.mean, shown.std, shown.channels) != (known.mean, known.std, known.channels):
        raise UsageError(
            f"{start.source} knows images in {known.channels} with mean {known.mean} and deviation {known.std}, and the recipe "
            f"{recipe.name} shows them in {shown.channels} with {shown.mean} and {shown.std}: change its view "
            "(`inceptions.train.adapted` does)."
        )
    start = start.with_classes(classes, seed=recipe.seed)
    # Said here, before anything is written.
    stages_of(start.network, recipe)
    return start
