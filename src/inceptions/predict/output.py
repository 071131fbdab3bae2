"""What the `predict` command reads and writes: names of files and folders in, text, JSON or CSV out."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TextIO

from inceptions.data import ImageError, find_images
from inceptions.errors import DataError
from inceptions.predict.answers import Guess, Prediction
from inceptions.predict.predictor import Predictor

Format = Literal["text", "json", "csv"]


@dataclass(frozen=True, slots=True)
class Source:
    """An image to predict; `named` if it was given by name, not found in a folder."""

    path: Path
    named: bool


def expand(arguments: Sequence[Path]) -> list[Source]:
    """Images as named, and folders as the images in them. An empty folder stays in the list, to be reported."""
    sources: list[Source] = []
    for argument in arguments:
        found = find_images(argument) if argument.is_dir() else []
        sources += [Source(path, named=False) for path in found] or [Source(argument, named=True)]
    return sources


def predict_files(
    predictor: Predictor, sources: Sequence[Source], *, top: int, form: Format, out: TextIO, head: str = "main"
) -> None:
    """Predict every source and write the answers as they come (JSON is one document, so at the end).

    Raises:
        UsageError: no such head, or `top` is not at least 1; nothing is written.
        DataError: after everything else was written: nothing could be predicted, or a file given by name could not be read.
    """
    predictions = predictor.stream([source.path for source in sources], top=top, head=head)
    failed: list[Prediction] = []
    answered = 0

    def watched() -> Iterator[Prediction]:
        nonlocal answered
        for source, prediction in zip(sources, predictions, strict=True):
            if prediction.error is None:
                answered += 1
            elif source.named:
                if source.path.is_dir():
                    prediction = replace(prediction, error="it is a folder without images")
                failed.append(prediction)
            yield prediction

    WRITERS[form](watched(), out)
    if failed:
        more = f" So it is with {len(failed) - 1} more." if len(failed) > 1 else ""
        first = ImageError(failed[0].path or "image", failed[0].error or "unreadable")
        raise DataError(f"{first}{more}")
    if not answered:
        raise DataError(f"None of the {len(sources)} images could be read.")


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


WRITERS = {"text": write_text, "json": write_json, "csv": write_csv}
