"""How good weights are: a network is asked about labelled images, and its answers are counted."""

from __future__ import annotations

from inceptions.data import Images, Readable
from inceptions.evaluate.answers import Predictions, ask
from inceptions.evaluate.evaluation import Evaluation, score
from inceptions.evaluate.protocol import Protocol
from inceptions.network import Network
from inceptions.train.machine import choose_device, choose_precision
from inceptions.train.progress import Reporter
from inceptions.weights import Card
from inceptions.weights.calibration import Calibration


def evaluate(
    model: Network,
    card: Card,
    images: Images | Readable,
    *,
    protocol: Protocol | None = None,
    heads: bool = False,
    batch_size: int = 64,
    workers: int | str = "auto",
    device: str = "auto",
    precision: str = "auto",
    reporter: Reporter | None = None,
) -> Evaluation:
    """Show every image to the network and count the right answers.

    Args:
        model: the network; it is moved to the device.
        card: what its weight file says: classes and preprocessing.
        images: labelled with the card's classes (`inceptions.data.open_evaluation`), or prepared for a single crop already.
        protocol: how they are shown; a single crop if None.
        heads: ask the auxiliary heads too.
        batch_size: views in a forward pass. No image is dropped or counted twice, whatever the number.
        workers: threads that prepare images, or "auto".
        device: "auto", "cpu", "cuda", …
        precision: "auto", "fp32" or "bf16"; "auto" is what training on this machine validates in.
        reporter: where progress goes; nowhere if None.

    Raises:
        DataError: too large a share of the images cannot be read.
        UsageError: an option that means nothing, or a protocol that does not fit the weights.
        MachineError: the machine has no such device.
        WeightsError: the network answers with something that is no number.
    """
    protocol = protocol or Protocol()
    found = ask(
        model,
        card.preprocess,
        images,
        protocol=protocol,
        heads=heads,
        batch_size=batch_size,
        workers=workers,
        device=device,
        precision=precision,
        reporter=reporter,
    )
    return judged(found, card, images, protocol=protocol, precision=choose_precision(precision, choose_device(device)))


def judged(
    found: Predictions,
    card: Card,
    images: Images | Readable,
    *,
    protocol: Protocol,
    precision: str,
    classes: tuple[str, ...] | None = None,
) -> Evaluation:
    """Count what a network said.

    Args:
        found: its predictions; with more heads than the main one each is counted.
        card: of its weights.
        images: labelled with the classes.
        protocol: how they were shown.
        precision: what was computed in.
        classes: in the order of the scores, if that is not the card's.

    Raises:
        WeightsError: answers that are no numbers.
    """
    labels = [images.labels[i] for i in found.indices]
    classes = classes or card.classes
    said = protocol.describe(card.preprocess)
    heads = found.with_joint_heads() if len(found.heads) > 1 else {}
    scored = {
        name: score(scores, labels, classes, protocol=f"{said}; head {name}", precision=precision)
        for name, scores in heads.items()
    }
    unread = tuple((images.names[i], reason) for i, reason in found.skipped)
    if isinstance(images, Readable):
        unread = (*images.skipped, *unread)
    return score(
        found.main,
        labels,
        classes,
        protocol=said,
        precision=precision,
        skipped=unread,
        calibration=Calibration.of(card) if protocol == Protocol(average=protocol.average) else None,
        heads=scored,
        indices=found.indices,
    )
