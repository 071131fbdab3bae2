"""How weights start, by the names the declarations use. Every parameter and buffer is set here, and nowhere else."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from inceptions.architecture.declaration import Initialiser
from inceptions.network.layers import DenseUnit

# Standard deviation of a normal distribution cut at two standard deviations, relative to the uncut one.
CUT_AT_TWO = 0.87962566103423978
CAFFE_BIAS = 0.2


def initialise(model: nn.Module, scheme: Initialiser, generator: torch.Generator | None = None) -> None:
    """Give every parameter and buffer of `model` its first value.

    * `he`: normal, variance 2 / fan-out (He et al. 2015, arXiv:1502.01852), for networks with batch norm.
    * `variance_scaling`: truncated normal, variance 2 / fan-in (TF-slim's default, which writes the cut's correction as 1.3).
    * `xavier`: uniform, variance 1 / fan-in, biases 0.2 (Caffe's xavier filler, the BVLC GoogLeNet's).

    Classifiers start small (standard deviation 0.01) and without bias, so that the first loss is log(classes).

    Args:
        model: a network whose tensors may still be uninitialised memory.
        scheme: one of the three.
        generator: where the random numbers come from; torch's global one if None.
    """
    with torch.no_grad():
        for module in model.modules():
            match module:
                case nn.Conv2d():
                    _weight(module.weight, scheme, generator)
                    _bias(module.bias, scheme)
                case DenseUnit():
                    last = module.node.name == "logits"
                    if last:
                        nn.init.normal_(module.linear.weight, std=0.01, generator=generator)
                    else:
                        _weight(module.linear.weight, scheme, generator)
                    _bias(module.linear.bias, "he" if last else scheme)
                case nn.BatchNorm1d() | nn.BatchNorm2d():
                    module.reset_parameters()
                case _:
                    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
                    assert not own or isinstance(module, nn.Linear), f"nobody initialises {type(module).__name__}"


def truncated_normal_(tensor: Tensor, std: float, generator: torch.Generator | None = None) -> Tensor:
    """Fill with a normal distribution cut at two standard deviations whose own standard deviation is `std`.

    `torch.nn.init.trunc_normal_` cuts at absolute bounds, by default -2 and 2: with a standard deviation of 0.1, as torchvision
    and timm call it, that is twenty sigma and cuts nothing. Here the bounds follow the deviation, as TensorFlow's do.
    """
    sigma = std / CUT_AT_TWO
    return nn.init.trunc_normal_(tensor, std=sigma, a=-2 * sigma, b=2 * sigma, generator=generator)


def _weight(weight: Tensor, scheme: Initialiser, generator: torch.Generator | None) -> None:
    fan_in = weight[0].numel()
    fan_out = weight.shape[0] * weight[0, 0].numel() if weight.ndim > 2 else weight.shape[0]
    match scheme:
        case "he":
            nn.init.normal_(weight, std=math.sqrt(2 / fan_out), generator=generator)
        case "variance_scaling":
            truncated_normal_(weight, math.sqrt(2 / fan_in), generator)
        case "xavier":
            bound = math.sqrt(3 / fan_in)
            nn.init.uniform_(weight, -bound, bound, generator=generator)


def _bias(bias: Tensor | None, scheme: Initialiser) -> None:
    if bias is not None:
        nn.init.constant_(bias, CAFFE_BIAS if scheme == "xavier" else 0.0)
