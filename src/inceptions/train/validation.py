"""One pass over labelled images without training: shared by the training loop and `evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from inceptions.data import Batch, normalise
from inceptions.network import Network
from inceptions.weights import Preprocess


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a network said to each image, in the order of the images.

    Attributes:
        logits: `[n, classes]`, float32, on the CPU.
        labels: `[n]`, int64, on the CPU.
    """

    logits: Tensor
    labels: Tensor

    @property
    def accuracy(self) -> float:
        """Share of images whose largest logit is that of their class."""
        return int((self.logits.argmax(1) == self.labels).sum()) / len(self.labels)

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats, without label smoothing."""
        return float(cross_entropy(self.logits.double(), self.labels))


@torch.inference_mode()
def validate(
    network: Network,
    batches: Iterable[Batch],
    preprocess: Preprocess,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Answers:
    """Ask the main head about every image.

    Args:
        network: is put into evaluation mode, and back into the mode it was in.
        batches: images as `uint8` `[batch, 3, height, width]`, prepared for this network, with labels.
        preprocess: for mean, deviation and order of the channels.
        autocast: the precision's context, `accelerator.autocast`.

    Returns:
        The logits of all images, none dropped, none twice.
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    logits: list[Tensor] = []
    labels: list[Tensor] = []
    try:
        for batch in batches:
            images = normalise(batch.images.to(device, non_blocking=True), preprocess)
            with autocast():
                answer = network(images)
            # Kept on the device until the end: fetching each batch would make the GPU wait for the CPU.
            logits.append(answer.float())
            labels.append(batch.labels)
    finally:
        network.train(was_training)
    if not logits:  # one of more processes than there are images
        return Answers(torch.empty(0, network.architecture.options.num_classes or 0), torch.empty(0, dtype=torch.int64))
    return Answers(torch.cat(logits).cpu(), torch.cat(labels).cpu())
