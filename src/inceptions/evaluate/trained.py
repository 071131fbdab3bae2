"""The score of a run's best weights, without asking them twice."""

from __future__ import annotations

from inceptions.data import Readable
from inceptions.evaluate.answers import MAIN, Predictions
from inceptions.evaluate.evaluation import Evaluation
from inceptions.evaluate.judging import evaluate, judged
from inceptions.evaluate.protocol import Protocol
from inceptions.network import Network
from inceptions.train import Answers
from inceptions.train.progress import Reporter
from inceptions.weights import Card


def evaluate_trained(
    model: Network,
    card: Card,
    images: Readable,
    answers: Answers | None,
    *,
    precision: str,
    workers: int | str = "auto",
    device: str = "auto",
    reporter: Reporter | None = None,
) -> Evaluation:
    """Count the answers that a run kept of its best epoch; ask the network only if it kept none.

    Args:
        model: with the run's best weights.
        card: of these weights.
        images: the run's validation images, looked at.
        answers: of these weights to these images, in their order; None if the run was resumed since.
        precision: of the run.
        workers: as for `evaluate`, and so the others.
        device: "auto", "cpu", "cuda", …
        reporter: where progress goes.

    Raises:
        InceptionsError: what `evaluate` raises.
    """
    if answers is None:
        return evaluate(model, card, images, workers=workers, device=device, precision=precision, reporter=reporter)
    found = Predictions(heads={MAIN: answers.logits.numpy()}, indices=tuple(range(len(images))))
    return judged(found, card, images, protocol=Protocol(), precision=precision)
