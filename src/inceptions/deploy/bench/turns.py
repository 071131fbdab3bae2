"""One system after the other, round by round, so that a machine whose speed drifts drifts for all of them.

Each round has an order of its own: whom a system comes behind changes its speed by a hundredth or two.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

TURN = 0.15
"""Seconds that a turn of short calls takes."""

LEAST_ROUNDS = 3
RESAMPLES = 2000
SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median over the rounds of a ratio within each, and the interval that holds 95 % of the bootstrap's medians."""

    median: float
    low: float
    high: float


def in_turn(
    calls: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    seconds: float | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> dict[str, list[float]]:
    """Seconds a call of each system takes, one number a round.

    A turn of short calls repeats them for `TURN` seconds, behind one that is not counted: the first finds the caches, and the
    threads, as the system before it left them.

    Args:
        calls: what is measured, by name. Each is called once beforehand.
        rounds: how many.
        seconds: no round begins later than this, behind the third.
        tell: told how many rounds are done.
    """
    repeats = {}
    for name, call in calls.items():
        call()
        repeats[name] = max(1, round(TURN / max(1e-6, _once(call, 1))))
    found: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    order, chance = list(calls), random.Random(0)
    for number in range(rounds):
        if seconds is not None and number >= LEAST_ROUNDS and time.perf_counter() - start > seconds:
            break
        chance.shuffle(order)
        for name in order:
            if repeats[name] > 1:
                calls[name]()
            found[name].append(_once(calls[name], repeats[name]))
        tell(number + 1)
    return found


def ratio(seconds: list[float], base: list[float]) -> Ratio:
    """How many times as fast as the base, in the same rounds."""
    ratios = np.array(base) / np.array(seconds)
    drawn = np.random.default_rng(0).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(ratios[drawn], axis=1), [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return Ratio(float(np.median(ratios)), float(low), float(high))


def _once(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats
