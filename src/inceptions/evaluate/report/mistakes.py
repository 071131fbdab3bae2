"""The mistakes that a network was surest of, as pictures: what it saw, and what spoke for its answer."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL.Image import Image, Resampling

from inceptions.data import ImageError, Images, Readable
from inceptions.errors import InceptionsError
from inceptions.evaluate.evaluation import Evaluation
from inceptions.evaluate.report.confusion import data_address

Explain = Callable[[Image, int], tuple[Image, Image]]
"""From a decoded image and the number of a class to what the network saw of it, and the same under what spoke for the class."""

MOST = 12
LARGEST = 15_000
"""Characters of a picture's address."""
SIDE = 224
QUALITIES = (85, 75, 65, 50, 35)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """An image that is answered wrongly.

    Attributes:
        path: its name.
        label: its class.
        answer: what it was taken for.
        probability: of the answer.
        own: probability of its class.
        photograph: address of what the network saw; None if the image cannot be read any more.
        explained: address of the same under Grad-CAM; None if nobody explained it.
        size: (width, height) of both in pixels.
    """

    path: str
    label: str
    answer: str
    probability: float
    own: float
    photograph: str | None
    explained: str | None
    size: tuple[int, int]


def mistakes(
    evaluation: Evaluation, images: Images | Readable | None, explain: Explain | None, *, most: int = MOST
) -> Iterator[Mistake]:
    """The wrong answers, the surest first.

    Args:
        evaluation: with its outcomes; without, there is nothing to show.
        images: that were evaluated.
        explain: draws what spoke for an answer; None shows the images alone.
        most: how many.
    """
    found = evaluation.outcomes
    if found is None or images is None:
        return
    wrong = np.flatnonzero(~found.right)
    names = [one.name for one in evaluation.per_class]
    for row in wrong[np.argsort(-found.confidence[wrong], kind="stable")][:most].tolist():
        image, answer = evaluation.indices[row], int(found.answers[row])
        photograph, explained = pictures(images, image, answer, explain)
        yield Mistake(
            path=images.names[image],
            label=names[int(found.labels[row])],
            answer=names[answer],
            probability=float(found.confidence[row]),
            own=float(found.own[row]),
            photograph=None if photograph is None else jpeg(photograph),
            explained=None if explained is None else jpeg(explained),
            size=(0, 0) if photograph is None else photograph.size,
        )


def pictures(images: Images | Readable, i: int, answer: int, explain: Explain | None) -> tuple[Image | None, Image | None]:
    """What the network saw of an image, and why it answered so, as far as either can be shown."""
    try:
        image = images.view.images.open(images.kept[i]) if isinstance(images, Readable) else images.open(i)
    except ImageError:  # it was there when the network was asked
        return None, None
    if explain is not None:
        try:
            return explain(image, answer)
        except InceptionsError:  # a network without maps to look at
            pass
    image.thumbnail((SIDE, SIDE))
    return image, None


def jpeg(picture: Image) -> str:
    """A picture as a JPEG's address of at most 15,000 characters: as good as fits, then smaller."""
    picture = picture.convert("RGB")
    while True:
        for quality in QUALITIES:
            content = io.BytesIO()
            picture.save(content, format="JPEG", quality=quality, optimize=True)
            if len(address := data_address("jpeg", content.getvalue())) <= LARGEST:
                return address
        width, height = (max(1, side * 3 // 4) for side in picture.size)
        picture = picture.resize((width, height), Resampling.LANCZOS)
