"""A recipe's optimiser over a network's parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, AdamW, Optimizer, RMSprop

from inceptions.recipe import Optim
from inceptions.train.optim.rmsprop_tf import RMSPropTF

# Where TensorFlow's Adagrad begins to add up squared gradients.
ADAGRAD_START = 0.1


def build(model: nn.Module, optim: Optim) -> Optimizer:
    """The optimiser of a recipe, for parameters that are already on their device.

    Weight decay goes to weights only. Biases and the scale and shift of norms have one dimension, and shrinking them towards
    zero does not make a network simpler.
    """
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": optim.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    # One kernel for a whole update: on two cores a quarter of a step of a small network would otherwise go into the optimiser.
    match optim.kind:
        case "adamw":
            return AdamW(groups, lr=optim.lr, betas=optim.betas, eps=optim.eps, fused=True)
        case "sgd":
            return SGD(groups, lr=optim.lr, momentum=optim.momentum, nesterov=optim.nesterov, fused=True)
        case "rmsprop":
            return RMSprop(groups, lr=optim.lr, alpha=optim.alpha, eps=optim.eps, momentum=optim.momentum)
        case "rmsprop_tf":
            return RMSPropTF(groups, lr=optim.lr, alpha=optim.alpha, eps=optim.eps, momentum=optim.momentum)
        case "adagrad":
            return Adagrad(groups, lr=optim.lr, eps=optim.eps, initial_accumulator_value=ADAGRAD_START)


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the learning rate of the next update. Groups may have a share of it (`Stages.scale_rates`)."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)


def state_tensors(optimiser: Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """Everything the optimiser remembers, as "parameter/quantity": what a checkpoint holds of it.

    Numbers that the optimiser keeps per parameter become tensors without dimensions.
    """
    found: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        for quantity, value in optimiser.state.get(parameter, {}).items():
            if value is not None:
                found[f"{name}/{quantity}"] = value if isinstance(value, Tensor) else torch.tensor(value)
    return found


def restore_state(optimiser: Optimizer, model: nn.Module, saved: dict[str, Tensor]) -> None:
    """The inverse of `state_tensors`, for an optimiser that has made no update yet."""
    parameters = dict(model.named_parameters())
    for key, value in saved.items():
        name, quantity = key.rsplit("/", 1)
        parameter = parameters[name]
        if value.shape == parameter.shape:
            # Same layout in memory as the parameter (channels last): fused kernels walk both side by side.
            restored = torch.empty_like(parameter, requires_grad=False).copy_(value)
        else:
            restored = value.clone()
        optimiser.state[parameter][quantity] = restored
