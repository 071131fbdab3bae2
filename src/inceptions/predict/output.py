"""What the `predict` command answers and writes: images and shards in, text, JSON or CSV out."""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TextIO

from inceptions.data import ImageError
from inceptions.errors import DataError
from inceptions.predict.answers import Guess, Prediction
from inceptions.predict.predictor import Image, Predictor
from inceptions.predict.sources import Shown, Source, shown
from inceptions.predict.sources import expand as expand

Format = Literal["text", "json", "jsonl", "csv"]


def predict_files(
    predictor: Predictor, sources: Sequence[Source], *, top: int, form: Format, out: TextIO, head: str = "main"
) -> None:
    """Predict every source and write the answers as they come (JSON is one document, so at the end).

    Raises:
        UsageError: no such head, or `top` is not at least 1; nothing is written.
        DataError: after everything else was written: nothing could be predicted, or a file given by name could not be read.
    """
    seen = Seen(sources)
    WRITERS[form](seen.passing(answers(predictor, sources, top=top, head=head)), out)
    seen.check()


def answers(
    predictor: Predictor, sources: Sequence[Source], *, top: int, head: str = "main", base: Path = Path()
) -> Iterator[Prediction]:
    """One answer for each image of the sources, in order, as they come.

    Args:
        predictor: who answers.
        sources: files and shards.
        top: how many classes to name.
        head: which head answers.
        base: where the sources' paths start, if they are not absolute.

    Raises:
        UsageError: no such head, or `top` is not at least 1; before the first answer is asked for.
    """
    waiting: deque[Shown] = deque()

    def images() -> Iterator[Image]:
        for one in shown(sources, base):
            waiting.append(replace(one, image=b""))  # its content is not needed any more
            yield one.image

    predictions = predictor.stream(images(), top=top, head=head)

    def named() -> Iterator[Prediction]:
        for prediction in predictions:
            one = waiting.popleft()
            yield replace(prediction, path=one.name, error=one.fault or prediction.error)

    return named()


@dataclass
class Seen:
    """What happened to the sources, for the last word.

    Attributes:
        sources: what was asked about.
        answered: images with an answer.
        unread: images without one.
        failed: those of the unread that were given by name.
    """

    sources: Sequence[Source]
    answered: int = 0
    unread: int = 0
    failed: list[Prediction] = field(default_factory=list)

    def passing(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """The same predictions, counted."""
        named = {str(source.path): source for source in self.sources if source.named}
        for prediction in predictions:
            if prediction.error is None:
                self.answered += 1
            else:
                self.unread += 1
                if (source := named.get(prediction.path or "")) is not None:
                    if source.path.is_dir():
                        prediction = replace(prediction, error="it is a folder without images")
                    self.failed.append(prediction)
            yield prediction

    def check(self) -> None:
        """Say what went wrong, behind all answers.

        Raises:
            DataError: nothing could be predicted, or a file given by name could not be read.
        """
        if self.failed:
            more = f" So it is with {len(self.failed) - 1} more." if len(self.failed) > 1 else ""
            first = ImageError(self.failed[0].path or "image", self.failed[0].error or "unreadable")
            raise DataError(f"{first}{more}")
        if not self.answered:
            raise DataError(f"None of the {self.unread} images could be read.")


def write_text(predictions: Iterable[Prediction], out: TextIO) -> None:
    """For people: one line an image if one class each is asked for, otherwise the image and its classes below."""
    for prediction in predictions:
        match prediction:
            case Prediction(error=str(error)):
                out.write(f"{prediction.path}\n  not read: {error}\n")
            case Prediction(top=(guess,)):
                out.write(f"{prediction.path}  {guess.label}  {percent(guess)}{doubt(prediction)}\n")
            case Prediction(top=guesses):
                lines = (f"  {percent(guess):>7}  {guess.label}\n" for guess in guesses)
                out.write(f"{prediction.path}{doubt(prediction)}\n{''.join(lines)}")
        out.flush()


def write_json(predictions: Iterable[Prediction], out: TextIO) -> None:
    """One list, an object an image."""
    json.dump([prediction.to_dict() for prediction in predictions], out, indent=2, allow_nan=False)
    out.write("\n")


def write_lines(predictions: Iterable[Prediction], out: TextIO) -> None:
    """One object an image, each on a line of its own."""
    for prediction in predictions:
        out.write(json.dumps(prediction.to_dict(), allow_nan=False) + "\n")


def write_csv(predictions: Iterable[Prediction], out: TextIO) -> None:
    """One line an image and class; an image that could not be read has one line with its error."""
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("path", "rank", "class", "index", "probability", "error", "sure"))
    for prediction in predictions:
        if prediction.error is not None:
            table.writerow((prediction.path, "", "", "", "", prediction.error, ""))
        sure = "" if prediction.sure is None else str(prediction.sure).lower()
        for rank, guess in enumerate(prediction.top, start=1):
            table.writerow((prediction.path, rank, guess.label, guess.index, f"{guess.probability:.6f}", "", sure))


def percent(guess: Guess) -> str:
    """The probability as people read it."""
    return f"{100 * guess.probability:.1f} %"


def doubt(prediction: Prediction) -> str:
    """What is added behind an answer that the weights' threshold does not call sure."""
    return "  not sure" if prediction.sure is False else ""


WRITERS = {"text": write_text, "json": write_json, "jsonl": write_lines, "csv": write_csv}
