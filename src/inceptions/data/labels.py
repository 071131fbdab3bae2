"""Classes as data sets say them: by number or by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inceptions.errors import DataError

Label = int | str


def numbered(
    spoken: Mapping[str, Sequence[Label]], names: Sequence[str] | None, *, where: str
) -> tuple[tuple[str, ...], dict[str, tuple[int, ...]]]:
    """Class names, and the index of each image's class.

    Args:
        spoken: what is said of each image of "train", and of "validation" if there is one: a number, or a name.
        names: of the classes, for numbers to count into; None takes the names, or the numbers as names, that training has.
        where: the source, for messages.

    Returns:
        The classes; for each part the labels.

    Raises:
        DataError: fewer than two classes, a number that `names` does not have, or a name that training does not have.
    """
    flat = {part: [_plain(label) for label in labels] for part, labels in spoken.items()}
    if names is None:
        present = sorted(set(flat["train"]), key=lambda label: (isinstance(label, str), label))
        classes = tuple(map(str, present))
        place: dict[Label, int] = {label: i for i, label in enumerate(present)}
    else:
        classes = tuple(names)
        place = {name: i for i, name in enumerate(names)} | {i: i for i in range(len(names))}
    if len(set(classes)) < len(classes):
        twice = next(name for i, name in enumerate(classes) if name in classes[:i])
        raise DataError(f"{where} has two classes of the name {twice!r}.")
    for part, labels in flat.items():
        if strange := [label for label in labels if label not in place]:
            known = f"the {len(classes)} named classes" if names is not None else "those of the training images"
            raise DataError(f"{where} has {part} images of the class {strange[0]!r}, which is not among {known}.")
    if len({place[label] for label in flat["train"]}) < 2:
        raise DataError(f"{where} holds one class only, {classes[place[flat['train'][0]]]!r}: a classifier needs at least two.")
    return classes, {part: tuple(place[label] for label in labels) for part, labels in flat.items()}


def _plain(label: Label) -> Label:
    """Digits as a number."""
    return int(label) if isinstance(label, str) and label.isascii() and label.isdecimal() else label
