"""A weight file that answers: which class is this image, and how sure is the network?"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, overload

import numpy as np
import PIL.Image

from inceptions.data.decode import ImageError, decode
from inceptions.data.showing import Pixels, showing
from inceptions.errors import UsageError, WeightsError, unknown
from inceptions.evaluate.answerer import Answerer
from inceptions.predict.answers import BEST, MAIN, MEAN, Prediction, guesses, probabilities
from inceptions.weights.calibration import Calibration
from inceptions.weights.card import Card
from inceptions.weights.preprocess import Preprocess

if TYPE_CHECKING:
    import torch

    from inceptions.network import Network

Image = str | Path | bytes | BinaryIO | PIL.Image.Image
"""Whatever an image may come as: a path, a file's content, an open file, a Pillow image."""

BATCH = 32
# Batches that are decoded while one is answered.
AHEAD = 2


class Predictor:
    """A network with what it needs to answer for images instead of tensors.

    Args:
        model: the network, which is moved to the device; or what was made of one and runs by itself.
        card: what its weight file says about it.
        device: where a network computes: "cpu", "cuda", …; "auto" takes a GPU if there is one.
        scaled_decoding: decode large JPEGs at a half, a quarter or an eighth of their size, as long as that is at least twice
            what the network is shown. Of 10 megapixels it takes a quarter of the time, and what is shown then differs
            by 0.2 of 255 in the mean, and by up to 5.

    Attributes:
        card: likewise.
        calibration: the temperature and the threshold that it says are to be used; None if it has none.
        heads: names of the heads that can be asked, in depth order; the last is "main".

    Raises:
        UsageError: no name of a device.
        MachineError: this machine does not have it.
    """

    def __init__(self, model: Network | Answerer, card: Card, *, device: str = "auto", scaled_decoding: bool = False) -> None:
        self.card = card
        self.calibration = Calibration.of(card)
        self._network: Network | None = None
        self._device: torch.device | None = None
        if isinstance(model, Answerer):
            self.heads = model.heads
            self._main = self._every = model.pixels
        else:
            from inceptions.predict.eager import Eager  # torch, which answerers may do without

            eager = Eager(model, card.preprocess, device=device)
            self.heads, self._network, self._device = eager.heads, eager.network, eager.device
            self._main, self._every = eager.pixels, eager.every_head
        self._show = showing(card.preprocess)
        # Where images are not antialiased, every other size is another image.
        scaled = scaled_decoding and card.preprocess.sampling == "antialiased"
        self._at_least = 2 * larger_side(card.preprocess) if scaled else None

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each output, in order."""
        return self.card.classes

    @property
    def preprocess(self) -> Preprocess:
        """From a decoded image to the network's input."""
        return self.card.preprocess

    @property
    def model(self) -> Network:
        """The network, in evaluation mode.

        Raises:
            UsageError: there is only what was made of it.
        """
        if self._network is None:
            raise UsageError("This is a compiled network: it answers, and shows nothing of its inside. Open weights instead.")
        return self._network

    @property
    def device(self) -> torch.device:
        """Where the network computes.

        Raises:
            UsageError: as `model`.
        """
        if self._device is None:
            raise UsageError("A compiled network is on no device of torch's: open weights.")
        return self._device

    # Text and bytes are sequences too, but of nothing that is an image: they mean one.
    @overload
    def predict(self, image: Image, top: int = 5, *, head: str = "main") -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, image: Sequence[Image], top: int = 5, *, head: str = "main") -> list[Prediction]: ...

    def predict(self, image: Image | Sequence[Image], top: int = 5, *, head: str = "main") -> Prediction | list[Prediction]:
        """Say what is on an image, or on each of several.

        Args:
            image: a path, a file's content, an open file or a Pillow image; or a sequence of them.
            top: how many classes to name, best first; all of them if there are fewer.
            head: who answers: "main", an auxiliary head by its name ("aux_4a"), "mean" (the mean of all heads' probabilities)
                or "best" (for each image the head that is surest of its answer). Without auxiliary heads these are all "main".

        Returns:
            One prediction, or a list of them in the order given. In a list, an image that cannot be read has its `error` said.

        Raises:
            ImageError: a single image that cannot be read.
            UsageError: `top` is not at least 1, the network has no such head, or of several heads only one was opened.
        """
        if isinstance(image, Sequence) and not isinstance(image, (str, bytes)):
            return list(self.stream(image, top=top, head=head))
        (prediction,) = self.stream([image], top=top, head=head)
        if prediction.error is not None:
            raise ImageError(prediction.path or "image", prediction.error)
        return prediction

    def stream(self, images: Iterable[Image], *, top: int = 5, head: str = "main") -> Iterator[Prediction]:
        """As `predict` for a list, but one answer at a time and in bounded memory: the next images are decoded meanwhile.

        Raises:
            UsageError: as `predict`.
        """
        if top < 1:
            raise UsageError(f"top must be at least 1, not {top}.")
        self.check_head(head)
        return self._stream(iter(images), top, head)

    def _stream(self, images: Iterator[Image], top: int, head: str) -> Iterator[Prediction]:
        pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
        waiting: deque[_Chunk] = deque()
        try:
            while chunk := list(islice(images, BATCH)):
                place = self._place(len(chunk))
                begun = [pool.submit(self._put, image, place, i) for i, image in enumerate(chunk)]
                waiting.append(_Chunk([_path(image) for image in chunk], place, begun))
                if len(waiting) > AHEAD:
                    yield from self._answer(waiting.popleft(), top, head)
            while waiting:
                yield from self._answer(waiting.popleft(), top, head)
        finally:
            pool.shutdown(cancel_futures=True)

    def check_head(self, head: str) -> None:
        """Refuse a head that cannot be asked.

        Raises:
            UsageError: the network has no such head, or of its several heads one alone was made ready.
        """
        # The service asks this for every request: what is there needs no declaration of the network to say so.
        if head in self.heads:
            return
        declared, known = self.card.declare(), [*self.heads, BEST, MEAN]
        if head not in known:
            raise unknown(f"head of {declared.full_name}", head, known)
        if head in (BEST, MEAN) and len(self.heads) < min(2, len(declared.heads)):
            raise UsageError(
                f"Of the heads of {declared.full_name}, {self.heads[0]} alone answers here, so there is no {head} of several: "
                "open weights with every_head=True, or export the file again with --heads."
            )

    def prepare(self, image: Image) -> Pixels:
        """An image as `answer` takes it. May be called from several threads at once.

        Raises:
            ImageError: it cannot be read.
        """
        return self._show(decode(Path(image) if isinstance(image, str) else image, at_least=self._at_least))

    def answer(self, prepared: Sequence[Pixels], *, top: int = 5, head: str = "main") -> list[Prediction]:
        """The answers for images that `prepare` made ready, in one pass through the network.

        Raises:
            WeightsError: the network's answer is not a number.
        """
        place = self._place(len(prepared))
        np.stack(list(prepared), out=place)
        return self._predictions(place, [None] * len(prepared), top, head)

    def _place(self, images: int) -> Pixels:
        """Memory for the pixels of images, side by side."""
        shape = (images, *self.preprocess.size, 3)
        return np.empty(shape, np.uint8) if self.preprocess.sampling == "antialiased" else np.empty(shape, np.float32)

    def _put(self, image: Image, place: Pixels, i: int) -> None:
        place[i] = self.prepare(image)

    def _answer(self, chunk: _Chunk, top: int, head: str) -> list[Prediction]:
        """One pass for the readable ones of a chunk."""
        reasons: list[str | None] = []
        for future in chunk.begun:
            error = future.exception()
            if error is not None and not isinstance(error, ImageError):
                raise error
            reasons.append(None if error is None else error.reason)
        good = [i for i, reason in enumerate(reasons) if reason is None]
        pixels = chunk.place if len(good) == len(reasons) else chunk.place[good]
        answered = iter(self._predictions(pixels, [chunk.paths[i] for i in good], top, head) if good else [])
        return [
            next(answered) if reason is None else Prediction(path=path, error=reason)
            for path, reason in zip(chunk.paths, reasons, strict=True)
        ]

    def _predictions(self, pixels: Pixels, paths: Sequence[str | None], top: int, head: str) -> list[Prediction]:
        temperature = self.calibration.temperature if self.calibration is not None and head == MAIN else 1.0
        threshold = self.calibration.threshold if self.calibration is not None and head == MAIN else None
        shares = probabilities(self._main(pixels) if head == MAIN else self._every(pixels), head, temperature)
        if not np.isfinite(shares).all():
            raise WeightsError("The network's answer is not a number: its weights are damaged. `inceptions doctor` says where.")
        return [
            Prediction(path=path, top=best, sure=None if threshold is None else best[0].probability >= threshold)
            for path, best in zip(paths, guesses(shares, self.classes, top), strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """Images on their way to the network.

    Attributes:
        paths: where each came from.
        place: where the pixels go, in the same order.
        begun: who puts them there.
    """

    paths: list[str | None]
    place: Pixels
    begun: list[Future[None]]


def load(path: str | Path, *, device: str = "auto") -> Predictor:
    """A predictor from weights, on torch.

    Args:
        path: `weights.safetensors`, or the run folder that holds it; "hf:owner/name" on the Hugging Face Hub; or a published
            checkpoint by its full name ("inception_v3.torchvision_in1k", see `inceptions models --weights`).
        device: "cpu", "cuda", …; "auto" takes a GPU if there is one.

    Raises:
        WeightsError: there is no weight file, or it is not one that can be read.
        UsageError: no name of a device, or no address on the Hub.
        MachineError: the machine has no such device, or the weights cannot be fetched.
    """
    from inceptions.weights.source import load_model  # torch, as above

    model, card = load_model(path)
    return Predictor(model, card, device=device)


def larger_side(preprocess: Preprocess) -> int:
    """Pixels that the shorter side of an image must have so that nothing the network sees is enlarged."""
    if preprocess.resize in ("shorter_side", "squeezed"):
        return preprocess.resize_to
    return ceil(max(preprocess.size) / (preprocess.fraction if preprocess.resize == "central" else 1))


def _path(image: Image) -> str | None:
    return str(image) if isinstance(image, (str, Path)) else None
