"""What was found in a source, divided into what to learn from and what to be judged on, with an eye on copies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inceptions.data.copies import Image, exact_copies
from inceptions.data.ignore import read_ignored, without
from inceptions.data.images import Encoded, Splits, split
from inceptions.errors import DataError

NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Found:
    """The labelled images of a source.

    Attributes:
        name: of the data, for people.
        classes: name of each class.
        train: images to learn from, or all.
        validation: images held out by whoever made the data; None if nobody did.
        where: the folder they are in; None for images that lie in no files of their own.
        address: what `open_data` opens them by from any folder; `where`, if None.
    """

    name: str
    classes: tuple[str, ...]
    train: Encoded
    validation: Encoded | None
    where: Path | None = None
    address: str | None = None


def divided(found: Found, *, seed: int, validation_share: float, ignore: Path | None, strict: bool) -> Splits:
    """Training and validation images, without those in an ignore list.

    Where nobody held images out, a share of each class is held out here, and exact copies of a picture stay on one side.
    Otherwise the parts are compared: a validation image that is a training image too is no test.

    Args:
        found: the images.
        seed: of the split.
        validation_share: of each class.
        ignore: a list of images to leave out.
        strict: refuse parts that share images.

    Raises:
        DataError: an ignore list that cannot be read or leaves a class empty, shared images if `strict`, or as `split`.
        UsageError: as `split`.
    """
    found, remarks = _without_ignored(found, ignore)
    train, validation = found.train, found.validation
    leaked: list[tuple[str, str]] = []
    copied: list[str] = []
    if validation is None:
        copies = exact_copies([(train, i) for i in range(len(train))])
        copied += _contrary([[(train, i) for i in group] for group in copies])
        learnt, held = split(train.names, train.labels, found.classes, seed=seed, share=validation_share, together=copies)
        train, validation = train.subset(learnt), train.subset(held)
    else:
        images = [*((train, i) for i in range(len(train))), *((validation, i) for i in range(len(validation)))]
        groups = [[images[i] for i in group] for group in exact_copies(images)]
        copied += _contrary(groups)
        leaked = sorted(pair for group in groups for pair in _leaks(group, train))
    if leaked:
        sentence = _leak_sentence(leaked, len(validation))
        if strict:
            raise DataError(sentence)
        copied.insert(0, sentence)
    return Splits(
        name=found.name,
        classes=found.classes,
        train=train,
        validation=validation,
        where=found.where,
        address=found.address,
        given=found.validation is not None,
        leaked=tuple(leaked),
        copied=tuple(copied),
        remarks=tuple(remarks),
        ignore=ignore,
    )


def to_judge_by(found: Found, classes: Sequence[str]) -> Encoded:
    """The validation part of a source, or all of it, labelled with a network's outputs.

    Args:
        found: the images.
        classes: names of the outputs, in order. Those of the source must be among them.

    Raises:
        DataError: one is not.
    """
    images = found.train if found.validation is None else found.validation
    if strange := [name for name in found.classes if name not in classes]:
        raise DataError(
            f"{found.name} has the class {strange[0]!r}, which is not among those the network knows; they begin with "
            f"{', '.join(map(repr, classes[:5]))}."
        )
    places = [list(classes).index(name) for name in found.classes]
    relabelled: Encoded = replace(images, labels=tuple(places[label] for label in images.labels))  # type: ignore[type-var]
    return relabelled


def _without_ignored(found: Found, ignore: Path | None) -> tuple[Found, list[str]]:
    ignored = read_ignored(ignore)
    if not ignored:
        return found, []
    train = without(found.train, ignored)
    validation = None if found.validation is None else without(found.validation, ignored)
    present = set(train.labels)
    if emptied := [name for label, name in enumerate(found.classes) if label not in present]:
        raise DataError(f"The ignore list {ignore} leaves no image of the class {emptied[0]!r} to learn from.")
    if validation is not None and not len(validation):
        raise DataError(f"The ignore list {ignore} leaves no validation image.")
    left_out = len(found.train) - len(train)
    if validation is not None and found.validation is not None:
        left_out += len(found.validation) - len(validation)
    remarks = [f"{left_out} images are left out, as {ignore} says."]
    if strange := len(ignored) - left_out:
        remarks = [f"{left_out} images are left out, as {ignore} says; {strange} more that it names are not there."]
    return replace(found, train=train, validation=validation), remarks


def _leaks(group: Sequence[Image], train: Encoded) -> list[tuple[str, str]]:
    """Each validation image of a group of copies, with a training image of it."""
    learnt = [images.names[i] for images, i in group if images is train]
    return [(images.names[i], learnt[0]) for images, i in group if images is not train] if learnt else []


def _leak_sentence(leaked: Sequence[tuple[str, str]], validated: int) -> str:
    shown = ", ".join(f"{name} = {twin}" for name, twin in leaked[:NAMED])
    more = f" and {len(leaked) - NAMED} more" if len(leaked) > NAMED else ""
    return (
        f"{len(leaked)} of {validated} validation images are training images too, so the score would flatter: {shown}{more}. "
        "Leave them out: `inceptions data check FOLDER --write-ignore FILE`, then `inceptions train FOLDER --ignore FILE`."
    )


def _contrary(groups: Iterable[Sequence[Image]]) -> list[str]:
    """What to say of pictures that have several labels."""
    several = [group for group in groups if len({images.labels[i] for images, i in group}) > 1]
    if not several:
        return []
    shown = "; ".join(" = ".join(images.names[i] for images, i in group[:NAMED]) for group in several[:NAMED])
    more = f"; and {len(several) - NAMED} more" if len(several) > NAMED else ""
    what = "1 picture lies" if len(several) == 1 else f"{len(several)} pictures lie"
    return [f"{what} in more than one class, and at most one of them is right: {shown}{more}."]
