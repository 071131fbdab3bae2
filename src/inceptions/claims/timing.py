"""Times of small works, turn by turn, in processor seconds: what another process does meanwhile counts little."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch


def processor_times(works: Mapping[str, Callable[[], object]], *, rounds: int, least: float = 0.004) -> dict[str, float]:
    """The median processor time of each work, in seconds.

    Args:
        works: what is measured. In every round each has its turn, so that a machine that slows down slows all of them.
        rounds: how many.
        least: a turn repeats its work until about so many seconds are over.
    """
    with torch.inference_mode():
        repeats = {}
        for name, work in works.items():
            work()
            repeats[name] = max(1, min(200, round(least / max(1e-6, _once(work, 1)))))
        found: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                found[name].append(_once(work, repeats[name]))
    return {name: statistics.median(times) for name, times in found.items()}


def _once(work: Callable[[], object], repeats: int) -> float:
    started = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - started) / repeats
