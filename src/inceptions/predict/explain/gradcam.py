"""Grad-CAM: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization"
(arXiv:1610.02391), equations 1 and 2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inceptions.errors import UsageError, unknown
from inceptions.network import Network


def gradcam(model: Network, x: Tensor, classes: Tensor | None = None, *, tap: str | None = None) -> Tensor:
    """Where in a feature map stands what speaks for a class.

    Each channel counts as much as the class's logit rises with its mean; what speaks against the class is left out.

    Args:
        model: in evaluation mode.
        x: normalised images, `[batch, channels, height, width]`, no tensor of an inference mode.
        classes: the class of each image, int64, `[batch]`; the likeliest if None.
        tap: the feature map, as `Network.features` takes it; the one that the classifier sees if None.

    Returns:
        float32, at least 0, `[batch, rows, columns]` of the feature map.

    Raises:
        UsageError: no such tap, or the answer does not depend on it.
    """
    architecture = model.architecture
    name = architecture.tap(tap or architecture.way[-1])
    if name.split(".")[0] not in architecture.way:
        raise UsageError(
            f"The answer of {architecture.full_name} does not depend on {name}: name a tap up to {architecture.way[-1]}."
        )
    layers = dict(model.named_modules())
    if name not in layers:
        stage = name.split(".")[0]
        raise unknown(f"tap inside {stage}", name, [inner for inner in layers if inner.startswith(f"{stage}.")])
    found: list[Tensor] = []

    def watch(_module: torch.nn.Module, _given: object, out: Tensor) -> Tensor:
        # Gradients are needed from here on only. The network goes on with a copy, because the next layer may work in place.
        found.append(out.detach().requires_grad_())
        return found[0].clone()

    handle = layers[name].register_forward_hook(watch)
    try:
        with torch.enable_grad():
            logits = model(x)
            classes = logits.argmax(dim=1) if classes is None else classes
            (slopes,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), found)
    finally:
        handle.remove()
    weights = slopes.mean(dim=(2, 3), keepdim=True)
    return (weights * found[0].detach()).sum(dim=1).relu().float()
