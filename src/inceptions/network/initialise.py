"""How weights start, by the names the declarations use. Every parameter and buffer is set here, and nowhere else."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from inceptions.architecture.declaration import Initialiser
from inceptions.network.layers import ConvUnit, DenseUnit, SeparableConvUnit

# Standard deviation of a normal distribution cut at two standard deviations, relative to the uncut one.
CUT_AT_TWO = 0.87962566103423978
CAFFE_BIAS = 0.2
CLASSIFIER_STD = 0.01
TRUNCATED_STD = 0.1


def initialise(model: nn.Module, scheme: Initialiser, generator: torch.Generator | None = None) -> None:
    """Give every parameter and buffer of `model` its first value.

    * `he`: normal, variance 2 / fan-out (He et al. 2015, arXiv:1502.01852), for networks with batch norm.
    * `variance_scaling`: truncated normal, variance 2 / fan-in (TF-slim's default, which writes the cut's correction as 1.3).
    * `truncated_normal`: normal of standard deviation 0.1, cut at two of them, which leaves 0.088 (the released Inception-v3).
    * `xavier`: uniform, variance 1 / fan-in, biases 0.2 (Caffe's xavier filler, the BVLC GoogLeNet's).
    * `glorot`: uniform, variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010; TensorFlow's and Keras's default, facenet's).

    Classifiers start small (standard deviation 0.01) and without bias, so that the first loss is log(classes). A layer that
    declares a standard deviation of its own gets a normal of that, cut at two of them.

    Args:
        model: a network whose tensors may still be uninitialised memory.
        scheme: one of the five.
        generator: where the random numbers come from; torch's global one if None.
    """
    with torch.no_grad():
        for module in model.modules():
            match module:
                case ConvUnit():
                    _weight(module.conv.weight, module.node.std or scheme, generator)
                    _bias(module.conv.bias, scheme)
                case SeparableConvUnit():
                    _weight(module.depthwise.weight, scheme, generator)
                    _weight(module.pointwise.weight, scheme, generator)
                    _bias(module.pointwise.bias, scheme)
                case DenseUnit() if module.node.name == "logits":
                    if module.node.std is None:
                        nn.init.normal_(module.linear.weight, std=CLASSIFIER_STD, generator=generator)
                    else:
                        _weight(module.linear.weight, module.node.std, generator)
                    _bias(module.linear.bias, "he")
                case DenseUnit():
                    _weight(module.linear.weight, module.node.std or scheme, generator)
                    _bias(module.linear.bias, scheme)
                case nn.BatchNorm1d() | nn.BatchNorm2d():
                    module.reset_parameters()
                case _:
                    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
                    assert not own or isinstance(module, nn.Linear | nn.Conv2d), f"nobody initialises {type(module).__name__}"


def truncated_normal_(tensor: Tensor, std: float, generator: torch.Generator | None = None) -> Tensor:
    """Fill with a normal distribution cut at two standard deviations whose own standard deviation is `std`.

    `torch.nn.init.trunc_normal_` cuts at absolute bounds, by default -2 and 2: with a standard deviation of 0.1, as torchvision
    and timm call it, that is twenty sigma and cuts nothing. Here the bounds follow the deviation, as TensorFlow's do. What
    falls outside is drawn again, one value in twenty: faster than the inverse error function, which torch applies to all.
    """
    with torch.no_grad():
        tensor.normal_(generator=generator)
        flat = tensor.view(-1)
        outside = (flat.abs() > 2).nonzero().squeeze(1)
        while len(outside):
            again = torch.randn(len(outside), dtype=flat.dtype, device=flat.device, generator=generator)
            flat[outside] = again
            outside = outside[again.abs() > 2]
        return tensor.mul_(std / CUT_AT_TWO)


def _weight(weight: Tensor, scheme: Initialiser | float, generator: torch.Generator | None) -> None:
    fan_in = weight[0].numel()
    fan_out = weight.shape[0] * weight[0, 0].numel() if weight.ndim > 2 else weight.shape[0]
    match scheme:
        case "he":
            nn.init.normal_(weight, std=math.sqrt(2 / fan_out), generator=generator)
        case "variance_scaling":
            truncated_normal_(weight, math.sqrt(2 / fan_in), generator)
        case "truncated_normal":
            truncated_normal_(weight, CUT_AT_TWO * TRUNCATED_STD, generator)
        case "glorot":
            bound = math.sqrt(6 / (fan_in + fan_out))
            nn.init.uniform_(weight, -bound, bound, generator=generator)
        case float():
            truncated_normal_(weight, CUT_AT_TWO * scheme, generator)
        case "xavier":
            bound = math.sqrt(3 / fan_in)
            nn.init.uniform_(weight, -bound, bound, generator=generator)


def _bias(bias: Tensor | None, scheme: Initialiser) -> None:
    if bias is not None:
        nn.init.constant_(bias, CAFFE_BIAS if scheme == "xavier" else 0.0)
