"""The networks by name: the one list of what can be declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inceptions.architecture import (
    bn_inception,
    googlenet,
    inception_resnet,
    inception_v2,
    inception_v3,
    inception_v4,
    plain_cnn,
)
from inceptions.architecture.declaration import Architecture
from inceptions.architecture.ladder import LADDER
from inceptions.architecture.options import Options
from inceptions.errors import unknown


@dataclass(frozen=True, slots=True)
class Entry:
    """A network: the function that declares it, its variants, the default first, and the one that has steps to leave out."""

    declare: Callable[[Any, Options], Architecture]
    variants: dict[str, str]
    ladder: str = ""


NETWORKS: dict[str, Entry] = {
    "googlenet": Entry(googlenet.googlenet, googlenet.SUMMARIES),
    "bn_inception": Entry(bn_inception.bn_inception, bn_inception.SUMMARIES),
    "inception_v2": Entry(inception_v2.inception_v2, inception_v2.SUMMARIES),
    "inception_v3": Entry(inception_v3.inception_v3, inception_v3.SUMMARIES, ladder="paper"),
    "inception_v4": Entry(inception_v4.inception_v4, inception_v4.SUMMARIES),
    "inception_resnet_v1": Entry(inception_resnet.inception_resnet_v1, inception_resnet.SUMMARIES_V1),
    "inception_resnet_v2": Entry(inception_resnet.inception_resnet_v2, inception_resnet.SUMMARIES_V2),
    "plain_cnn": Entry(plain_cnn.plain_cnn, plain_cnn.SUMMARIES),
}


def names() -> list[str]:
    """Every network that can be declared."""
    return list(NETWORKS)


def variants(name: str) -> dict[str, str]:
    """The variants of a network with a line on each; the first is the default.

    Raises:
        UsageError: no network of that name.
    """
    return _entry(name).variants


def steps(name: str, variant: str) -> dict[str, str]:
    """What can be left out of a variant, by the name to put behind it ("paper-5x5"), with a few words on each.

    Raises:
        UsageError: no network of that name.
    """
    return {step: left_out.words for step, left_out in LADDER.items()} if variant == _entry(name).ladder else {}


def details(name: str) -> dict[str, dict[str, Any]]:
    """What a network's variants take and answer with, as plain values.

    Returns:
        For each variant its `summary`, `input_size` ([height, width], the published one), `minimum_size` (the smallest side it
        works on), `num_classes` (the published number), `heads` (those of the published network, in depth order; the last is
        "main"), `heads_on_request` (with `aux=True`) and `steps` (what can be left out, by the name to put behind it).

    Raises:
        UsageError: no network of that name.
    """
    found = {}
    for variant, summary in variants(name).items():
        network = declare(name, variant)
        found[variant] = {
            "summary": summary,
            "input_size": list(network.input_size),
            "minimum_size": network.minimum_size,
            "num_classes": network.options.num_classes,
            "heads": [head.name for head in network.heads],
            "heads_on_request": [head.name for head in declare(name, variant, Options(aux=True)).heads],
            "steps": list(steps(name, variant)),
        }
    return found


def declare(name: str, variant: str | None = None, options: Options | None = None) -> Architecture:
    """Declare a network by name ("googlenet", or "googlenet/paper" with its variant; "inception_v3/paper-5x5" without a step).

    Raises:
        UsageError: no network, variant, step or tap of that name.
    """
    if variant is None and "/" in name:
        name, variant = name.split("/", 1)
    entry = _entry(name)
    variant = variant or next(iter(entry.variants))
    base, *left_out = variant.split("-")
    if base not in entry.variants or (left_out and base != entry.ladder):
        raise unknown(f"variant of {name}", variant, entry.variants)
    return entry.declare(variant, options or Options())


def _entry(name: str) -> Entry:
    if name not in NETWORKS:
        raise unknown("model", name, NETWORKS)
    return NETWORKS[name]
