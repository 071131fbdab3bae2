"""Where the images come from: a folder's name, or the digits when there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inceptions.data import digits
from inceptions.data.folder import open_folder, open_labelled
from inceptions.data.images import Images, Splits
from inceptions.errors import DataError


def open_data(where: str | Path | None = None, *, seed: int = 0, validation_share: float = 0.2) -> Splits:
    """The images to train on and those held out.

    Args:
        where: a folder; None for scikit-learn's digits, "digits" as well unless there is a folder of that name.
        seed: of the split, where a share has to be held out.
        validation_share: of each class that is held out, between 0 and 1.

    Raises:
        DataError: the folder is missing, empty, laid out in another way, or has too few classes or images.
        UsageError: a share out of range.
    """
    folder = _folder(where)
    if folder is None:
        return digits.open_digits(seed=seed, validation_share=validation_share)
    return open_folder(folder, seed=seed, validation_share=validation_share)


def open_evaluation(
    where: str | Path | None, classes: Sequence[str], *, seed: int = 0, validation_share: float = 0.2
) -> Images:
    """The images to judge a network by, labelled with its outputs.

    A folder with parts gives its validation part (`validation`, `val`, `valid` or `test`, the first that is there); a folder of
    classes gives all its images; the digits give those that a training run with this seed and share holds out.

    Args:
        where: as for `open_data`.
        classes: names of the network's outputs, in order. The folder's classes must be among them; it need not have all.
        seed: of the digits' split.
        validation_share: of the digits' split.

    Raises:
        DataError: as `open_data`, or a class that is not among `classes`.
    """
    folder = _folder(where)
    if folder is not None:
        return open_labelled(folder, classes)
    splits = digits.open_digits(seed=seed, validation_share=validation_share)
    if tuple(classes) != splits.classes:
        raise DataError(f"This network does not tell digits apart: its {len(classes)} classes begin with {classes[0]!r}.")
    return splits.validation


def _folder(where: str | Path | None) -> Path | None:
    """None for the digits."""
    if where is None or (str(where) == digits.NAME and not Path(where).exists()):
        return None
    return Path(where)
