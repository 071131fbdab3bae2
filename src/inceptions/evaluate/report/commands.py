"""The exact commands that do the same again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inceptions.data.decode import printable
from inceptions.evaluate.protocol import Protocol
from inceptions.recipe import Recipe, names, to_table
from inceptions.recipe import recipe as published
from inceptions.train.run.folder import Manifest
from inceptions.train.run.job import BUILTIN

KNOWN_TO_WEIGHTS = frozenset({"view.interpolation", "view.channels", "view.mean", "view.std"})
"""What weights decide of how images are shown, without being asked."""

WORDS = frozenset({"name", "summary", "source", "command", "result", "unknown", "cost"})
"""What a recipe says about itself; other versions may say it otherwise."""


def train_command(manifest: Manifest) -> str:
    """The command that runs a run again: what differs from the published recipe is set field by field."""
    recipe = manifest.recipe
    # The built-in digits are trained on when nothing is named.
    words = ["inceptions", "train", *([] if manifest.data == BUILTIN else [manifest.data])]
    if manifest.weights:
        words += ["--weights", manifest.weights]
        words += ["--preprocess", manifest.preprocess] if manifest.preprocess else []
    else:
        words += ["--model", manifest.model, "--variant", manifest.variant]
        for name in ("width", "depth"):
            if manifest.options[name] != 1:
                words += [f"--{name}", f"{manifest.options[name]:g}"]
    words += ["--recipe", recipe.name, "--precision", manifest.precision]
    if manifest.ignore:
        words += ["--ignore", manifest.ignore]
    return joined([*words, *settings(recipe, adapted=bool(manifest.weights))])


def settings(recipe: Recipe, *, adapted: bool = False) -> Iterator[str]:
    """`--set` and its value for each field in which a recipe differs from the published one of its name.

    Args:
        recipe: with its changes.
        adapted: whether it starts from weights, and so shows images as they know them.
    """
    if recipe.name not in names():
        return
    before, now = (dict(flat(to_table(one))) for one in (published(recipe.name), recipe))
    for name in dict.fromkeys((*before, *now)):
        if before.get(name) != now.get(name) and name not in WORDS and not (adapted and name in KNOWN_TO_WEIGHTS):
            yield "--set"
            yield f"{name}={plain(now.get(name))}"


def evaluate_command(
    weights: Sequence[str], data: str | None, protocol: Protocol, *, votes: Sequence[float], heads: bool, precision: str
) -> str:
    """The command that measures the same again.

    Args:
        weights: as they were named.
        data: as they were named; None for a run's own.
        protocol: how images are shown.
        votes: the weight of each model; () if all are equal.
        heads: whether the auxiliary heads were asked too.
        precision: what was computed in.
    """
    words = ["inceptions", "evaluate", *weights, *([data] if data is not None else [])]
    if protocol.crops != "1":
        words += ["--crops", protocol.crops]
    if protocol.scales:
        words += ["--scales", ",".join(map(str, protocol.scales))]
    if protocol.size is not None:
        words += ["--size", str(protocol.size)]
    if protocol.average != "probabilities":
        words += ["--average", protocol.average]
    if votes:
        words += ["--votes", ",".join(f"{vote:g}" for vote in votes)]
    if heads:
        words.append("--heads")
    return joined([*words, "--precision", precision])


def after_training(run: Path) -> list[str]:
    """What to call next with a run's weights."""
    return [joined(["inceptions", "evaluate", str(run)]), joined(["inceptions", "predict", str(run), "PHOTOGRAPH"])]


def joined(words: Sequence[str]) -> str:
    """Words as a shell takes them; bytes of a name that are no text are question marks."""
    return shlex.join(map(printable, words))


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested tables as dotted names."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def plain(value: Any) -> str:
    """A value as `--set` reads it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case list():
            return ",".join(plain(item) for item in value)
        case _:
            return str(value)
