"""The digits that come with scikit-learn: real handwriting, nothing to download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inceptions.data.decode import AtLeast
from inceptions.data.images import Splits, split

NAME = "digits"


@dataclass(frozen=True, eq=False)
class Digits:
    """Handwritten digits, 8 × 8 pixels.

    Attributes:
        images: grey values, uint8, `[images, 8, 8]`.
        labels: the digits.
        names: what each is called in messages.
        notes: nothing to say about them.
    """

    images: NDArray[np.uint8]
    labels: tuple[int, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def open(self, i: int, at_least: int | None = None) -> Image.Image:  # noqa: ARG002 (nothing to decode)
        """The image `i` in mode RGB."""
        return Image.fromarray(self.images[i]).convert("RGB")

    def pixels(self, i: int, at_least: AtLeast | None = None) -> NDArray[np.uint8]:  # noqa: ARG002 (nothing to decode)
        """The pixels of image `i`, three times the same grey."""
        return np.stack([self.images[i]] * 3, axis=-1)

    def subset(self, chosen: Sequence[int]) -> Self:
        """Some of the digits, in the order given."""
        rows = list(chosen)
        return type(self)(self.images[rows], tuple(self.labels[i] for i in rows), tuple(self.names[i] for i in rows))


def open_digits(*, seed: int = 0, validation_share: float = 0.2) -> Splits:
    """The 1,797 digits of the UCI test set (Alpaydin and Kaynak 1998), a share of each held out.

    Args:
        seed: of the split.
        validation_share: of each digit that is held out.
    """
    from sklearn.datasets import load_digits  # nobody else waits for scikit-learn

    table = load_digits()
    grey = np.rint(table.images * (255 / 16)).astype(np.uint8)  # the pixels are counts from 0 to 16
    labels = tuple(int(digit) for digit in table.target)
    every = Digits(grey, labels, tuple(f"digit-{i:04}" for i in range(len(labels))))
    classes = tuple("0123456789")
    train, held = split(every.names, labels, classes, seed=seed, share=validation_share)
    return Splits(name=NAME, classes=classes, train=every.subset(train), validation=every.subset(held))
