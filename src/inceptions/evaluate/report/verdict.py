"""One paragraph: how good it is, what it confuses, what limited it, what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from scipy.stats import binomtest

from inceptions.evaluate.evaluation import ClassScore, Evaluation
from inceptions.evaluate.metrics import Interval
from inceptions.evaluate.report.audit import Audit
from inceptions.evaluate.report.confusion import Confusion, most_frequent
from inceptions.evaluate.report.reliability import mean_confidence, sureness
from inceptions.evaluate.text import percent
from inceptions.recipe import Recipe
from inceptions.train.watch.limits import Limit

WIDE = 0.08
"""Width of an accuracy's interval from which on more images to judge by come before everything else."""


def interval_of(evaluation: Evaluation) -> Interval:
    """The accuracy's 95 % interval; the exact one (Clopper and Pearson 1934) where resampling gives one without width."""
    found = evaluation.intervals.get("top1")
    if found is not None and found[1] > found[0]:
        return found
    exact = binomtest(round(evaluation.top1 * evaluation.n), evaluation.n).proportion_ci()
    return float(exact.low), float(exact.high)


def measured(evaluation: Evaluation) -> str:
    """The figure and its interval."""
    low, high = interval_of(evaluation)
    right = round(evaluation.top1 * evaluation.n)
    images = "image" if evaluation.n == 1 else "images"
    return (
        f"{right:,} of {evaluation.n:,} {images} are answered rightly: {percent(evaluation.top1)}. "
        f"With other images like these it would be between {100 * low:.1f} and {100 * high:.1f} % (95 % interval)."
    )


def confused(evaluation: Evaluation, confusion: Confusion) -> str:
    """What the mistakes are."""
    wrong = evaluation.n - round(evaluation.top1 * evaluation.n)
    if not wrong:
        return "No image is answered wrongly."
    if pair := most_frequent(confusion.pairs):
        return f"Its most frequent mistake is {quoted(pair.name)} taken for {quoted(pair.answer)}: {pair.n:,} of {wrong:,}."
    if wrong == 1:
        pair = confusion.pairs[0]
        return f"Its one mistake is {quoted(pair.name)} taken for {quoted(pair.answer)}."
    return f"No two classes are confused more than once in its {wrong:,} mistakes."


def sure(evaluation: Evaluation) -> str:
    """Whether its probabilities can be believed."""
    confidence, error = mean_confidence(evaluation), evaluation.calibration_error
    if confidence is None or error is None:
        return ""
    said = {
        "right": "Its probabilities can be taken at their word",
        "over": "It is surer than it is right",
        "under": "It is right more often than it believes",
    }
    return f"{said[sureness(evaluation)]}: its mean probability is {percent(confidence)} (calibration error {error:.3f})."


def limiting(evaluation: Evaluation, limit: Limit | None) -> str:
    """What limited a run; of an evaluation, where most is lost."""
    if limit is not None:
        return limit.sentence
    wrong = evaluation.n - round(evaluation.top1 * evaluation.n)
    weakest = hardest(evaluation)
    if weakest is None or not wrong:
        return ""
    lost = weakest.n - weakest.correct
    return f"Most is lost in the class {quoted(weakest.name)}: {lost:,} of its {weakest.n:,} images."


def next_steps(evaluation: Evaluation, audit: Audit, limit: Limit | None, recipe: Recipe | None) -> Iterator[str]:
    """What to do next, the most useful first."""
    if any("training images too" in note for note in audit.notes):
        yield "leave out the validation images that were learnt from, for the figure flatters (see the data below)"
    low, high = interval_of(evaluation)
    if high - low > WIDE:
        yield f"judge it by more than {evaluation.n:,} images, for the interval is wide"
    weakest = hardest(evaluation)
    match limit.kind if limit is not None else None:
        case "loader":
            yield "run it again with more --workers"
        case "epochs":
            yield f"train for longer, as with --epochs {2 * recipe.epochs}" if recipe is not None else "train for longer"
        case "overfitting":
            yield f"add training images, above all of the class {quoted(weakest.name)}" if weakest else "add training images"
        case "capacity":
            yield "start from pretrained weights (--weights), or try a larger network or larger images"
    if sureness(evaluation) in ("over", "under") and evaluation.calibrated is None:
        yield "fit a temperature with inceptions evaluate … --calibrate, so that its probabilities mean what they say"
    if evaluation.n > round(evaluation.top1 * evaluation.n):
        yield "look at the mistakes below, for some may be wrong labels"
    if limit is not None and limit.kind == "nothing":
        yield "try it on photographs from elsewhere with inceptions evaluate"


def verdict(
    evaluation: Evaluation, confusion: Confusion, audit: Audit, *, limit: Limit | None = None, recipe: Recipe | None = None
) -> list[tuple[str, str]]:
    """The sentences of the paragraph, each with what stands before it to be found by; "" for nothing.

    Args:
        evaluation: what was measured.
        confusion: of the same.
        audit: of the data.
        limit: what limited the run, if it is one.
        recipe: of the run.
    """
    steps = list(next_steps(evaluation, audit, limit, recipe))[:3]
    found = [
        ("", measured(evaluation)),
        ("", confused(evaluation, confusion)),
        ("", sure(evaluation)),
        ("What limited the run:" if limit is not None else "", limiting(evaluation, limit)),
        ("What to do next:", f"{'; '.join(steps)}." if steps else ""),
    ]
    return [(lead, sentence) for lead, sentence in found if sentence]


def hardest(evaluation: Evaluation) -> ClassScore | None:
    """The class with the smallest share of right answers; None if all are right."""
    found = evaluation.hardest_first
    return found[0] if found and found[0].correct < found[0].n else None


def quoted(name: str, most: int = 60) -> str:
    """A class's name in a sentence, isolated from the direction that its own script is written in."""
    short = name if len(name) <= most else f"{name[: most - 1]}…"
    return f"“\u2068{short}\u2069”"
