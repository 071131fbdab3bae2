"""A network by name, with weights to start from if there are any: what `inceptions.create_model` is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from inceptions.errors import WeightsError
from inceptions.network import Network
from inceptions.network import create_model as create_fresh
from inceptions.network.first_layer import adapt_input
from inceptions.weights.source import open_weights
from inceptions.weights.store import load_state


def create_model(
    name: str,
    *,
    variant: str | None = None,
    num_classes: int | None = None,
    in_channels: int = 3,
    weights: str | Path | None = None,
    until: str | int | None = None,
    aux: bool | None = None,
    width: float = 1.0,
    depth: float = 1.0,
    residual_scale: float | None = None,
    padding: Literal["published", "same"] = "published",
    seed: int | None = None,
    device: torch.device | str | None = None,
) -> Network:
    """Build a network of the family, with fresh weights or with those of a weight file.

    Args:
        name: "googlenet", ... (`list_models()`), or "googlenet/paper" with its variant.
        variant: which of the networks of that name; the weight file's, or the one whose published weights people use if None.
        num_classes: outputs of every head; the file's, or the published number (1000, but 1008 for `inception_v3/fid`) if None.
            Where the file has another number, classifiers are fresh and all else is the file's.
        in_channels: channels of the images. Where the file has another number, its first layer is adapted so that an image that
            shows the same in all its channels gets the same answer (`network.first_layer`).
        weights: a weight file, a run's folder (its best weights), a published checkpoint by its tag ("torchvision_in1k", see
            `inceptions models --weights`), which is fetched once, or "hf:owner/name"; None for fresh weights.
        until: end the trunk at this tap (by name, or by stride), with pooling and a new classifier behind it.
        aux: whether the auxiliary heads are built; as in the file, or where the published weights or the paper have them, if
            None. They answer only to `model.heads`, and cost nothing in `model(x)`.
        width: factor on every number of filters.
        depth: factor on the number of modules in each stage.
        residual_scale: factor on the residuals of an Inception-ResNet, 0 to 1; the published ones if None.
        padding: "same" pads every window of the trunk, so that only strides change the maps' sizes (for dense prediction).
        seed: for reproducible fresh weights; torch's global generator if None.
        device: where the weights live; "meta" builds the structure only.

    Returns:
        The network, in training mode.

    Raises:
        UsageError: an unknown name, variant, tap or tag, or a number out of range.
        WeightsError: the file cannot be read, or holds another network's weights.
        MachineError: it cannot be fetched; says which file to put where.
    """
    opened = None if weights is None else open_weights(weights, name)
    if opened is not None:
        card = opened.card
        if variant is None and "/" not in name and name == card.architecture:
            variant = card.variant
        num_classes = card.options.num_classes if num_classes is None else num_classes
        aux = card.options.aux if aux is None else aux
    model = create_fresh(
        name,
        variant=variant,
        num_classes=num_classes,
        in_channels=in_channels,
        aux=aux,
        until=until,
        width=width,
        depth=depth,
        residual_scale=residual_scale,
        padding=padding,
        seed=seed,
        device=device,
    )
    if opened is None:
        return model
    source, tensors = opened.card.declare(), opened.tensors
    if source.full_name != model.architecture.full_name:
        raise WeightsError(f"{opened.where} holds weights of {source.full_name}, not of {model.architecture.full_name}.")
    if in_channels != source.options.in_channels:
        tensors = adapt_input(tensors, source, in_channels)
    load_state(model, _filled(model, tensors), opened.where)
    return model


def _filled(model: Network, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The file's tensors as far as the network has a place for them, and its own fresh ones where heads differ.

    Left out are nodes behind `until` and heads that were not asked for. Fresh stay heads the file lacks, and classifiers whose
    number of classes or of inputs is another. Everything else must fit, and `load_state` says what does not.
    """
    own = model.state_dict()
    heads = tuple(f"{head.name}." for head in model.architecture.heads)
    places = {name.split(".", 1)[0] for name in own}
    kept = {name: tensor for name, tensor in tensors.items() if name.split(".", 1)[0] in places}
    for name, tensor in own.items():
        if not name.startswith(heads):
            continue
        given = kept.get(name)
        if given is None or (".logits." in name and given.shape != tensor.shape):
            kept[name] = tensor
    return {name: tensor for name, tensor in kept.items() if name in own or not name.startswith(heads)}
