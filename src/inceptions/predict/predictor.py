"""A weight file that answers: which class is this image, and how sure is the network?"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, overload

import PIL.Image
import torch
from torch import Tensor

from inceptions.data import ImageError, decode, evaluation, normalise
from inceptions.errors import UsageError, WeightsError, unknown
from inceptions.network import Network
from inceptions.train.machine import choose_device
from inceptions.weights import Card, Preprocess, load_model
from inceptions.weights.calibration import Calibration

Image = str | Path | bytes | BinaryIO | PIL.Image.Image
"""Whatever an image may come as: a path, a file's content, an open file, a Pillow image."""

BATCH = 32

BEST, MEAN = "best", "mean"
"""Answers out of several heads': of the one that is surest of this image, and the mean of all."""


@dataclass(frozen=True, slots=True)
class Guess:
    """One class and its probability (softmax, 0 to 1); `index` is the output it belongs to."""

    label: str
    index: int
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer for one image.

    Attributes:
        path: where the image came from; None if it was not a file.
        top: the likeliest classes, best first; empty where the image could not be read.
        error: why it could not be read, as a part of a sentence; None where it could.
        sure: whether the likeliest class is probable enough for the threshold of `inceptions evaluate --calibrate`; None
            where there is no threshold, or it is not for the head that answers.
    """

    path: str | None
    top: tuple[Guess, ...] = ()
    error: str | None = None
    sure: bool | None = None

    @property
    def label(self) -> str:
        """The likeliest class.

        Raises:
            ImageError: the image could not be read.
        """
        return self._best.label

    @property
    def probability(self) -> float:
        """How likely it is, 0 to 1.

        Raises:
            ImageError: the image could not be read.
        """
        return self._best.probability

    @property
    def _best(self) -> Guess:
        if not self.top:
            raise ImageError(self.path or "image", self.error or "there is no answer for it")
        return self.top[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain values: `path`, and `top` (of `class`, `index`, `probability`), with `sure` if that is known, or `error`."""
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        top = [{"class": guess.label, "index": guess.index, "probability": guess.probability} for guess in self.top]
        return {"path": self.path, "top": top} if self.sure is None else {"path": self.path, "top": top, "sure": self.sure}


class Predictor:
    """A network with what it needs to answer for images instead of tensors.

    Attributes:
        model: the network, in evaluation mode.
        card: what its weight file says about it.
        calibration: the temperature and the threshold that it says are to be used; None if it has none.
    """

    def __init__(self, model: Network, card: Card, *, device: str = "auto") -> None:
        self.device = choose_device(device)
        self.model = model.eval().to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.card = card
        self.calibration = Calibration.of(card)
        self._pixels = evaluation(card.preprocess)

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each output, in order."""
        return self.card.classes

    @property
    def preprocess(self) -> Preprocess:
        """From a decoded image to the network's input."""
        return self.card.preprocess

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
            UsageError: `top` is not at least 1, or the network has no such head.
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
            UsageError: `top` is not at least 1, or the network has no such head.
        """
        if top < 1:
            raise UsageError(f"top must be at least 1, not {top}.")
        known = [one.name for one in self.model.architecture.heads] + [BEST, MEAN]
        if head not in known:
            raise unknown(f"head of {self.model.architecture.full_name}", head, known)
        return self._stream(iter(images), top, head)

    def _stream(self, images: Iterator[Image], top: int, head: str) -> Iterator[Prediction]:
        pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
        waiting: deque[list[tuple[str | None, Future[Tensor]]]] = deque()
        try:
            while chunk := [(_path(image), pool.submit(self.prepare, image)) for image in islice(images, BATCH)]:
                waiting.append(chunk)
                if len(waiting) > 1:
                    yield from self._answer(waiting.popleft(), top, head)
            while waiting:
                yield from self._answer(waiting.popleft(), top, head)
        finally:
            pool.shutdown(cancel_futures=True)

    def prepare(self, image: Image) -> Tensor:
        """An image as `answer` takes it. May be called from several threads at once.

        Raises:
            ImageError: it cannot be read.
        """
        return self._pixels(decode(Path(image) if isinstance(image, str) else image))

    def answer(self, prepared: Sequence[Tensor], *, top: int = 5, head: str = "main") -> list[Prediction]:
        """The answers for images that `prepare` made ready, in one pass through the network.

        Raises:
            WeightsError: the network's answer is not a number.
        """
        return [self._prediction(None, guesses, head) for guesses in self._guesses(torch.stack(list(prepared)), top, head)]

    def _answer(self, chunk: list[tuple[str | None, Future[Tensor]]], top: int, head: str) -> list[Prediction]:
        """One forward pass for the readable ones of a chunk."""
        pixels: list[Tensor] = []
        reasons: list[str | None] = []
        for _, future in chunk:
            try:
                pixels.append(future.result())
                reasons.append(None)
            except ImageError as error:
                reasons.append(error.reason)
        rows = iter(self._guesses(torch.stack(pixels), top, head) if pixels else [])
        return [
            Prediction(path=path, error=reason) if reason else self._prediction(path, next(rows), head)
            for (path, _), reason in zip(chunk, reasons, strict=True)
        ]

    def _prediction(self, path: str | None, guesses: tuple[Guess, ...], head: str) -> Prediction:
        threshold = self.calibration.threshold if self.calibration is not None and head == "main" else None
        return Prediction(path=path, top=guesses, sure=None if threshold is None else guesses[0].probability >= threshold)

    @torch.inference_mode()
    def _guesses(self, pixels: Tensor, top: int, head: str) -> list[tuple[Guess, ...]]:
        """Best classes for `pixels` (uint8, `[batch, channels, height, width]`)."""
        batch = normalise(pixels.to(self.device), self.preprocess).contiguous(memory_format=torch.channels_last)
        probabilities = self._probabilities(batch, head)
        if not bool(torch.isfinite(probabilities).all()):
            raise WeightsError("The network's answer is not a number: its weights are damaged. `inceptions doctor` says where.")
        best = probabilities.topk(min(top, len(self.classes)))
        return [
            tuple(Guess(self.classes[i], i, probability) for i, probability in zip(indices, values, strict=True))
            for indices, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def _probabilities(self, batch: Tensor, head: str) -> Tensor:
        """`[batch, classes]`, of the head or heads asked for. The auxiliary ones are only run when they are."""
        logits: dict[str, Tensor] = {"main": self.model(batch)} if head == "main" else self.model.heads(batch)
        heads = {name: values.float().softmax(dim=1) for name, values in logits.items()}
        if head == "main" and self.calibration is not None:
            heads = {head: (logits[head].float() / self.calibration.temperature).softmax(dim=1)}
        if head not in (BEST, MEAN):
            return heads[head]
        # The deepest first: among heads that are equally sure, it answers.
        every = torch.stack(list(reversed(heads.values())))
        if head == MEAN:
            return every.mean(dim=0)
        surest = every.amax(dim=2).argmax(dim=0)
        return every[surest, torch.arange(len(batch), device=batch.device)]


def load(path: str | Path, *, device: str = "auto") -> Predictor:
    """A predictor from weights.

    Args:
        path: `weights.safetensors`, or the run folder that holds it; "hf:owner/name" on the Hugging Face Hub; or a published
            checkpoint by its full name ("inception_v3.torchvision_in1k", see `inceptions models --weights`).
        device: "cpu", "cuda", …; "auto" takes a GPU if there is one.

    Raises:
        WeightsError: there is no weight file, or it is not one that can be read.
        UsageError: no name of a device, or no address on the Hub.
        MachineError: the machine has no such device, or the weights cannot be fetched.
    """
    model, card = load_model(path)
    return Predictor(model, card, device=device)


def _path(image: Image) -> str | None:
    return str(image) if isinstance(image, (str, Path)) else None
