"""The networks of torchvision and timm as they are, holding our weights under their names."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from inceptions.architecture import Architecture, declare
from inceptions.deploy.extras import needed
from inceptions.errors import MachineError
from inceptions.network import Network
from inceptions.network.model import from_architecture
from inceptions.weights.families import timm as timm_names
from inceptions.weights.families import torchvision as torchvision_names
from inceptions.weights.families.names import COUNTER, Translation

NAMES: dict[str, dict[str, Callable[[Architecture], Translation]]] = {
    "googlenet/bn": {"torchvision": torchvision_names.googlenet},
    "inception_v3/torchvision": {
        "torchvision": torchvision_names.inception_v3,
        "timm": torchvision_names.inception_v3,
    },
    "inception_v4/released": {"timm": timm_names.inception_v4},
    "inception_resnet_v2/released": {"timm": timm_names.inception_resnet_v2},
}
"""Our networks, the packages that have the same one, and how these call its tensors."""

OURS = "inceptions, not rewritten"
EXAMPLES = 2


@dataclass(frozen=True, slots=True)
class Unmodified:
    """A network as people run it, in evaluation, and whose it is: "torchvision", "timm", or ours before any rewrite."""

    owner: str
    module: nn.Module
    remark: str = ""


def published(architecture: Architecture) -> bool:
    """Whether nothing about it but the number of classes is other than published: nobody else builds another."""
    options = architecture.options
    alike = options.in_channels == 3 and options.width == options.depth == 1 and options.padding == "published"
    return alike and options.until is None and options.residual_scale is None


def without_heads(network: Network) -> Network:
    """The network with its main head alone, which is what answers; weights are shared, in evaluation."""
    architecture = network.architecture
    declared = declare(architecture.name, architecture.variant, replace(architecture.options, aux=False))
    with torch.device("meta"):
        plain = from_architecture(declared, device="meta")
    state = network.state_dict()
    plain.load_state_dict({name: state[name] for name in plain.state_dict()}, assign=True)
    return plain.eval().requires_grad_(False)


def packages(network: Network) -> list[str]:
    """The packages that have the same network, whether installed or not."""
    architecture = network.architecture
    return list(NAMES.get(architecture.full_name, {})) if published(architecture) else []


def theirs(network: Network, package: str) -> nn.Module:
    """A package's own network with the weights of ours, in evaluation.

    Args:
        network: ours, without auxiliary heads.
        package: one of `packages(network)`, installed.
    """
    architecture = network.architecture
    classes = architecture.options.classes
    made: nn.Module
    if package == "torchvision":
        options: dict[str, Any] = {"num_classes": classes, "aux_logits": False, "transform_input": False}
        models = needed("torchvision.models", "dev")
        made = models.get_model(architecture.name, weights=None, init_weights=False, **options)
    else:
        # timm looks up the original's weights, but fetches nothing unless it is asked to.
        made = needed("timm", "dev").create_model(architecture.name, pretrained=False, num_classes=classes)
    named = NAMES[architecture.full_name][package](architecture).to_theirs(network.state_dict())
    result = made.load_state_dict(named, strict=False)
    assert not result.unexpected_keys
    assert all(COUNTER in name for name in result.missing_keys), result.missing_keys
    return made.eval().requires_grad_(False)


def unmodified(network: Network) -> Unmodified:
    """What everything is compared with: torchvision's network, else timm's, else ours before any rewrite."""
    known = packages(network)
    for package in known:
        if find_spec(package) is not None:
            return Unmodified(package, theirs(network, package))
    name = network.architecture.full_name
    why = f"{known[0]} is not installed (pip install {known[0]})" if known else f"neither torchvision nor timm has {name}"
    return Unmodified(OURS, network, f"{why}: compared with our own network as declared, before any rewrite.")


def to_onnx(module: nn.Module, shape: tuple[int, int, int]) -> bytes:
    """A network as torch's own exporter writes it with its own settings, for any number of images."""
    needed("onnxscript", "onnx")
    batch = {0: torch.export.Dim("batch", min=1, max=2**16)}
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        # The exporter tells its developers how it goes.
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module, (torch.zeros(EXAMPLES, *shape),), dynamo=True, dynamic_shapes=(batch,), verbose=False
            )
    except Exception as error:  # whatever the exporter stumbles over
        raise MachineError(f"torch cannot export this network to ONNX ({type(error).__name__}).") from error
    finally:
        logging.disable(level)
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content
