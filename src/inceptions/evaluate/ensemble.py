"""Several models' answers as one: GoogLeNet's paper took the mean of seven models' probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inceptions.data import Images
from inceptions.errors import DataError, UsageError
from inceptions.evaluate.answers import Predictions, Scores, log_softmax
from inceptions.evaluate.contenders import Contender, columns
from inceptions.evaluate.evaluation import Evaluation, score
from inceptions.evaluate.judging import judged
from inceptions.evaluate.kept import Asker
from inceptions.evaluate.protocol import Average, Protocol


def evaluate_models(
    contenders: Sequence[Contender],
    images: Images,
    asker: Asker,
    *,
    protocol: Protocol,
    heads: bool = False,
    votes: Sequence[float] = (),
) -> Evaluation:
    """Judge one model, or several alone and together.

    Args:
        contenders: the models, of the same classes.
        images: labelled with the first one's classes.
        asker: asks the models.
        protocol: how images are shown, and what is averaged.
        heads: ask the auxiliary heads too.
        votes: the weight of each model; all equal if ().

    Raises:
        UsageError: votes that mean nothing, or a protocol that does not fit a model.
        DataError: too large a share of the images cannot be read.
        WeightsError: a network answers with something that is no number.
    """
    votes = checked(votes, len(contenders))
    for one in contenders:
        protocol.describe(one.card.preprocess)  # whatever does not fit is said before the first model is asked
    first = contenders[0]
    found = [aligned(asker, one, first, images, protocol, heads) for one in contenders]
    alone = [
        judged(said, one.card, images, protocol=protocol, precision=asker.computing(one), classes=first.card.classes)
        for one, said in zip(contenders, found, strict=True)
    ]
    if len(contenders) == 1:
        return alone[0]
    refuse_different(found)
    together = combined([one.main for one in found], votes, protocol.average)
    same = len({one.protocol for one in alone}) == 1
    shown = alone[0].protocol if same else f"{protocol.crops} crops, as fits each model"
    weighed = "" if len(set(votes)) == 1 else f", weighed {':'.join(f'{vote:g}' for vote in votes)}"
    return score(
        together,
        [images.labels[i] for i in found[0].indices],
        first.card.classes,
        protocol=f"{shown}; mean of {len(found)} models' {protocol.average}{weighed}",
        precision=", ".join(dict.fromkeys(one.precision for one in alone)),
        skipped=alone[0].skipped,
        models={one.name: scored for one, scored in zip(contenders, alone, strict=True)},
        indices=found[0].indices,
    )


def aligned(asker: Asker, one: Contender, first: Contender, images: Images, protocol: Protocol, heads: bool) -> Predictions:
    """What a model says, its classes in the order of the first one's."""
    order = columns(one, first)
    found = asker.ask(one.asked, one.card, images, protocol=protocol, heads=heads)
    rows = {head: scores[:, order] for head, scores in found.heads.items()}
    return Predictions(heads=rows, indices=found.indices, skipped=found.skipped)


def combined(scores: Sequence[Scores], votes: Sequence[float], average: Average) -> Scores:
    """The weighed mean of models' probabilities, or of their logits, as logarithms of probabilities.

    Args:
        scores: of each model, `[n, classes]`.
        votes: the weight of each, not negative; only their proportions count.
        average: of what.
    """
    shares = np.asarray(votes, dtype=np.float64) / sum(votes)
    total: NDArray[np.float64] | None = None
    for rows, share in zip(scores, shares, strict=True):
        if share == 0:
            continue
        logs = log_softmax(rows)
        if average == "probabilities":
            logs += np.log(share)
            total = logs if total is None else np.logaddexp(total, logs)
        else:
            total = share * logs if total is None else total + share * logs
    assert total is not None
    return total.astype(np.float32)


def checked(votes: Sequence[float], models: int) -> list[float]:
    """The weight of each model.

    Raises:
        UsageError: another number of votes than of models, negative ones, or none at all.
    """
    if not votes:
        return [1.0] * models
    if len(votes) != models or not all(0 <= vote < float("inf") for vote in votes) or sum(votes) == 0:
        said = ", ".join(f"{vote:g}" for vote in votes)
        raise UsageError(f"--votes takes one number for each of the {models} models, none negative, one positive; not {said}.")
    return list(votes)


def refuse_different(found: Sequence[Predictions]) -> None:
    """Refuse answers for different images.

    Raises:
        DataError: an image could be read for one model and not for another.
    """
    if len({one.indices for one in found}) > 1:
        raise DataError("Some images could be read for one model and not for another: they were changed. Try it again.")
