"""`inceptions data check`: every image looked at once, and all that is wrong said at once, before training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, cast

from inceptions.data.check.findings import Finding, of_copies, of_images, of_layout
from inceptions.data.check.layout import survey
from inceptions.data.check.look import Part, Seen, Unreadable, copies, look_at_all
from inceptions.data.decode import printable
from inceptions.data.folder import find_images
from inceptions.data.images import Encoded, Files, Splits
from inceptions.data.scan import Progress, decoding_threads
from inceptions.data.source import open_data
from inceptions.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is known of a source after the check.

    Attributes:
        where: the source.
        classes: their names.
        counts: for each part the number of images in each class, readable or not.
        given: whether the parts are the source's own; otherwise they are what training would make.
        shorter_sides: of the readable images, in pixels, sorted.
        formats: how often each occurs.
        modes: likewise.
        findings: what to know, problems first.
        left_out: key of each image that an ignore list should have, and why.
        splits: what training would be given; None if it would refuse.
    """

    where: str
    classes: tuple[str, ...]
    counts: dict[Part, tuple[int, ...]]
    given: bool
    shorter_sides: tuple[int, ...]
    formats: dict[str, int]
    modes: dict[str, int]
    findings: tuple[Finding, ...]
    left_out: tuple[tuple[str, str], ...]
    splits: Splits | None

    @property
    def problems(self) -> list[Finding]:
        """What would stop training or harm what comes of it."""
        return [finding for finding in self.findings if finding.problem]

    def raise_if_harmful(self) -> None:
        """Raise what makes the command fail, after its report.

        Raises:
            DataError: there is a problem.
        """
        if problems := self.problems:
            kinds = ", ".join(finding.kind.replace("_", " ") for finding in problems)
            raise DataError(f"{self.where} should be put right before training: {kinds}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        sides = self.shorter_sides
        return {
            "where": self.where,
            "ok": not self.problems,
            "images": sum(map(sum, self.counts.values())),
            "readable": len(sides),
            "given_split": self.given,
            "classes": [
                {"class": name, **{part: counts[i] for part, counts in self.counts.items()}}
                for i, name in enumerate(self.classes)
            ],
            "shorter_side": {"min": sides[0], "median": median(sides), "max": sides[-1]} if sides else None,
            "formats": self.formats,
            "modes": self.modes,
            "findings": [finding.to_dict() for finding in self.findings],
            "left_out": [{"path": printable(key), "reason": reason} for key, reason in self.left_out],
        }


def check(
    where: str | Path,
    *,
    seed: int = 0,
    shown_size: int | None = None,
    ignore: Path | None = None,
    progress: Progress | None = None,
) -> Check:
    """Look at every image of a source, and at what else lies in it.

    Args:
        where: as for `open_data`.
        seed: of the split that training would make, where the source has none.
        shown_size: side in pixels at which training shows images; smaller ones are counted.
        ignore: images to leave out, as in training.
        progress: told how far it is.

    Raises:
        DataError: there is nothing that could be looked at.
        UsageError: as `open_data`.
        MachineError: as `open_data`.
    """
    folder = Path(where)
    findings: list[Finding] = []
    refused = False
    try:
        splits = open_data(where, seed=seed, ignore=ignore)
    except DataError as error:
        if not folder.is_dir() or not (images := find_images(folder)):
            raise
        splits = _as_they_lie(folder, images)
        findings.append(Finding("layout", True, 1, str(error)))
        refused = True
    if splits.where is not None:
        findings += of_layout(survey(splits.where))
    # What else the splits say is of copies, which are looked for more closely below.
    notes = dict.fromkeys((*splits.train.notes, *splits.validation.notes, *splits.remarks))
    findings += [Finding("note", False, 1, note) for note in notes]
    seen, unreadable = _look(splits, progress)
    findings += of_images(seen, unreadable, splits, shown_size)
    of_groups, left_out = of_copies(copies(seen), splits.classes)
    findings += of_groups
    return Check(
        where=printable(str(where)),
        classes=splits.classes,
        counts={part: _counts(images.labels, len(splits.classes)) for part, images in _parts(splits).items()},
        given=splits.given,
        shorter_sides=tuple(sorted(min(one.facts.width, one.facts.height) for one in seen)),
        formats=dict(Counter(one.facts.format for one in seen).most_common()),
        modes=dict(Counter(one.facts.mode for one in seen).most_common()),
        findings=tuple(sorted(findings, key=lambda finding: not finding.problem)),
        left_out=(*((one.key, f"it cannot be read: {one.reason}") for one in unreadable), *left_out),
        splits=None if refused else splits,
    )


def _as_they_lie(folder: Path, images: Sequence[Path]) -> Splits:
    """What is in a folder that training refuses: each image in a class called as the folder it lies in."""
    files = tuple(path.relative_to(folder).as_posix() for path in images)
    above = [printable(path.parent.name) for path in images]
    classes = tuple(sorted(set(above)))
    every = Files(folder, files, tuple(classes.index(name) for name in above))
    return Splits(name=folder.name, classes=classes, train=every, validation=every.subset([]), where=folder, given=True)


def _counts(labels: Sequence[int], classes: int) -> tuple[int, ...]:
    counts = Counter(labels)
    return tuple(counts[label] for label in range(classes))


def _parts(splits: Splits) -> dict[Part, Encoded]:
    """The sets of a source that is no library's, and so are encoded."""
    return {"train": cast(Encoded, splits.train), "validation": cast(Encoded, splits.validation)}


def _look(splits: Splits, progress: Progress | None) -> tuple[list[Seen], list[Unreadable]]:
    seen: list[Seen] = []
    unreadable: list[Unreadable] = []
    total, before = len(splits.train) + len(splits.validation), 0
    for part, images in _parts(splits).items():

        def told(done: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        more, faults = look_at_all(images, part, threads=decoding_threads(), progress=told)
        seen, unreadable, before = seen + more, unreadable + faults, before + len(images)
    return seen, unreadable
