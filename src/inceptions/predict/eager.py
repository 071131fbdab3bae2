"""A network on torch, asked as every engine is."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from inceptions.data import Pixels, normalise
from inceptions.network import Network
from inceptions.network.device import choose_device
from inceptions.network.hardware import keep_memory
from inceptions.predict.answers import MAIN
from inceptions.weights import Preprocess


class Eager:
    """A network in evaluation mode, on its device, computing in float32.

    Args:
        network: is moved to the device.
        preprocess: of its weights.
        device: "cpu", "cuda", …; "auto" takes a GPU if there is one.
        heads: names of those that answer; the auxiliary ones are only run when they are asked.

    Raises:
        UsageError: no name of a device.
        MachineError: this machine does not have it.
    """

    def __init__(self, network: Network, preprocess: Preprocess, *, device: str = "auto") -> None:
        self.device = choose_device(device)
        if self.device.type == "cpu":
            keep_memory()
        self.network = network.eval().to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.heads = tuple(head.name for head in network.architecture.heads)
        self._preprocess = preprocess

    def pixels(self, images: Pixels) -> dict[str, NDArray[np.float32]]:
        """Logits of the main head of images `[images, height, width, 3]`."""
        return self._asked(images, every=False)

    def every_head(self, images: Pixels) -> dict[str, NDArray[np.float32]]:
        """Logits of all heads."""
        return self._asked(images, every=True)

    @torch.inference_mode()
    def _asked(self, images: Pixels, *, every: bool) -> dict[str, NDArray[np.float32]]:
        batch = normalise(torch.from_numpy(images).permute(0, 3, 1, 2).to(self.device), self._preprocess)
        found = self.network.heads(batch) if every else {MAIN: self.network(batch)}
        return {name: logits.float().cpu().numpy() for name, logits in found.items()}
