"""What a claim is: a sentence of a paper, a quantity it makes a prediction about, and the arms that are compared.

An experiment gives, for each seed, one `Record` an arm. Everything that is random in two arms of one seed is the same where it
can be (the split, the order of the batches, the first weights), so that their difference is the arms' own.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from inceptions.claims.lab import Lab

Curve = list[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large an experiment is.

    Attributes:
        width: factor on the filters of the family's networks.
        depth: factor on the modules of a stage.
        side: of the images, in pixels.
        steps: of training.
        batch: images a step.
        train: images to train on; 0 for all there are.
        held: images to judge by; 0 for all there are.
    """

    width: float = 0.25
    depth: float = 0.3
    side: int = 24
    steps: int = 60
    batch: int = 32
    train: int = 600
    held: int = 300


# ImageNet as the papers have it: 40 epochs in batches of 256 are what BN-Inception needed.
FULL = Size(width=1.0, depth=1.0, side=224, steps=200_000, batch=256, train=0, held=0)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What came of one arm with one seed.

    Attributes:
        values: figures by name.
        curves: figures over the steps, by name.
        trace: a digest of everything the arm computed; two arms with the same one were the same arm.
        seconds: processor time, summed over threads.
    """

    values: dict[str, float]
    curves: dict[str, Curve] = field(default_factory=dict)
    trace: str
    seconds: float = 0.0


Records = Mapping[str, Record]
Trial = Callable[["Lab", Sequence[str]], dict[str, Record]]


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """A prediction: `more` has more of `quantity` than `less`.

    Attributes:
        statement: the prediction as a sentence.
        quantity: which of the records' values.
        more: the arm of which the claim predicts more.
        less: the other arm.
        published: what the paper gives for it, "" if nothing.
        unit: of the difference, as it is printed: "points" for accuracies, "" for a ratio.
        ratio: compare by the logarithm of the quotient instead of the difference.
        margin: the difference has to exceed this to count (negative: "not worse than by so much").
        timed: the figure is processor time, which differs a little from run to run; all else does not.
    """

    statement: str
    quantity: str
    more: str
    less: str
    published: str = ""
    unit: Literal["points", ""] | str = ""
    ratio: bool = False
    margin: float = 0.0
    timed: bool = False

    def pair(self, records: Records) -> float:
        """The figure of one seed, less the margin: positive where the prediction is right. Ratios are natural logarithms."""
        more, less = (records[arm].values[self.quantity] for arm in (self.more, self.less))
        gap = math.log(more / less) if self.ratio else more - less
        return gap - (math.log1p(self.margin) if self.ratio else self.margin)


@dataclass(frozen=True, kw_only=True)
class Count:
    """A figure that is counted, not measured.

    Attributes:
        what: what is counted.
        ours: from the declarations.
        published: in the paper.
        digits: significant digits that the paper prints; None compares exactly.
        remark: what is known about a difference. A count with a remark is shown, and decides nothing.
    """

    what: str
    ours: float
    published: float
    digits: int | None = None
    remark: str = ""

    @property
    def equal(self) -> bool:
        """Whether ours is the published figure, as precisely as that is printed."""
        return self.published == (self.ours if self.digits is None else significant(self.ours, self.digits))


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part of a claim's picture.

    Attributes:
        kind: a point for every seed of each arm with mean and interval, curves over the steps, or bars of the counts.
        quantity: the values' or the curve's name.
        label: of the vertical axis, with the unit.
        across: of the horizontal axis.
        arms: the arms shown; all if empty.
        log: a logarithmic vertical axis.
        percent: the values are shares.
    """

    kind: Literal["points", "curves", "counts"]
    quantity: str = ""
    label: str = ""
    across: str = "training step"
    arms: tuple[str, ...] = ()
    log: bool = False
    percent: bool = False


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim and its experiment.

    Attributes:
        number: 1 to 18.
        id: what the command calls it.
        title: in a few words.
        statement: what is claimed.
        source: paper, section, table.
        experiment: what is done here, in a sentence or two.
        published: the paper's figure.
        arms: what is compared.
        trial: gives the records of some arms for one seed.
        hypotheses: the first `headline` of them decide, together; the others are reported beside them. Empty if all is counted.
        headline: how many of the hypotheses have to hold for the claim to hold.
        counts: the figures that are counted.
        panels: of the picture.
        small: the size for two cores.
        full: the paper's.
        seconds: processor time of one seed of all arms at the small size, measured on the reference machine.
        together: the arms of a seed are measured in one process, turn by turn: for times.
        learns: arms that must have learned something (be clearly above chance) for a verdict to mean anything.
        remark: what the picture and the figures do not say; what was tried where the claim does not hold.
    """

    number: int
    id: str
    title: str
    statement: str
    source: str
    experiment: str
    published: str
    arms: tuple[str, ...] = ()
    trial: Trial | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    headline: int = 1
    counts: Callable[[], tuple[Count, ...]] | None = None
    panels: tuple[Panel, ...] = ()
    small: Size = Size()
    full: Size = FULL
    seconds: float = 0.0
    together: bool = False
    learns: tuple[str, ...] = ()
    remark: str = ""

    def __post_init__(self) -> None:
        """Our own promises."""
        named = {arm for one in self.hypotheses for arm in (one.more, one.less)} | set(self.learns)
        assert named <= set(self.arms), f"{self.id}: no such arm: {named - set(self.arms)}"
        assert bool(self.hypotheses) == (self.trial is not None)
        assert self.hypotheses or self.counts


def significant(value: float, digits: int) -> float:
    """A number as a paper prints it, with so many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def digest(*parts: object) -> str:
    """A short name for everything in `parts`: bytes as they are, anything else by its representation."""
    made = hashlib.sha256()
    for part in parts:
        made.update(part if isinstance(part, bytes) else repr(part).encode())
    return made.hexdigest()[:16]


def each(run: Callable[[Lab, str], Record]) -> Trial:
    """A trial that runs its arms one by one."""

    def trial(lab: Lab, arms: Sequence[str]) -> dict[str, Record]:
        return {arm: run(lab, arm) for arm in arms}

    return trial
