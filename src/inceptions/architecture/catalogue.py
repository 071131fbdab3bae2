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
from inceptions.architecture.declaration import Architecture, Options
from inceptions.errors import unknown


@dataclass(frozen=True, slots=True)
class Entry:
    """A network: the function that declares it and its variants, the default first."""

    declare: Callable[[Any, Options], Architecture]
    variants: dict[str, str]


NETWORKS: dict[str, Entry] = {
    "googlenet": Entry(googlenet.googlenet, googlenet.SUMMARIES),
    "bn_inception": Entry(bn_inception.bn_inception, bn_inception.SUMMARIES),
    "inception_v2": Entry(inception_v2.inception_v2, inception_v2.SUMMARIES),
    "inception_v3": Entry(inception_v3.inception_v3, inception_v3.SUMMARIES),
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


def details(name: str) -> dict[str, dict[str, Any]]:
    """What a network's variants take and answer with, as plain values.

    Returns:
        For each variant its `summary`, `input_size` ([height, width], the published one), `minimum_size` (the smallest side it
        works on) and `heads` (in depth order; the last is "main").

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
            "heads": [head.name for head in network.heads],
        }
    return found


def declare(name: str, variant: str | None = None, options: Options | None = None) -> Architecture:
    """Declare a network by name ("googlenet", or "googlenet/paper" with its variant).

    Raises:
        UsageError: no network, variant or tap of that name.
    """
    if variant is None and "/" in name:
        name, variant = name.split("/", 1)
    entry = _entry(name)
    variant = variant or next(iter(entry.variants))
    if variant not in entry.variants:
        raise unknown(f"variant of {name}", variant, entry.variants)
    return entry.declare(variant, options or Options())


def _entry(name: str) -> Entry:
    if name not in NETWORKS:
        raise unknown("model", name, NETWORKS)
    return NETWORKS[name]
