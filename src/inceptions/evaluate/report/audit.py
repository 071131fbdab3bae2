"""What the figures were measured on: images per class and part, what was left out and why, and what is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inceptions.data import Splits
from inceptions.evaluate.evaluation import Evaluation

Unread = Sequence[tuple[str, str]]
NAMED = 100
"""More images than this are counted, not listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What is known of the data.

    Attributes:
        parts: images of each class by part, in the order of the classes.
        classes: their names.
        unread: images that could not be read, with the reason, by part.
        notes: sentences about copies, about what was passed over and about what an ignore list left out.
        compared: what was done about copies; "" if nothing was.
    """

    parts: Mapping[str, tuple[int, ...]]
    classes: tuple[str, ...]
    unread: Mapping[str, Unread]
    notes: tuple[str, ...]
    compared: str = ""

    @property
    def sums(self) -> dict[str, int]:
        """Images of each part."""
        return {part: sum(counts) for part, counts in self.parts.items()}

    @property
    def largest(self) -> int:
        """Images of the largest class of a part."""
        return max((n for counts in self.parts.values() for n in counts), default=0)


def audit_of_run(splits: Splits, evaluation: Evaluation, unread: Unread) -> Audit:
    """What a run learnt from and was judged on.

    Args:
        splits: its images.
        evaluation: on the validation images.
        unread: training images that could not be read, with the reason.
    """
    lost = {name for name, _ in unread}
    learnt = Counter(label for name, label in zip(splits.train.names, splits.train.labels, strict=True) if name not in lost)
    return Audit(
        parts={
            "training": tuple(learnt[label] for label in range(len(splits.classes))),
            "validation": tuple(one.n for one in evaluation.per_class),
        },
        classes=splits.classes,
        unread={"training": tuple(unread), "validation": evaluation.skipped},
        notes=splits.notes,
        compared=compared(splits),
    )


def audit_of_evaluation(evaluation: Evaluation, notes: Sequence[str]) -> Audit:
    """What weights were judged on."""
    return Audit(
        parts={"evaluated": tuple(one.n for one in evaluation.per_class)},
        classes=tuple(one.name for one in evaluation.per_class),
        unread={"evaluated": evaluation.skipped},
        notes=tuple(notes),
    )


def compared(splits: Splits) -> str:
    """What was done about copies, in a sentence."""
    if splits.where is None and splits.address is None:
        return "These images come with a library and have no files that could be compared."
    if not splits.given:
        return "The validation images were held out of each class; files with the same content are all on one side."
    if splits.leaked:
        return ""  # the notes say it
    return "No validation image is also a training image, compared byte by byte."
