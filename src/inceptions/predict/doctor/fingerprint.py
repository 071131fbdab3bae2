"""Which preprocessing a network was trained on, read from its batch norm.

The running mean and variance of a batch norm are those of what its convolution gave for the training images, as they were fed
then. So of several ways to feed photographs, the right one is the one under which the first batch norm meets about the mean and
variance it remembers. Scale and offset show clearly even with two photographs. The order of the colours hardly does: swapping
red and blue changes means and variances little, so it is judged only where the difference is large.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from inceptions.data import normalise
from inceptions.network import Network
from inceptions.predict.doctor.findings import Finding
from inceptions.weights import IMAGENET_MEAN, IMAGENET_STD, Preprocess

# Distances (median over the channels, see `distance`). On photographs and with the right preprocessing it is 0.04, with a
# wrong scale or offset from 0.25 up; bytes where a network wants numbers around 0, or the other way round, from 2.7 up.
FITS, FAR = 0.15, 2.0
CLEARLY = 3.0


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How far the statistics are from what the first batch norm remembers.

    Attributes:
        layer: which batch norm.
        own: distance under the file's preprocessing.
        others: distance under each other way to feed it, the nearest first.
        colours: distance under the file's preprocessing with red and blue exchanged, by the mean over the channels (which
            reacts to the few that look at colours), and without; None where there are no colours.
    """

    layer: str
    own: float
    others: Mapping[str, float]
    colours: tuple[float, float] | None


def alternatives(preprocess: Preprocess) -> dict[str, Preprocess]:
    """The usual ways to scale the same pixels, in the file's own order of channels."""
    grey = preprocess.num_channels == 1
    order = -1 if preprocess.channels == "BGR" else 1
    imagenet = ((0.449,), (0.226,)) if grey else (IMAGENET_MEAN[::order], IMAGENET_STD[::order])
    each = {
        "-1 to 1": ((0.5,), (0.5,)),
        "ImageNet's mean and deviation": imagenet,
        "0 to 1": ((0.0,), (1.0,)),
        "bytes": ((0.0,), (1 / 255,)),
        "bytes less a mean": ((0.449,), (1 / 255,)),
    }
    channels = preprocess.num_channels
    return {
        name: replace(preprocess, mean=mean * (channels // len(mean)), std=std * (channels // len(std)))
        for name, (mean, std) in each.items()
    }


def fingerprint(model: Network, preprocess: Preprocess, pixels: Tensor) -> Fingerprint | None:
    """Compare the ways to feed photographs to a network.

    Args:
        model: in evaluation mode.
        preprocess: the file's.
        pixels: photographs as `data.evaluation` gives them, `[batch, 3, *size]`.

    Returns:
        The distances, or None if there is no batch norm in the trunk that has statistics.
    """
    layer = _first(model)
    if layer is None:
        return None

    def seen(way: Preprocess) -> Tensor:
        return _distances(model, layer, normalise(pixels, way))

    own = seen(preprocess)
    others = {name: float(seen(way).median()) for name, way in alternatives(preprocess).items() if not _alike(way, preprocess)}
    colours = None
    if preprocess.num_channels == 3:
        swapped = replace(preprocess, channels="RGB" if preprocess.channels == "BGR" else "BGR")
        colours = (float(seen(swapped).mean()), float(own.mean()))
    nearest = dict(sorted(others.items(), key=lambda pair: pair[1]))
    return Fingerprint(layer, float(own.median()), nearest, colours)


def judged(found: Fingerprint | None) -> Finding:
    """What the distances say of the file's preprocessing."""
    if found is None:
        return Finding(
            "preprocessing",
            "note",
            "Cannot be judged: no batch norm at the input keeps statistics of the images it was trained on.",
        )
    name, best = next(iter(found.others.items()))
    details = {
        "layer": found.layer,
        "own": found.own,
        "others": dict(found.others),
        "colours": None if found.colours is None else {"exchanged": found.colours[0], "own": found.colours[1]},
    }
    if found.own > FITS and found.own > CLEARLY * best and best <= FITS:
        return Finding(
            "preprocessing",
            "fail" if found.own > FAR else "warn",
            f"The file's does not fit the statistics in {found.layer} (distance {found.own:.2g}); "
            f"{name!r} does ({best:.2g}). Check which the network was trained with.",
            details,
        )
    if found.own > FITS:
        says = f"Nothing usual fits the statistics in {found.layer} (the file's: {found.own:.2g}, {name!r}: {best:.2g})."
        why = "Give some images like those it was trained on."
        return Finding("preprocessing", "warn" if found.own > FAR else "note", f"{says} {why}", details)
    if found.colours is not None and found.colours[1] > CLEARLY * found.colours[0]:
        return Finding(
            "preprocessing",
            "warn",
            f"Its scale fits the statistics in {found.layer}, but better with red and blue exchanged.",
            details,
        )
    known = found.colours is not None and found.colours[0] > CLEARLY * found.colours[1]
    order = "" if found.colours is None or known else " The order of the colours cannot be told from these images."
    return Finding(
        "preprocessing",
        "ok",
        f"The file's fits the statistics in {found.layer} ({found.own:.2g}; next is {name!r}, {best:.2g}).{order}",
        details,
    )


def _first(model: Network) -> str | None:
    """The first batch norm of the trunk, if it remembers anything."""
    for stage in model.architecture.taps:
        for name, module in model.get_submodule(stage).named_modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                return f"{stage}.{name}" if bool((module.running_mean != 0).any()) else None
    return None


@torch.inference_mode()
def _distances(model: Network, layer: str, x: Tensor) -> Tensor:
    """Of each channel of a batch norm's input: Kullback and Leibler's divergence between normal distributions with the mean
    and variance that it meets and that it remembers.
    """
    norm = model.get_submodule(layer)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    met: list[Tensor] = []
    handle = norm.register_forward_pre_hook(lambda _module, inputs: met.append(inputs[0]))
    try:
        model.features(x, [layer.partition(".")[0]])
    finally:
        handle.remove()
    variance, mean = torch.var_mean(met[0].double(), dim=(0, 2, 3), correction=0)
    remembered = norm.running_var.double() + norm.eps
    ratio = (variance + norm.eps) / remembered
    return 0.5 * (ratio - 1 - ratio.log() + (mean - norm.running_mean.double()) ** 2 / remembered)


def _alike(one: Preprocess, other: Preprocess) -> bool:
    """Whether two ways to scale differ by less than pictures do, as (x - 127.5) / 128 and -1 to 1."""
    pairs = zip(one.mean, one.std, other.mean, other.std, strict=True)
    ends = (
        abs((x - mean) / std - (x - his_mean) / his_std) * min(std, his_std)
        for mean, std, his_mean, his_std in pairs
        for x in (0.0, 1.0)
    )
    return max(ends) < 0.05
