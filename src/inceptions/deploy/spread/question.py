"""What is asked about every image: plain values, so that any process on any machine can ask it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inceptions.predict.output import answers
from inceptions.predict.predictor import BATCH, Predictor
from inceptions.predict.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Weights, and how they are asked; the fields are the options of `inceptions predict`.

    Attributes:
        weights: whatever `inceptions.load` takes.
        base: the folder that relative paths start from, on every machine.
        top: how many classes to name.
        head: which head answers.
        device: where torch computes.
        engine: what computes instead of it.
        precision: in which precision.
        scaled_decoding: decode large JPEGs at a part of their size.
        batch: how many images come at once.
    """

    weights: str
    base: Path
    top: int = 5
    head: str = "main"
    device: str = "auto"
    engine: str | None = None
    precision: str = "auto"
    scaled_decoding: bool = False
    batch: int = BATCH

    @property
    def place(self) -> Path | None:
        """The file or folder of the weights; None if they come from elsewhere."""
        path = self.base / self.weights
        return path if path.exists() else None

    def identity(self) -> list[Any]:
        """What the answers depend on, besides the images. Weights that were written anew are others."""
        place = self.place
        # A run's folder stands for the file in it; OpenVINO keeps weights in a second file.
        files = [] if place is None else [place, place / "weights.safetensors", place.with_suffix(".bin")]
        states = [file.stat() for file in files if file.is_file()]
        return [
            version("inceptions"),
            *(self.weights, self.top, self.head, self.device, self.engine, self.precision, self.scaled_decoding),
            *([state.st_size, state.st_mtime_ns] for state in states),
        ]

    def open(self, *, threads: int | None = None, say: Callable[[str], None] = lambda _: None) -> Asked:
        """The weights, ready to answer.

        Args:
            threads: how many an engine uses; its own number if None.
            say: told what was chosen and found.

        Raises:
            WeightsError: they cannot be read.
            UsageError: an unknown name.
            MachineError: the engine or the device is not there.
        """
        from inceptions.deploy.opening import load

        predictor = load(
            self.weights if self.place is None else self.place,
            device=self.device,
            engine=self.engine,
            precision=self.precision,
            batch=self.batch,
            every_head=self.head != "main",
            scaled_decoding=self.scaled_decoding,
            threads=threads,
            say=say,
        )
        return Asked(self, predictor)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its weights open."""

    question: Question
    predictor: Predictor

    def rows(self, sources: list[Source]) -> list[dict[str, Any]]:
        """One row for each image, as `Prediction.to_dict` makes them.

        Raises:
            UsageError: no such head, or no number of classes.
            WeightsError: the answers are not numbers.
        """
        question = self.question
        found = answers(self.predictor, sources, top=question.top, head=question.head, base=question.base)
        return [prediction.to_dict() for prediction in found]
