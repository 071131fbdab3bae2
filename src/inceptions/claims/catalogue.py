"""The eighteen claims: the one list of what can be run."""

from __future__ import annotations

from collections.abc import Sequence

from inceptions.claims.claim import Claim
from inceptions.claims.experiments import (
    augmentation,
    auxiliary,
    batch_norm,
    cost_of_googlenet,
    crops_and_ensembles,
    factorisation,
    grid_reduction,
    ladder,
    modules,
    one_by_one,
    parallel_filters,
    pooling,
    principles,
    residual_connections,
    residual_scaling,
    resolution,
    smoothing,
    sparsity,
)
from inceptions.errors import unknown

CLAIMS: tuple[Claim, ...] = (
    one_by_one.CLAIM,
    modules.CLAIM,
    parallel_filters.CLAIM,
    cost_of_googlenet.CLAIM,
    pooling.CLAIM,
    auxiliary.CLAIM,
    sparsity.CLAIM,
    batch_norm.CLAIM,
    factorisation.CLAIM,
    grid_reduction.CLAIM,
    ladder.CLAIM,
    smoothing.CLAIM,
    resolution.CLAIM,
    residual_connections.CLAIM,
    residual_scaling.CLAIM,
    crops_and_ensembles.CLAIM,
    augmentation.CLAIM,
    principles.CLAIM,
)


def find(name: str) -> Claim:
    """A claim by its number or its id.

    Raises:
        UsageError: there is none.
    """
    for claim in CLAIMS:
        if name in (claim.id, str(claim.number)):
            return claim
    raise unknown("claim", name, [claim.id for claim in CLAIMS])


def chosen(names: Sequence[str]) -> list[Claim]:
    """Claims by number or id, each once, in order of their numbers."""
    found = {claim.number: claim for claim in map(find, names)}
    return [found[number] for number in sorted(found)]
