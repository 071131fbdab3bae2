"""An order in which classes of unequal size come equally often: as `order`, a pure function of the run's seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from inceptions.data.order import Presentation, count_batches, number, order


def balanced_plan(
    labels: Sequence[int], *, batch_size: int, seed: int, epoch: int, steps: int | None = None
) -> list[tuple[Presentation, ...]]:
    """The batches of an epoch in which every class has the same number of images, to within one.

    Each class goes round by round through its own images, in a new order each round, and an epoch takes the same number of each
    class, as many images in all as there are. So the images of a small class come several times in an epoch, each time with
    another augmentation, and those of a large one take turns over the epochs. The batches are cut as `order.plan` cuts them.

    Args:
        labels: class of each image.
        batch_size: images in a batch, at least 2.
        seed: of the run.
        epoch: counted from 0.
        steps: batches in an epoch, if not as many as the images fill.

    Raises:
        UsageError: as `count_batches`.
    """
    batches = count_batches(len(labels), batch_size, steps)
    length = len(labels) if steps is None else steps * batch_size
    classes = sorted(set(labels))
    members = {label: [i for i, one in enumerate(labels) if one == label] for label in classes}
    orders: dict[tuple[int, int], list[int]] = {}
    stream: list[Presentation] = []
    for position in range(epoch * length, (epoch + 1) * length):
        turn, which = divmod(position, len(classes))
        label = classes[which]
        passage, place = divmod(turn, len(members[label]))
        if (label, passage) not in orders:
            orders[label, passage] = order(number(seed, "class", label), passage, len(members[label]))
        stream.append(Presentation(passage, members[label][orders[label, passage][place]]))
    random.Random(number(seed, "balanced", epoch)).shuffle(stream)
    edges = [*range(0, batches * batch_size, batch_size), length]
    return [tuple(stream[start:end]) for start, end in pairwise(edges)]
