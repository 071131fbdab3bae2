"""What a network says to each image, averaged over the image's views."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inceptions.data import Images, Readable, normalise
from inceptions.data.scan import MAX_UNREADABLE, EvaluationView
from inceptions.data.shares import ALONE, Member
from inceptions.errors import DataError, UsageError
from inceptions.evaluate.answerer import Answerer
from inceptions.evaluate.feed import Feed, Part
from inceptions.evaluate.protocol import Average, Protocol
from inceptions.evaluate.views import viewer
from inceptions.network import Network
from inceptions.train.machine import choose_device, choose_precision, choose_workers
from inceptions.train.progress import Reporter, Silent, clock
from inceptions.weights import Preprocess

Scores = NDArray[np.float32]
"""`[images, classes]`: logarithms of probabilities, up to a constant for each image. Logits are such."""

MAIN, BEST, MEAN = "main", "best", "mean"
# Smallest share of the time spent waiting for images that is worth a word.
NOTED = 0.05


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Predictions:
    """What a network said.

    Attributes:
        heads: the scores of each head that was asked, in depth order; the last is "main".
        indices: of the images that could be read, in order.
        skipped: those that could not, with the reason.
    """

    heads: Mapping[str, Scores]
    indices: tuple[int, ...]
    skipped: tuple[tuple[int, str], ...] = ()

    @property
    def main(self) -> Scores:
        """The scores of the main head."""
        return self.heads[MAIN]

    def with_joint_heads(self) -> dict[str, Scores]:
        """The scores of each head, and with auxiliary ones also of the mean of all and, for each image, of the surest.

        Heads that are equally sure: the deepest answers.
        """
        if len(self.heads) == 1:
            return dict(self.heads)
        every = np.stack([log_softmax(scores) for scores in reversed(list(self.heads.values()))])
        surest = every.max(axis=2).argmax(axis=0)
        mean = np.logaddexp.reduce(every, axis=0)
        best = every[surest, np.arange(every.shape[1])]
        return {**self.heads, MEAN: mean.astype(np.float32), BEST: best.astype(np.float32)}


def ask(
    network: Network | Answerer,
    preprocess: Preprocess,
    images: Images | Readable,
    *,
    protocol: Protocol | None = None,
    heads: bool = False,
    batch_size: int = 64,
    workers: int | str = "auto",
    device: str = "auto",
    precision: str = "auto",
    member: Member = ALONE,
    reporter: Reporter | None = None,
) -> Predictions:
    """Show every image to a network.

    Args:
        network: is moved to the device, and left in evaluation mode; or what an engine made of one, which computes where and
            in what it was made for.
        preprocess: of its weight file.
        images: each is decoded once, or has been already (`prepare_evaluation` with this preprocessing, for a single crop).
        protocol: how they are shown; a single crop if None.
        heads: ask the auxiliary heads too.
        batch_size: views in a forward pass.
        workers: threads that prepare images, or "auto".
        device: "auto", "cpu", "cuda", …
        precision: "auto", "fp32" or "bf16".
        member: which of several processes this is: it is shown every `size`-th image. `merged` puts their answers together.
        reporter: where progress goes; nowhere if None.

    Raises:
        DataError: too large a share of the images cannot be read.
        UsageError: an option that means nothing, or a protocol that does not fit the weights.
        MachineError: the machine has no such device.
    """
    protocol, reporter = protocol or Protocol(), reporter or Silent()
    place = torch.device("cpu") if isinstance(network, Answerer) else choose_device(device)
    if batch_size < 1:
        raise UsageError(f"A batch needs at least 1 view, not {batch_size}.")
    mine = range(member.rank, len(images), member.size)
    views = protocol.views(preprocess)
    look = looking(images, protocol, preprocess, pinned=place.type == "cuda")
    feed = Feed(mine, look, views=views, batch_size=batch_size, workers=choose_workers(workers, place))
    say = (
        _said_by_engine(network)
        if isinstance(network, Answerer)
        else _said_by_torch(network, preprocess, heads=heads, place=place, precision=choose_precision(precision, place))
    )
    means = Means(views, protocol.average)
    began, shown, waited = time.monotonic(), 0, 0.0
    answered = began
    with torch.inference_mode():
        for batch in feed:
            waited += time.monotonic() - answered
            means.add(batch.parts, say(batch.pieces))
            shown += sum(part.views for part in batch.parts)
            answered = time.monotonic()
            rate = shown / (answered - began)
            done = len(means.done) + len(feed.skipped)
            left = clock((views * (len(mine) - len(feed.skipped)) - shown) / rate)
            waiting = f"  {waited / (answered - began):.0%} waiting for images" if waited > NOTED * (answered - began) else ""
            what = "images" if views == 1 else "views"
            reporter.show("evaluating", done, len(mine), f"{rate:.0f} {what}/s  {left} left{waiting}")
    if member.size == 1:
        refuse_too_many(images, feed.skipped)
    if isinstance(network, Answerer):
        names, classes = network.heads if heads else (MAIN,), 0
    else:
        names = tuple(head.name for head in network.architecture.heads) if heads else (MAIN,)
        classes = network.architecture.options.num_classes or 0
    order = sorted(means.done)
    return Predictions(
        heads={head: means.rows(head, order, classes) for head in names}, indices=tuple(order), skipped=tuple(feed.skipped)
    )


def _said_by_torch(
    network: Network, preprocess: Preprocess, *, heads: bool, place: torch.device, precision: str
) -> Callable[[list[Tensor]], dict[str, Tensor]]:
    """From views, `[views, 3, height, width]` each, to logits by head, on torch."""
    autocast = autocasting(precision, place)
    network = network.eval().to(device=place, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def say(pieces: list[Tensor]) -> dict[str, Tensor]:
        pixels = normalise(torch.cat([piece.to(place, non_blocking=True) for piece in pieces]), preprocess)
        with autocast():
            logits = network.heads(pixels) if heads else {MAIN: network(pixels)}
        return {head: rows.float() for head, rows in logits.items()}

    return say


def _said_by_engine(answerer: Answerer) -> Callable[[list[Tensor]], dict[str, Tensor]]:
    """The same by an engine."""

    def say(pieces: list[Tensor]) -> dict[str, Tensor]:
        pixels = np.concatenate([piece.permute(0, 2, 3, 1).numpy() for piece in pieces])
        return {head: torch.from_numpy(rows) for head, rows in answerer.pixels(pixels).items()}

    return say


def merged(images: Images, parts: Sequence[Predictions]) -> Predictions:
    """The predictions of all images, of which each process made a share: every image once, in order.

    Args:
        images: all of them.
        parts: what the processes found.

    Raises:
        DataError: too large a share of the images cannot be read.
    """
    indices = np.concatenate([np.array(part.indices, dtype=np.int64) for part in parts])
    order = indices.argsort()
    skipped = sorted(fault for part in parts for fault in part.skipped)
    refuse_too_many(images, skipped)
    heads = {head: np.concatenate([part.heads[head] for part in parts if part.indices])[order] for head in parts[0].heads}
    return Predictions(heads=heads, indices=tuple(indices[order].tolist()), skipped=tuple(skipped))


class Means:
    """The mean of what a network says to the views of each image, which may come in several batches.

    Args:
        views: of an image.
        average: what is averaged.

    Attributes:
        done: for each image whose views were all seen, its scores `[classes]` by head, on the device.
    """

    def __init__(self, views: int, average: Average) -> None:
        self.done: dict[int, dict[str, Tensor]] = {}
        self._views = views
        self._average = average
        self._begun: dict[int, tuple[int, dict[str, list[Tensor]]]] = {}

    def add(self, parts: Sequence[Part], logits: Mapping[str, Tensor]) -> None:
        """Take the answers to a batch: logits `[views, classes]` by head."""
        if self._views == 1:
            self.done.update({part.image: {head: rows[i] for head, rows in logits.items()} for i, part in enumerate(parts)})
            return
        logs = {head: rows.log_softmax(1) for head, rows in logits.items()}
        start = 0
        for image, views in parts:
            seen, sums = self._begun.pop(image, (0, {head: [] for head in logs}))
            for head, rows in logs.items():
                sums[head].append(self._sum(rows[start : start + views]))
            start, seen = start + views, seen + views
            if seen == self._views:
                self.done[image] = {head: self._mean(torch.stack(found)) for head, found in sums.items()}
            else:
                self._begun[image] = seen, sums

    def rows(self, head: str, order: Sequence[int], classes: int) -> Scores:
        """The scores of images, in some order."""
        if not order:
            return np.empty((0, classes), np.float32)
        found: Scores = torch.stack([self.done[image][head] for image in order]).cpu().numpy()
        return found

    def _sum(self, logs: Tensor) -> Tensor:
        return logs.logsumexp(0) if self._average == "probabilities" else logs.sum(0)

    def _mean(self, sums: Tensor) -> Tensor:
        whole = self._sum(sums)
        return whole - math.log(self._views) if self._average == "probabilities" else whole / self._views


def looking(
    images: Images | Readable, protocol: Protocol, preprocess: Preprocess, *, pinned: bool
) -> Callable[[int], list[Tensor]]:
    """How the views of an image come about: it is decoded, or its pixels wait in memory."""
    if isinstance(images, Readable):
        assert protocol.crops == "1", "prepared for a single crop"
        assert images.view == EvaluationView(images.view.images, protocol.sized(preprocess)), "prepared for another network"
        return lambda image: [images.pixels(image)[None]]
    show = viewer(protocol, preprocess, pinned=pinned)
    return lambda image: show(images.open(image))


def autocasting(precision: str, device: torch.device) -> Callable[[], torch.autocast]:
    """The context in which a precision is computed."""
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return partial(torch.autocast, device.type, dtype=dtype, enabled=precision != "fp32")


def refuse_too_many(images: Images | Readable, skipped: Sequence[tuple[int, str]]) -> None:
    """Refuse a score of images of which too many cannot be read.

    Raises:
        DataError: says how many and names the first ones.
    """
    n = len(images)
    if len(skipped) < n and len(skipped) <= MAX_UNREADABLE * n:
        return
    first = "; ".join(f"{images.names[i]} ({reason})" for i, reason in skipped[:3])
    more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    raise DataError(
        f"{len(skipped)} of {n} images ({len(skipped) / n:.1%}) cannot be read, more than the {MAX_UNREADABLE:.0%} that may be "
        f"skipped: {first}{more}. Replace or remove them."
    )


def log_softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Scores as logarithms of probabilities, exact enough that no two different scores become equal."""
    found: NDArray[np.float64] = torch.from_numpy(scores).double().log_softmax(1).numpy()
    return found
