"""What a frozen network makes of each image, computed once: the input of its classifier, kept in the run's folder.

A chunk of images is a file, named by a hash of everything its numbers depend on: the trunk's weights, the pixels, and how they
are computed. So a file that is there can be used, and a run that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from inceptions.data import Batch, Readable, evaluation_batches, normalise
from inceptions.data.scan import EvaluationView
from inceptions.errors import WeightsError
from inceptions.files import remove_leftovers, replacing
from inceptions.network import Network
from inceptions.train.progress import clock
from inceptions.train.run.checkpoint import checksum
from inceptions.weights import Preprocess
from inceptions.weights.store import save_tensors

CLASSIFIER = "main.logits"
CHUNK = 64
"""Images in a forward pass, and in a file: what a kill costs at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What reaches the classifier for each image.

    Attributes:
        values: float32, `[views, n, features]`, on the CPU; the second view, if any, is the mirrored image.
        labels: int64, `[n]`.
        computed: images that were not in the cache.
    """

    values: Tensor
    labels: Tensor
    computed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who looks on while features are computed.

    Attributes:
        show: told (images done, images in all, figures in words) before each chunk and at the end; may raise to stop.
        autocast: the precision's context.
        precision: its name, a part of the cache's key.
    """

    show: Callable[[int, int, str], None]
    autocast: Callable[[], AbstractContextManager[object]]
    precision: str


def compute_features(
    network: Network,
    images: Readable,
    preprocess: Preprocess,
    *,
    mirror: bool,
    cache: Path,
    workers: int,
    watch: Watch,
) -> Features:
    """Show every image to the network once, as it will be shown ever after, and keep what reaches the main classifier.

    Args:
        network: is put into evaluation mode.
        images: those that can be read; how they were looked at does not matter.
        preprocess: how the network is to see them.
        mirror: show each image mirrored as well.
        cache: folder for the chunks.
        workers: processes that decode.
        watch: who looks on.

    Raises:
        WeightsError: features that are not finite; names the image.
        MachineError: the cache cannot be written.
    """
    network.eval()
    remove_leftovers(cache)
    shown = Readable(
        view=EvaluationView(images.view.images, preprocess),
        kept=images.kept,
        places=[None] * len(images),
        storage=torch.empty(0, dtype=torch.uint8),
        skipped=images.skipped,
    )
    device = next(network.parameters()).device
    about = {"preprocess": preprocess.to_dict(), "precision": watch.precision, "device": device.type, "mirror": mirror}
    trunk = hashlib.blake2b((fingerprint(network) + json.dumps(about, sort_keys=True)).encode())
    values: list[Tensor] = []
    labels: list[Tensor] = []
    done = computed = 0
    began = time.monotonic()
    for batch in evaluation_batches(shown, preprocess, batch_size=CHUNK, workers=workers):
        watch.show(done, len(shown), pace(done, len(shown), time.monotonic() - began))
        key = trunk.copy()
        key.update(batch.images.permute(0, 2, 3, 1).contiguous().numpy().data)
        file = cache / f"{key.hexdigest()[:32]}.safetensors"
        chunk = cached(file)
        if chunk is None:
            chunk = forward(network, batch, preprocess, mirror=mirror, autocast=watch.autocast)
            refuse_not_finite(chunk, [shown.names[i] for i in batch.indices])
            tensors = {"features": chunk}
            with replacing(file) as temporary:
                save_tensors(temporary, tensors, {"checksum": str(checksum(tensors))})
            computed += len(batch.labels)
        values.append(chunk)
        labels.append(batch.labels)
        done += len(batch.labels)
    watch.show(done, len(shown), pace(done, len(shown), time.monotonic() - began))
    return Features(torch.cat(values, dim=1), torch.cat(labels), computed)


@torch.inference_mode()
def forward(
    network: Network,
    batch: Batch,
    preprocess: Preprocess,
    *,
    mirror: bool,
    autocast: Callable[[], AbstractContextManager[object]],
) -> Tensor:
    """The features of a batch: float32, `[views, batch, features]`, on the CPU."""
    device = next(network.parameters()).device
    images = normalise(batch.images.to(device, non_blocking=True), preprocess)
    found: list[Tensor] = []
    # Whatever a head does before its classifier (pooling, a bottleneck, nothing at all), this is what the classifier gets.
    classifier = network.get_submodule(CLASSIFIER)
    handle = classifier.register_forward_pre_hook(lambda _module, given: found.append(given[0].float()))
    try:
        with autocast():
            network(images)
            if mirror:
                network(images.flip(3))
    finally:
        handle.remove()
    return torch.stack(found).cpu()


def cached(file: Path) -> Tensor | None:
    """The features in a file; None if there is none, or a damaged one."""
    try:
        with safe_open(file, framework="pt") as opened:
            features: Tensor = opened.get_tensor("features")
            written = (opened.metadata() or {}).get("checksum")
    except (OSError, SafetensorError):
        return None
    return features if written == str(checksum({"features": features})) else None


def refuse_not_finite(features: Tensor, names: list[str]) -> None:
    """Stop before a classifier is made of what is no number.

    Raises:
        WeightsError: names the first image.
    """
    good = torch.isfinite(features).all(dim=2).all(dim=0)
    if not bool(good.all()):
        first = names[int((~good).nonzero()[0])]
        raise WeightsError(
            f"What the pretrained network makes of {first} is not finite: its weights are damaged, or this precision cannot "
            "hold them. Try --precision fp32, or other weights."
        )


def fingerprint(network: Network) -> str:
    """A hash of everything before the main classifier: the declaration and the weights."""
    architecture = network.architecture
    options: Mapping[str, object] = {key: value for key, value in asdict(architecture.options).items() if key != "num_classes"}
    digest = hashlib.sha256(f"{architecture.full_name} {json.dumps(options, sort_keys=True)}".encode())
    heads = tuple(f"{head.name}." for head in architecture.heads[:-1])
    for name, tensor in sorted(network.state_dict().items()):
        if not name.startswith((f"{CLASSIFIER}.", *heads)):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def pace(done: int, total: int, seconds: float) -> str:
    """Images a second and the time left, in words; nothing before the first chunk is done."""
    if not done or not seconds:
        return ""
    return f"{done / seconds:.0f} images/s  {clock(seconds * (total - done) / done)} left"
