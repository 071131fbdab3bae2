"""What captum measures: the answer with a part of the image covered, and the gradients on the way from nothing to the image."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inceptions.errors import MachineError
from inceptions.network import Network

# Of the image's side: of the patch that covers, and how many steps it takes across itself.
PATCH, OVERLAP = 7, 2
STEPS = 32
AT_A_TIME = 16


def occlusion(model: Network, x: Tensor, classes: Tensor) -> Tensor:
    """How much a class's logit falls when a patch of the image is covered with the mean colour.

    Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks" (arXiv:1311.2901), section 4.2. The patch has
    a seventh of the image's side and moves by half of its own.

    Args:
        model: in evaluation mode.
        x: normalised images, `[batch, channels, height, width]`.
        classes: the class of each image, int64, `[batch]`.

    Returns:
        float32, `[batch, height, width]`; negative where covering makes the class more likely.

    Raises:
        MachineError: captum is missing.
    """
    _, channels, height, width = x.shape
    patch = (channels, max(1, height // PATCH), max(1, width // PATCH))
    with torch.no_grad():
        found: Tensor = (
            _captum()
            .Occlusion(model)
            .attribute(
                x,
                sliding_window_shapes=patch,
                strides=(channels, max(1, patch[1] // OVERLAP), max(1, patch[2] // OVERLAP)),
                baselines=0,
                target=classes,
                perturbations_per_eval=max(1, AT_A_TIME // len(x)),
            )
        )
    return found[:, 0].float()  # a patch covers all channels, so all have the same


def integrated_gradients(model: Network, x: Tensor, classes: Tensor) -> Tensor:
    """What each pixel adds to a class's logit, on the straight way from the mean colour to the image.

    Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks" (arXiv:1703.01365), in 32 steps. All pixels
    together make up the difference of the two logits.

    Args:
        model: in evaluation mode.
        x: normalised images, `[batch, channels, height, width]`.
        classes: the class of each image, int64, `[batch]`.

    Returns:
        float32, `[batch, height, width]`, a pixel's channels added up; negative where it speaks against the class.

    Raises:
        MachineError: captum is missing.
    """
    found: Tensor = (
        _captum()
        .IntegratedGradients(model)
        .attribute(
            x.detach().clone().requires_grad_(),
            baselines=0,
            target=classes,
            n_steps=STEPS,
            internal_batch_size=max(AT_A_TIME, len(x)),
        )
    )
    return found.detach().sum(dim=1).float()


def _captum() -> Any:
    try:
        from captum import attr
    except ImportError as error:
        raise MachineError(
            "Occlusion and integrated gradients need captum: pip install 'inceptions[explain]'. Grad-CAM needs nothing more."
        ) from error
    return attr
