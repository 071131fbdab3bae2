"""Small networks to lower, rewrite and run."""

from __future__ import annotations

from typing import Any

import torch

from inceptions.network import Network, create_model


def lively(name: str, **options: Any) -> Network:
    """A small network whose batch norms do something, in evaluation; `options` as for `create_model`."""
    model = create_model(name, **{"num_classes": 5, "seed": 3, "width": 0.05, "depth": 0.1, **options}).eval()
    generator = torch.Generator().manual_seed(4)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            torch.nn.init.normal_(module.bias, 0, 0.2, generator=generator)
    return model
