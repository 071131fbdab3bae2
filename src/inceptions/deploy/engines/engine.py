"""What every engine is: a graph made ready to run on this machine."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from inceptions.deploy.graph import Array

Precision = Literal["float32", "bf16", "fp16", "int8"]


class Engine(Protocol):
    """A graph ready to run. Calls may come from several threads; they are answered one after the other.

    Attributes:
        name: "eager", "compiled", "openvino", "onnxruntime", …: what `--engine` calls it.
        precision: what the convolutions compute in.
    """

    name: str
    precision: Precision

    def run(self, images: NDArray[np.float32] | NDArray[np.uint8]) -> dict[str, Array]:
        """Logits of the graph's heads.

        Args:
            images: what the graph takes (`Graph.input`), any number of them from 1 on.

        Returns:
            float32, `[batch, classes]`, by the name of the head, in the graph's order.
        """
        ...
