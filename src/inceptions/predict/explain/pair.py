"""Grad-CAM for whoever has decoded images and the numbers of classes: the report of a run, which knows no predictor."""

from __future__ import annotations

from collections.abc import Callable

import PIL.Image
import torch

from inceptions.architecture.cost import cost
from inceptions.network import Network
from inceptions.predict.explain.drawing import laid_over
from inceptions.predict.explain.explanation import shown
from inceptions.predict.explain.gradcam import gradcam
from inceptions.predict.explain.region import seen
from inceptions.predict.predictor import Predictor
from inceptions.weights import Card

SIDE = 224
PLACES = 16
"""Of a feature map that is looked at, at least."""


def pairs(
    model: Network, card: Card, *, device: str = "auto", side: int = SIDE
) -> Callable[[PIL.Image.Image, int], tuple[PIL.Image.Image, PIL.Image.Image]]:
    """What turns a decoded image and the number of a class into what the network saw, and that under what spoke for the class.

    Args:
        model: the network; it is moved to the device.
        card: of its weight file.
        device: "auto", "cpu", "cuda", …
        side: the longer side of the pictures in pixels.
    """
    predictor = Predictor(model, card, device=device)
    tap = telling(model, card)

    def explained(image: PIL.Image.Image, index: int) -> tuple[PIL.Image.Image, PIL.Image.Image]:
        x = shown(predictor, image)
        found = gradcam(model, x, torch.tensor([index], device=x.device), tap=tap)[0].cpu()
        return laid_over(image, seen(image.size, card.preprocess), found / (found.max() or 1.0), side=side)

    return explained


def telling(model: Network, card: Card) -> str:
    """The last feature map that tells places apart: small images shrink to a single one before the classifier."""
    architecture = model.architecture
    sizes = {node.name: node.output.height * node.output.width for node in cost(architecture, card.preprocess.size).nodes}
    return next((tap for tap in reversed(architecture.way) if sizes[tap] >= PLACES), architecture.way[0])
