"""What a network makes of a folder of images: feature maps, pooled or whole, a few images at a time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inceptions.data import decode, evaluation, find_images, normalise
from inceptions.data.decode import printable
from inceptions.data.folder import folder_parts
from inceptions.errors import DataError, WeightsError
from inceptions.evaluate.feed import Feed
from inceptions.network import Network
from inceptions.train.machine import choose_device, choose_workers
from inceptions.train.progress import Reporter, Silent, clock
from inceptions.weights import Card, Preprocess
from inceptions.weights.open import is_ours
from inceptions.weights.source import load_trunk, resolve
from inceptions.weights.store import check_classifier, locate
from inceptions.weights.styles import preprocess_of

BATCH = 32
SCORES = "scores"

# Four maps of Inception-v3 by their channels, as those who measure with it call them; Heusel et al. 2017 took the last.
FID_TAPS = {"64": "pool_3a", "192": "pool_5a", "768": "mixed_6e", "2048": "mixed_7c"}


@dataclass(frozen=True, slots=True, eq=False)
class Extractor:
    """A network that is asked for its features.

    Attributes:
        model: in evaluation mode, on its device.
        card: what is known of its weights; its preprocessing is how images are shown.
        where: what the weights were named by.
        sha256: of the weight file; of a file that was converted to ours, of ours.
    """

    model: Network
    card: Card
    where: str
    sha256: str

    def tap(self, asked: str | None = None) -> str:
        """The map that somebody means: by its name, or of Inception-v3 by its channels; the last one if None.

        Raises:
            UsageError: there is none.
        """
        architecture = self.model.architecture
        if asked is None:
            return architecture.way[-1]
        tap = FID_TAPS.get(asked, asked) if architecture.name == "inception_v3" else asked
        return architecture.tap(tap)

    def about(self) -> dict[str, Any]:
        """What the features depend on besides the images, in plain values."""
        return {
            "weights": self.where,
            "sha256": self.sha256,
            "network": self.model.architecture.full_name,
            "preprocess": self.card.preprocess.to_dict(),
        }


def open_extractor(weights: str | Path, *, preprocess: str | None = None, device: str = "auto") -> Extractor:
    """The network of weights, for its features.

    Args:
        weights: as `inceptions.load` takes them. They need no classifier, and may end early.
        preprocess: how images are shown to the network, if not as the weight file says: "fid", "graph_2015", … .
        device: "cpu", "cuda", …; "auto" takes a GPU if there is one.

    Raises:
        UsageError: a foreign file does not say how images are shown to it, or no such preprocessing.
        WeightsError: weights that cannot be read.
        MachineError: no such device, or the weights cannot be fetched.
    """
    place = choose_device(device)
    # Outputs that stand for nothing count in the Inception Score as it is defined.
    model, card = load_trunk(weights, preprocess=preprocess, background="keep")
    if preprocess is not None:
        size = model.architecture.input_size[0]
        card = replace(card, preprocess=preprocess_of(preprocess, model.architecture.full_name, size))
    model = model.to(device=place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Extractor(model, card, str(weights), _digest(weights, card))


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """The features of a few images.

    Attributes:
        images: their numbers.
        values: by tap, float32 on the CPU: `[images, channels]`, or `[images, channels, rows, columns]` of whole maps; under
            "scores" the classifier's answers, `[images, classes]`, if they were asked for.
    """

    images: tuple[int, ...]
    values: dict[str, Tensor]


class Pass:
    """One pass of images through a network, in chunks that are made as they are asked for.

    Args:
        extractor: the network.
        files: the images.
        taps: which maps, by their names in the architecture.
        pool: each channel's mean instead of the whole map.
        scores: the classifier's answers too, before any softmax (`unbiased`).
        workers: threads that decode, or "auto".
        reporter: where progress goes; nowhere if None.
        activity: what progress calls it.

    Attributes:
        skipped: images that cannot be read, with the reason; complete after the last chunk.

    Raises:
        WeightsError: scores of weights without a classifier.
    """

    def __init__(
        self,
        extractor: Extractor,
        files: Sequence[Path],
        taps: Sequence[str],
        *,
        pool: bool = True,
        scores: bool = False,
        workers: int | str = "auto",
        reporter: Reporter | None = None,
        activity: str = "features",
    ) -> None:
        if scores:
            check_classifier(extractor.card, extractor.where)
        self._extractor, self._files, self._taps = extractor, files, tuple(taps)
        self._pool, self._scores = pool, scores
        self._reporter, self._activity = reporter or Silent(), activity
        self._device = next(extractor.model.parameters()).device
        self._pixels = evaluation(extractor.card.preprocess)
        self._feed = Feed(
            range(len(files)), self._look, views=1, batch_size=BATCH, workers=choose_workers(workers, self._device)
        )

    @property
    def skipped(self) -> list[tuple[int, str]]:
        """Images that cannot be read, with the reason."""
        return self._feed.skipped

    def __iter__(self) -> Iterator[Chunk]:
        began, done = time.monotonic(), 0
        for views in self._feed:
            images = tuple(part.image for part in views.parts)
            values = self._forward(torch.cat([piece.to(self._device, non_blocking=True) for piece in views.pieces]))
            self._refuse_not_finite(images, values)
            yield Chunk(images, values)
            done += len(images)
            rate = done / max(time.monotonic() - began, 1e-9)
            past, total = done + len(self.skipped), len(self._files)
            left = clock((total - past) / rate)
            self._reporter.show(self._activity, past, total, f"{rate:.0f} images/s  {left} left")

    def _look(self, image: int) -> list[Tensor]:
        return [self._pixels(decode(self._files[image]))[None]]

    @torch.inference_mode()
    def _forward(self, pixels: Tensor) -> dict[str, Tensor]:
        model = self._extractor.model
        last = model.architecture.way[-1]
        x = normalise(pixels, self._extractor.card.preprocess).contiguous(memory_format=torch.channels_last)
        maps = model.features(x, [*self._taps, last] if self._scores else self._taps)
        found = {tap: maps[tap].float() for tap in self._taps}
        if self._pool:
            found = {tap: values.mean(dim=(2, 3)) for tap, values in found.items()}
        if self._scores:
            found[SCORES] = unbiased(model, maps[last]).float()
        return {name: values.cpu() for name, values in found.items()}

    def _refuse_not_finite(self, images: tuple[int, ...], values: dict[str, Tensor]) -> None:
        for tap, rows in values.items():
            good = rows.flatten(1).isfinite().all(dim=1)
            if not bool(good.all()):
                first = self._files[images[int((~good).nonzero()[0])]]
                raise WeightsError(f"At {tap} the network answers to {first} with values that are not finite: it is damaged.")


def unbiased(model: Network, last: Tensor) -> Tensor:
    """The main head's answer; of `inception_v3/fid` without its biases, as the Inception Score is defined.

    The code of Salimans et al. 2016 multiplied the pooled features by the classifier's matrix and left the biases out; so does
    everybody since.

    Args:
        model: the network.
        last: what its main head hangs on.

    Returns:
        `[images, classes]`.
    """
    logits: Tensor = model.get_submodule("main")(last)
    if model.architecture.full_name != "inception_v3/fid":
        return logits
    linear = model.get_submodule("main.logits.linear")
    assert isinstance(linear, nn.Linear)
    return logits if linear.bias is None else logits - linear.bias


def images_in(folder: Path) -> list[Path]:
    """The images in a folder, at any depth.

    Raises:
        DataError: there are none, or the folder cannot be read.
    """
    files = find_images(folder)
    if not files:
        raise DataError(f"There are no images in {folder}.")
    return files


def labels_of(folder: Path, files: Sequence[Path]) -> tuple[tuple[int, ...], tuple[str, ...]] | None:
    """The class of each image, if all of them lie in class folders, directly or in train/ and validation/.

    Returns:
        Each image's class, and the classes' names; None if an image lies outside of any.
    """
    parts = {part.name for part in folder_parts(folder).values()}
    below = [file.relative_to(folder).parts[:-1] for file in files]
    names = [path[1:] if path and path[0] in parts else path for path in below]
    if not all(names):
        return None
    named = [printable(path[0]) for path in names]
    classes = tuple(sorted(set(named)))
    return tuple(map(classes.index, named)), classes


def _digest(weights: str | Path, card: Card) -> str:
    """SHA-256 of the weight file."""
    path, _ = resolve(weights)
    if not is_ours(path):  # known since it was read, and it may be one of several parts
        return str(card.provenance["source"]["sha256"])
    with locate(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def described(preprocess: Preprocess) -> str:
    """How images are shown, with the scale, in one line."""
    mean, std = ({f"{255 * value:.6g}" for value in values} for values in (preprocess.mean, preprocess.std))
    scale = f", (x - {mean.pop()}) / {std.pop()}" if len(mean) == len(std) == 1 else ""
    return preprocess.describe() + scale
