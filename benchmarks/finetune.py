"""What the values of the recipe `finetune` are worth: `python -m benchmarks.finetune WEIGHTS FOLDER… [--cache DIR]`.

Each row is a classifier on the frozen network's features, judged three times: learnt from the training images and judged on the
validation images, the other way round, and on all images together in five parts, each judged by what was learnt from the other
four. The last says most about photographs that nobody here has. One image decides little: look at the loss before the accuracy.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import gettempdir

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import cross_entropy

from inceptions.data import Images, open_data, prepare
from inceptions.network import Network, from_architecture
from inceptions.network.hardware import keep_memory
from inceptions.recipe import Recipe, override, recipe
from inceptions.train import adapted, open_start
from inceptions.train.machine import choose_precision
from inceptions.train.tuning.classifier import fit_classifier
from inceptions.train.tuning.features import Features, Watch, compute_features
from inceptions.train.tuning.start import Start

VIEWS = {
    "crop 0.935 (recipe)": (),
    "crop 0.935, mirrored too": ("tuning.mirror=true",),
    "crop 0.875": ("view.crop_share=0.875",),
    "crop 1": ("view.crop_share=1",),
    "whole image, squeezed": ("view.resize=exact",),
    "crop 0.935, bicubic": ("view.interpolation=bicubic",),
    "crop 0.935, 267 pixels": ("image_size=267",),
    "crop 0.935, 320 pixels": ("image_size=320",),
}
STRENGTHS = (0.1, 0.02, 0.005, 0.002, 0.0005, 0.0001)
SIZES = (10, 50, 200)
PARTS = 5
# Ends of the trunk before its own, nearest first.
SHORTER = 2


@dataclass(frozen=True, eq=False)
class Sides:
    """Features of training and validation images."""

    train: Features
    validation: Features

    def scores(self, classes: int, l2: float) -> Iterator[str]:
        """Accuracy and loss on the validation images, and the other way round."""
        for learnt, judged in ((self.train, self.validation), (self.validation, self.train)):
            weight, bias = fit_classifier(learnt.values, learnt.labels, classes=classes, l2=l2)
            yield from scored(judged.values[0].double() @ weight.T + bias, judged.labels)
        yield from scored(*self.folded(classes, l2))

    def folded(self, classes: int, l2: float) -> tuple[Tensor, Tensor]:
        """Logits and labels of all images, each asked of a classifier that was made without its part."""
        values = torch.cat([self.train.values, self.validation.values], dim=1)
        labels = torch.cat([self.train.labels, self.validation.labels])
        part = torch.empty_like(labels)
        chance = torch.Generator().manual_seed(0)
        for label in range(classes):
            own = (labels == label).nonzero()[:, 0]
            part[own[torch.randperm(len(own), generator=chance)]] = torch.arange(len(own)) % PARTS
        logits = torch.empty(len(labels), classes, dtype=torch.float64)
        for number in range(PARTS):
            learnt, judged = part != number, part == number
            weight, bias = fit_classifier(values[:, learnt], labels[learnt], classes=classes, l2=l2)
            logits[judged] = values[0, judged].double() @ weight.T + bias
        return logits, labels


def scored(logits: Tensor, labels: Tensor) -> tuple[str, str]:
    """Accuracy and loss, in words."""
    return f"{float((logits.argmax(1) == labels).double().mean()):.4f}", f"{float(cross_entropy(logits, labels)):.4f}"


def look(network: Network, shown: Recipe, images: tuple[Images, Images], cache: Path) -> Sides:
    """The features of both sides, computed or from the cache."""
    assert shown.tuning is not None
    precision = choose_precision("auto", torch.device("cpu"))
    watch = Watch(
        show=lambda done, total, figures: print(f"\r{done}/{total} {figures}   ", end="", flush=True, file=sys.stderr),
        autocast=partial(torch.autocast, "cpu", dtype=torch.bfloat16, enabled=precision == "bf16"),
        precision=precision,
    )
    sides = [
        compute_features(
            network,
            prepare(side, cache_side=None),
            shown.preprocess,
            mirror=shown.tuning.mirror,
            cache=cache,
            workers=1,
            watch=watch,
        )
        for side in images
    ]
    print(file=sys.stderr)
    return Sides(*sides)


def cut(start: Start, until: str) -> Network:
    """The network up to an earlier tap."""
    options = replace(start.network.architecture.options, until=until, num_classes=2, aux=False)
    network = from_architecture(replace(start.card, options=options).declare(), seed=0)
    own, old = network.state_dict(), start.network.state_dict()
    network.load_state_dict({name: tensor if name.startswith("main.") else old[name] for name, tensor in own.items()})
    return network.to(memory_format=torch.channels_last)


def fewer(features: Features, each: int, classes: int) -> Features:
    """The first images of every class."""
    chosen = torch.cat([(features.labels == label).nonzero()[:each, 0] for label in range(classes)])
    return replace(features, values=features.values[:, chosen], labels=features.labels[chosen])


def measure(start: Start, folder: Path, cache: Path) -> Table:
    """One folder's table."""
    splits = open_data(folder)
    images, classes = (splits.train, splits.validation), len(splits.classes)
    plain = adapted(recipe("finetune"), start.card)
    assert plain.tuning is not None
    network = start.network.to(memory_format=torch.channels_last)
    table = Table(title=f"{folder.name}: {len(splits.train):,} training and {len(splits.validation):,} validation images")
    for heading in ("what", "accuracy", "loss", "the other way round", "loss", "in five parts", "loss"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    l2 = plain.tuning.l2
    for name, settings in VIEWS.items():
        table.add_row(name, *look(network, override(plain, settings), images, cache).scores(classes, l2))
    table.add_section()
    base = look(network, plain, images, cache)
    for strength in STRENGTHS:
        table.add_row(f"l2 {strength:g}", *base.scores(classes, strength))
    table.add_section()
    for each in (size for size in SIZES if size * classes < len(splits.train)):
        few = fewer(base.train, each, classes)
        for strength in STRENGTHS[::2]:
            weight, bias = fit_classifier(few.values, few.labels, classes=classes, l2=strength)
            logits = base.validation.values[0].double() @ weight.T + bias
            table.add_row(f"{each} images a class, l2 {strength:g}", *scored(logits, base.validation.labels))
    table.add_section()
    taps = start.network.architecture.taps
    for tap in taps[-2 : -2 - SHORTER : -1]:
        table.add_row(
            f"classifier on {tap} instead of {taps[-1]}", *look(cut(start, tap), plain, images, cache).scores(classes, l2)
        )
    return table


def main() -> None:
    """Print a table for each folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finetune", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, default=Path(gettempdir()) / "inceptions-features")
    given = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    keep_memory()
    start = open_start(given.weights)
    for folder in given.folders:
        Console().print(measure(start, folder, given.cache))


if __name__ == "__main__":
    main()
