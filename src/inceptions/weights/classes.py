"""What the outputs of published networks stand for, and how to leave out, reorder and name them.

1000 outputs are ImageNet's synsets in alphabetical order. Google's networks of 2016 have 1001: a background that nothing was
trained to be comes first. The graph of 2015 has 1008 in an order of its own; which is which says a file in the same archive
(imagenet_2012_challenge_label_map_proto.pbtxt), and eight of them stand for nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from torch import Tensor

from inceptions.architecture import Architecture
from inceptions.errors import UsageError, WeightsError

BACKGROUND = "background"
LABEL_MAP = "imagenet_2012_challenge_label_map_proto.pbtxt"
LONGEST_FILE = 16 * 2**20
ENTRY = re.compile(r"target_class:\s*(\d+)\s*target_class_string:\s*\"([^\"]+)\"")


@cache
def imagenet() -> dict[str, str]:
    """ImageNet's 1000 synsets in the order of the outputs ("n01440764"), each with a short name ("tench"), all different."""
    text = (files("inceptions.weights") / "imagenet.tsv").read_text(encoding="utf-8")
    return dict(line.split("\t") for line in text.splitlines())


def numbered(count: int, word: str = "") -> tuple[str, ...]:
    """Names for classes that nobody has named: "0", "1", ... or "word 0", ..."""
    return tuple(f"{word} {i}".strip() for i in range(count))


def published_classes(count: int, kind: str) -> tuple[str, ...]:
    """The names of a published network's outputs.

    Args:
        count: how many there are.
        kind: what the catalogue of published weights calls them.
    """
    names = tuple(imagenet().values())
    match kind, count:
        case "ImageNet", 1000:
            return names
        case "ImageNet, background first", 1001:
            return (BACKGROUND, *names)
        case "the 2015 graph's own", _:
            return numbered(count, "2015 class")
        case (("VGGFace2" | "CASIA-WebFace"), _):
            return numbered(count, "identity")
    return numbered(count)


def read_classes(asked: str, count: int) -> tuple[str, ...]:
    """The names of classes that somebody gives.

    Args:
        asked: "imagenet" or "synsets" for ImageNet's (1000 outputs, or 1001 with a background first), "numbered", or a file: a
            name a line, a JSON list, a JSON object by number (Keras's class index too), or the 2015 graph's label map.
        count: outputs of the network.

    Raises:
        UsageError: it is none of these, or there are more or fewer names than outputs.
        WeightsError: the file cannot be read.
    """
    if asked == "numbered":
        return numbered(count)
    if asked in ("imagenet", "synsets"):
        names = list(imagenet().values() if asked == "imagenet" else imagenet())
        found = [BACKGROUND, *names] if count == len(names) + 1 else names
    elif Path(asked).is_file():
        found = _listed(Path(asked), count)
    else:
        raise UsageError(f"{asked!r} is no list of classes and no file: write imagenet, synsets, numbered, or name a file.")
    if len(found) != count:
        raise UsageError(f"{asked} names {len(found)} classes, but the network has {count} outputs.")
    if len(set(found)) != count:
        twice = next(name for i, name in enumerate(found) if name in found[:i])
        raise UsageError(f"{asked} names the class {twice!r} twice: names must be different.")
    return tuple(found)


def outputs(tensors: Mapping[str, Tensor], architecture: Architecture, kept: Sequence[int]) -> dict[str, Tensor]:
    """A state dict whose heads have only some outputs, or have them in another order.

    Args:
        tensors: of a network built from `architecture`.
        architecture: with the old number of classes.
        kept: indices of the outputs to keep, in the order in which they are to stand.
    """
    found = dict(tensors)
    for head in architecture.heads:
        for kind in ("weight", "bias"):
            name = f"{head.name}.logits.linear.{kind}"
            if name in found:
                found[name] = found[name][list(kept)].contiguous()
    return found


def _listed(path: Path, count: int) -> list[str]:
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise WeightsError(f"{path} is too long to be a list of classes.")
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            return _from_json(json.loads(text), path)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path} cannot be read as a list of classes: {error}.") from error
    if entries := {int(number): synset for number, synset in ENTRY.findall(text)}:
        names = imagenet()
        return [
            names.get(entries[i], entries[i]) if i in entries else f"nothing {i}" for i in range(max(count, max(entries) + 1))
        ]
    return [line.strip() for line in text.splitlines() if line.strip()]


def _from_json(values: object, path: Path) -> list[str]:
    if isinstance(values, dict):
        numbers = {str(i) for i in range(len(values))}
        if set(values) != numbers:
            raise WeightsError(f"{path} must name its classes by number, from 0 on without a gap.")
        values = [values[str(i)] for i in range(len(values))]
    if not isinstance(values, list):
        raise WeightsError(f"{path} holds no list of classes.")
    # Keras's index has ["n01440764", "tench"] for each.
    names = [value[-1] if isinstance(value, list) and value else value for value in values]
    if not all(isinstance(name, str) for name in names):
        raise WeightsError(f"{path} holds something else than names.")
    return names
