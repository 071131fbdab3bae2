"""What can be asked about images, whatever computes the answer. Needs numpy only."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from inceptions.data.showing import Pixels


@runtime_checkable
class Answerer(Protocol):
    """A network made ready to run by an engine: on torch, or on one that needs none."""

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads that answer, in depth order; the last is "main"."""
        ...

    @property
    def computed_in(self) -> str:
        """Precision and engine, for people."""
        ...

    def pixels(self, images: Pixels) -> dict[str, NDArray[np.float32]]:
        """Logits of images.

        Args:
            images: as `inceptions.data.showing` makes them, side by side: `[images, height, width, 3]`.

        Returns:
            float32, `[images, classes]`, by the name of the head.
        """
        ...
