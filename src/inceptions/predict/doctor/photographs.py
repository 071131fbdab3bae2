"""What a network does with photographs: which channels ever answer, and whether the answers differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from inceptions.data import decode, evaluation, normalise
from inceptions.network import Network
from inceptions.network.layers import ConvUnit, SeparableConvUnit
from inceptions.predict.doctor.findings import Finding
from inceptions.weights import Preprocess

# Two photographs that come with scikit-learn (a temple and a flower, CC BY 2.0), nothing to download.
BUNDLED = ("china.jpg", "flower.jpg")
AT_A_TIME = 5

# Beyond this, a sum of products has got out of hand: activations of trained networks are tens.
EXPLODED = 1e5


def photographs(paths: Sequence[Path]) -> list[Image.Image]:
    """Images in mode RGB: those at `paths`, or the two that come with scikit-learn, each whole and in quarters.

    Raises:
        ImageError: one cannot be read.
    """
    if paths:
        whole = [decode(path) for path in paths]
    else:
        whole = []
        for name in BUNDLED:
            with as_file(files("sklearn.datasets.images") / name) as path:
                whole.append(decode(path))
    return [part for image in whole for part in (image, *_quarters(image))]


def _quarters(image: Image.Image) -> list[Image.Image]:
    across, down = image.width // 2, image.height // 2
    corners = [(left, top) for top in (0, down) for left in (0, across)]
    return [image.crop((left, top, left + across, top + down)) for left, top in corners if across and down]


def show(images: Sequence[Image.Image], preprocess: Preprocess) -> Tensor:
    """The images as `data.normalise` takes them, `[images, 3, *size]`."""
    prepared = evaluation(preprocess)
    return torch.stack([prepared(image) for image in images])


@torch.inference_mode()
def run(model: Network, preprocess: Preprocess, pixels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, `[images, classes]`, and of each convolution's unit the largest answer of each channel to any of the images."""
    largest: dict[str, Tensor] = {}

    def watch(name: str) -> torch.utils.hooks.RemovableHandle:
        def keep(_module: torch.nn.Module, _inputs: object, out: Tensor) -> None:
            top = out.amax(dim=(0, 2, 3))
            largest[name] = torch.maximum(largest[name], top) if name in largest else top

        return model.get_submodule(name).register_forward_hook(keep)

    trunk = tuple(f"{tap}." for tap in model.architecture.taps)
    watched = [
        watch(name)
        for name, module in model.named_modules()
        if isinstance(module, ConvUnit | SeparableConvUnit) and module.node.relu and f"{name}.".startswith(trunk)
    ]
    try:
        logits = torch.cat([model(normalise(part, preprocess)) for part in torch.split(pixels, AT_A_TIME)])
    finally:
        for handle in watched:
            handle.remove()
    return logits.float(), largest


def activity(largest: dict[str, Tensor]) -> Finding:
    """Channels that no image moved. A few are usual: they wait for things that these images do not show."""
    silent = {name: int((top <= 0).sum()) for name, top in largest.items()}
    total = sum(top.numel() for top in largest.values())
    count = sum(silent.values())
    wild = [name for name, top in largest.items() if not bool((top.abs() < EXPLODED).all())]
    dumb = [name for name, top in largest.items() if silent[name] == top.numel()]
    details = {"channels": total, "silent": {name: number for name, number in silent.items() if number}}
    if wild:
        says = f"Answers explode: beyond {EXPLODED:g} or not finite from {wild[0]} on."
        return Finding("activity", "fail", says, details)
    if dumb:
        says = f"All channels of {dumb[0]} are silent, whatever is shown."
        return Finding("activity", "fail", says, details)
    share = count / total
    return Finding(
        "activity",
        "warn" if share > 0.25 else "ok",
        f"{count:,} of {total:,} channels ({100 * share:.1f} %) answer to none of the images.",
        details,
    )


def outputs(logits: Tensor) -> Finding:
    """Whether answers are numbers, of a sane size, and depend on the image."""
    if not bool(logits.isfinite().all()):
        return Finding("outputs", "fail", "Answers are not finite.")
    classes = logits.shape[1]
    largest = float(logits.abs().max())
    spread = float(logits.std(dim=0).max()) if len(logits) > 1 else math.inf
    probabilities = logits.softmax(dim=1)
    sure = float(probabilities.max(dim=1).values.mean())
    details = {"largest": largest, "spread": spread if math.isfinite(spread) else None, "mean_top_probability": sure}
    if largest > EXPLODED:
        return Finding("outputs", "fail", f"Answers explode: the largest is {largest:.3g}.", details)
    if spread <= 1e-5 * max(largest, 1e-30):
        return Finding("outputs", "fail", "Every image gets the same answer.", details)
    if classes > 1 and sure < 1.5 / classes:
        says = f"The likeliest class gets {sure:.2g} on average, hardly more than chance ({1 / classes:.2g})."
        return Finding("outputs", "warn", says, details)
    says = f"They differ from image to image; the likeliest class gets {sure:.2g} on average."
    return Finding("outputs", "ok", says, details)
