"""What training minimises, and what it reports."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from inceptions.network import Network


class AllHeads(nn.Module):
    """A network whose call answers with every head.

    The loop calls this module, not `Network.heads`, because what wraps a model for mixed precision or for several processes
    wraps its `forward`.

    Attributes:
        network: the network itself; its state dict has no prefix of this wrapper.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Logits of every head, `[batch, classes]` each, "main" last.

        Args:
            x: normalised images, `[batch, channels, height, width]`.
        """
        return self.network.heads(x)


def objective(
    heads: Mapping[str, Tensor],
    labels: Tensor,
    *,
    aux_weight: float,
    label_smoothing: float,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of the main head plus `aux_weight` times that of each auxiliary one (arXiv:1409.4842, section 5).

    Args:
        heads: logits `[batch, classes]` by head.
        labels: class indices, `[batch]`, or shares of the classes, `[batch, classes]`.
        aux_weight: 0.3 in the paper.
        label_smoothing: share of the target spread evenly over all classes, the right one included (arXiv:1512.00567,
            section 7).
        class_weights: factor on the loss of each class's images, `[classes]`; None for 1. The mean is over the number of
            images, not over their weights, so that it is the same in one process and in several.

    Returns:
        The loss, averaged over the batch: a scalar in float32 whatever the logits' precision.
    """

    def mean(logits: Tensor) -> Tensor:
        if class_weights is None:
            return cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
        each = cross_entropy(logits.float(), labels, label_smoothing=label_smoothing, reduction="none")
        return (each * (class_weights[labels] if labels.ndim == 1 else labels @ class_weights)).mean()

    losses = {name: mean(logits) for name, logits in heads.items()}
    total = losses.pop("main")
    for loss in losses.values():
        total = total + aux_weight * loss
    return total
