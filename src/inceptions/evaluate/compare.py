"""Two models on the same images: which answers changed, and whether that may be chance."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.stats import binomtest

from inceptions.data import Images
from inceptions.errors import UsageError
from inceptions.evaluate.contenders import Contender
from inceptions.evaluate.ensemble import evaluate_models
from inceptions.evaluate.evaluation import Evaluation
from inceptions.evaluate.kept import Asker
from inceptions.evaluate.metrics import Interval, mean_interval
from inceptions.evaluate.protocol import Protocol
from inceptions.files import write_bytes

MOST_PICTURES = 48
COLUMNS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An image that two models answer differently.

    Attributes:
        index: of the image.
        path: its name.
        label: its class.
        answers: of either model.
        probabilities: that either gives its answer.
    """

    index: int
    path: str
    label: str
    answers: tuple[str, str]
    probabilities: tuple[float, float]

    @property
    def kind(self) -> str:
        """Who is right: "gained" if the second model, "lost" if the first, "other" if neither."""
        return {self.answers[1]: "gained", self.answers[0]: "lost"}.get(self.label, "other")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "path": self.path,
            "class": self.label,
            "change": self.kind,
            "answers": list(self.answers),
            "probabilities": list(self.probabilities),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models, and the images that they answer differently.

    Attributes:
        names: of the models.
        scores: of either.
        difference: top-1 of the second less that of the first, with its 95 % interval.
        interval: that interval, from resampling images, so that what both find hard counts in both.
        p_value: of McNemar's exact test (1947): how probable so uneven a division of the images that only one model answers
            rightly is, or a more uneven one, if either model were as likely as the other to be the right one.
        changes: the gained images first, then the lost ones, then the others.
    """

    names: tuple[str, str]
    scores: tuple[Evaluation, Evaluation]
    difference: float
    interval: Interval
    p_value: float
    changes: tuple[Change, ...]

    def count(self, kind: str) -> int:
        """How many changes there are of a kind."""
        return sum(change.kind == kind for change in self.changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "n": self.scores[0].n,
            "models": [{"weights": name, **one.figures()} for name, one in zip(self.names, self.scores, strict=True)],
            "difference": self.difference,
            "interval": list(self.interval),
            "gained": self.count("gained"),
            "lost": self.count("lost"),
            "p_value": self.p_value,
            "changes": [change.to_dict() for change in self.changes],
        }


def compare(
    contenders: Sequence[Contender], images: Images, asker: Asker, *, protocol: Protocol, sheet: Path | None = None
) -> Comparison:
    """Judge two models on the same images.

    Args:
        contenders: the two, of the same classes.
        images: labelled with the first one's classes.
        asker: asks the models.
        protocol: how images are shown.
        sheet: draw the images that changed into this file.

    Raises:
        UsageError: another number of models; a protocol that does not fit one; a sheet that is no *.png.
        DataError: too large a share of the images cannot be read.
        MachineError: the sheet cannot be written.
    """
    if len(contenders) != 2:
        raise UsageError(f"--compare takes two models, not {len(contenders)}.")
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise UsageError(f"The sheet is a picture: name it *.png, not {sheet.name}.")
    found = compared(evaluate_models(contenders, images, asker, protocol=protocol), images)
    if sheet is not None and asker.leads:
        if found.changes:
            write_sheet(sheet, found, images)
        else:
            asker.reporter.say(f"Both models answer every image alike, so {sheet} is not drawn.")
    return found


def compared(together: Evaluation, images: Images) -> Comparison:
    """What changed between the two models of an evaluation."""
    (first_name, first), (second_name, second) = together.models.items()
    one, other = first.outcomes, second.outcomes
    assert one is not None
    assert other is not None
    classes = [score.name for score in first.per_class]
    changes = [
        Change(
            index=first.indices[i],
            path=images.names[first.indices[i]],
            label=classes[one.labels[i]],
            answers=(classes[one.answers[i]], classes[other.answers[i]]),
            probabilities=(float(one.confidence[i]), float(other.confidence[i])),
        )
        for i in (one.answers != other.answers).nonzero()[0].tolist()
    ]
    changes.sort(key=lambda change: ("gained", "lost", "other").index(change.kind))
    gap = other.right.astype(float) - one.right
    return Comparison(
        names=(first_name, second_name),
        scores=(first, second),
        difference=float(gap.mean()),
        interval=mean_interval(gap),
        p_value=mcnemar(int((gap > 0).sum()), int((gap < 0).sum())),
        changes=tuple(changes),
    )


def mcnemar(gained: int, lost: int) -> float:
    """The two-sided p-value of McNemar's exact test; 1 where nothing changed.

    Args:
        gained: images that only the second model answers rightly.
        lost: those that only the first does.
    """
    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def write_sheet(file: Path, comparison: Comparison, images: Images) -> None:
    """Draw the images that changed, at least one and up to 48, the gained and the lost ones first, as PNG.

    Raises:
        MachineError: the file cannot be written.
    """
    shown = chosen(comparison.changes)
    lines = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(2.6 * COLUMNS, 3.1 * lines + 0.5), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"A: {comparison.names[0]}    B: {comparison.names[1]}", fontsize=11, parse_math=False)
    for place, change in enumerate(shown, start=1):
        axes = figure.add_subplot(lines, COLUMNS, place)
        picture = images.open(change.index)
        picture.thumbnail((300, 300))
        axes.imshow(picture)
        axes.set_axis_off()
        said = [f"{change.kind}: {change.label}"]
        said += [
            f"{who} {answer} {probability:.0%}"
            for who, answer, probability in zip("AB", change.answers, change.probabilities, strict=True)
        ]
        colour = {"gained": "#006b4f", "lost": "#a33c00", "other": "#444444"}[change.kind]
        text = "\n".join(line if len(line) < 34 else f"{line[:32]}…" for line in said)
        axes.set_title(text, fontsize=9, color=colour, loc="left", parse_math=False)
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # class names in scripts that the font lacks
        figure.savefig(content, format="png")
    write_bytes(file, content.getvalue())


def chosen(changes: Sequence[Change]) -> list[Change]:
    """At most 48: as many lost as gained ones where both are many, and others only in what room is left."""
    half = MOST_PICTURES // 2
    gained, lost, other = ([one for one in changes if one.kind == kind] for kind in ("gained", "lost", "other"))
    first = gained[: max(half, MOST_PICTURES - len(lost))]
    return (first + lost + other)[:MOST_PICTURES]
