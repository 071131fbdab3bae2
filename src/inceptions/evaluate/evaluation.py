"""How good weights are: the answers for a folder of labelled images, counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

from inceptions.data import Batch, Images, evaluation_batches, open_data, prepare_evaluation
from inceptions.errors import UsageError
from inceptions.network import Network
from inceptions.train.machine import choose_device, choose_precision, choose_workers
from inceptions.train.progress import Reporter, Silent
from inceptions.train.runfolder import RECIPE, read_manifest
from inceptions.train.validation import Answers, validate
from inceptions.weights import Card, Preprocess


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """One class.

    Attributes:
        name: of the class.
        n: its images.
        correct: those answered rightly.
        accuracy: their share (the recall of the class); None without images.
        mistaken_for: the most frequent wrong answer; None if there is none.
    """

    name: str
    n: int
    correct: int
    accuracy: float | None
    mistaken_for: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "class": self.name,
            "n": self.n,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "mistaken_for": self.mistaken_for,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The score of weights on labelled images.

    Attributes:
        n: images counted: every one that could be read, each once.
        top1: share whose likeliest class is right.
        top5: share whose class is among the five likeliest (always 1 with five classes or fewer).
        loss: mean cross-entropy in nats, without label smoothing.
        protocol: how each image was shown to the network.
        precision: "fp32" or "bf16".
        per_class: in the order of the network's outputs.
        skipped: images that could not be read, with the reason.
    """

    n: int
    top1: float
    top5: float
    loss: float
    protocol: str
    precision: str
    per_class: tuple[ClassScore, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def hardest_first(self) -> list[ClassScore]:
        """The classes that have images, the least accurate first."""
        return sorted((one for one in self.per_class if one.n), key=lambda one: (one.correct / one.n, one.name))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "n": self.n,
            "top1": self.top1,
            "top5": self.top5,
            "loss": self.loss,
            "protocol": self.protocol,
            "precision": self.precision,
            "per_class": [score.to_dict() for score in self.per_class],
            "skipped": [{"path": name, "error": reason} for name, reason in self.skipped],
        }


def evaluate(
    model: Network,
    card: Card,
    images: Images,
    *,
    batch_size: int = 64,
    workers: int | str = "auto",
    device: str = "auto",
    precision: str = "auto",
    reporter: Reporter | None = None,
) -> Evaluation:
    """Show every image to the network once and count the right answers.

    Args:
        model: the network; it is moved to the device.
        card: what its weight file says: classes and preprocessing.
        images: labelled with the card's classes (`inceptions.data.open_evaluation`).
        batch_size: images in a forward pass. No image is dropped or counted twice, whatever the number.
        workers: processes that decode images, or "auto".
        device: "auto", "cpu", "cuda", …
        precision: "auto", "fp32" or "bf16"; "auto" is what training on this machine validates in.
        reporter: where progress goes; nowhere if None.

    Raises:
        DataError: too large a share of the images cannot be read.
        UsageError: an option that means nothing.
        MachineError: the machine has no such device.
    """
    place = choose_device(device)
    chosen = choose_precision(precision, place)
    helpers = choose_workers(workers, place)
    model = model.to(device=place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    autocast = partial(torch.autocast, place.type, dtype=torch.bfloat16, enabled=chosen == "bf16")
    reporter = reporter or Silent()
    readable = prepare_evaluation(
        images, card.preprocess, progress=lambda done, total: reporter.show("reading images", done, total)
    )

    if readable.cached == len(readable):
        helpers = 0  # images that wait in memory need nobody to prepare them

    def watched() -> Iterator[Batch]:
        done = 0
        for batch in evaluation_batches(readable, card.preprocess, batch_size=batch_size, workers=helpers):
            reporter.show("evaluating", done, len(readable))
            done += len(batch.labels)
            yield batch

    answers = validate(model, watched(), card.preprocess, autocast)
    return score(answers, card.classes, protocol=describe(card.preprocess), precision=chosen, skipped=tuple(readable.skipped))


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
    return open_data(manifest.data, seed=manifest.recipe.seed).validation


def score(
    answers: Answers,
    classes: tuple[str, ...],
    *,
    protocol: str,
    precision: str,
    skipped: tuple[tuple[str, str], ...] = (),
) -> Evaluation:
    """Count the answers of a network.

    Args:
        answers: logits `[n, classes]` and labels `[n]`, at least one.
        classes: name of each output.
        protocol: how the images were shown.
        precision: what was computed in.
        skipped: images that gave no answer, with the reason.
    """
    count = len(classes)
    confusion = multiclass_confusion_matrix(answers.logits, answers.labels, num_classes=count)
    right = confusion.diagonal()
    wrong = confusion - right.diag()
    per_class = tuple(
        ClassScore(
            name=name,
            n=n,
            correct=correct,
            accuracy=correct / n if n else None,
            mistaken_for=classes[taken] if n > correct else None,
        )
        for name, n, correct, taken in zip(
            classes, confusion.sum(1).tolist(), right.tolist(), wrong.argmax(1).tolist(), strict=True
        )
    )
    n = len(answers.labels)
    within = multiclass_accuracy(
        answers.logits.double(), answers.labels, num_classes=count, top_k=min(5, count), average="micro"
    )
    return Evaluation(
        n=n,
        top1=int(right.sum()) / n,
        top5=round(float(within) * n) / n,
        loss=answers.loss,
        protocol=protocol,
        precision=precision,
        per_class=per_class,
        skipped=skipped,
    )


def describe(preprocess: Preprocess) -> str:
    """How an image is shown to the network, in words."""
    height, width = preprocess.size
    if preprocess.resize == "exact":
        return f"the whole image, resized to {height}×{width} ({preprocess.interpolation}), seen once"
    return (
        f"one centre crop of {height}×{width} from the image resized to a shorter side of {preprocess.resize_to} "
        f"({preprocess.interpolation})"
    )
