"""Where the images come from: a folder, shards, a table of a data set, or the digits when nothing is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inceptions.data import digits
from inceptions.data.dividing import Found, divided, to_judge_by
from inceptions.data.folder import open_folder, open_labelled
from inceptions.data.images import Images, Splits
from inceptions.data.shards import are_shards, open_shards
from inceptions.data.tables import are_tables, open_tables
from inceptions.errors import DataError, UsageError


def open_data(
    where: str | Path | None = None,
    *,
    seed: int = 0,
    validation_share: float = 0.2,
    ignore: Path | None = None,
    strict_split: bool = False,
) -> Splits:
    """The images to train on and those held out.

    Args:
        where: a folder of images; tar shards (`shards.open_shards`), a data set of the Hugging Face Hub or its files
            (`tables.open_tables`); None for scikit-learn's digits, "digits" as well unless there is a folder of that name.
        seed: of the split, where a share has to be held out.
        validation_share: of each class that is held out, between 0 and 1.
        ignore: a list of images to leave out, as `inceptions data check --write-ignore` writes it.
        strict_split: refuse data whose validation images are training images too; otherwise `Splits.notes` says so.

    Raises:
        DataError: the folder is missing, empty, laid out in another way, or has too few classes or images.
        UsageError: a share out of range, or an ignore list for the digits.
        MachineError: a package is missing, or the Hub cannot be reached.
    """
    if _are_digits(where):
        if ignore is not None:
            raise UsageError("The digits have no files that could be left out: --ignore goes with a folder.")
        return digits.open_digits(seed=seed, validation_share=validation_share)
    return divided(_found(where), seed=seed, validation_share=validation_share, ignore=ignore, strict=strict_split)


def open_evaluation(
    where: str | Path | None, classes: Sequence[str], *, seed: int = 0, validation_share: float = 0.2
) -> Images:
    """The images to judge a network by, labelled with its outputs.

    A source with parts gives its validation part (`validation`, `val`, `valid` or `test`, the first that is there); one without
    gives all its images; the digits give those that a training run with this seed and share holds out.

    Args:
        where: as for `open_data`.
        classes: names of the network's outputs, in order. The source's classes must be among them; it need not have all.
        seed: of the digits' split.
        validation_share: of the digits' split.

    Raises:
        DataError: as `open_data`, or a class that is not among `classes`.
        MachineError: as `open_data`.
    """
    if not _are_digits(where):
        assert where is not None
        return to_judge_by(_found(where), classes) if _packed(where) else open_labelled(Path(where), classes)
    splits = digits.open_digits(seed=seed, validation_share=validation_share)
    if tuple(classes) != splits.classes:
        raise DataError(f"This network does not tell digits apart: its {len(classes)} classes begin with {classes[0]!r}.")
    return splits.validation


def _found(where: str | Path | None) -> Found:
    assert where is not None, "the digits are opened otherwise"
    if are_tables(where):
        return open_tables(where)
    return open_shards(where) if are_shards(where) else open_folder(Path(where))


def _packed(where: str | Path) -> bool:
    return are_tables(where) or are_shards(where)


def _are_digits(where: str | Path | None) -> bool:
    return where is None or (str(where) == digits.NAME and not Path(where).exists())
