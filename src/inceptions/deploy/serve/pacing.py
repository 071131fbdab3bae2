"""How many images at a time, and how long to wait for them: measured on this machine, with this network."""

from __future__ import annotations

import time
from dataclasses import dataclass

import PIL.Image

from inceptions.deploy.serve.limits import Limits
from inceptions.predict import Predictor

SIZES = (1, 2, 4, 8, 16, 32)
# The smallest batch that comes this near to the best throughput: beyond it, more only means later.
ENOUGH = 0.95
# No pass may hold up the next request for longer, and no measurement the start.
LONGEST_PASS, LONGEST_MEASUREMENT = 1.0, 8.0
LONGEST_WAIT = 0.02
QUEUE_SECONDS = 4.0
# However fast the network: prepared images lie in memory.
LONGEST_QUEUE = 512
REPEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a worker goes about its queue.

    Attributes:
        batch: most images in one pass.
        wait: seconds that the first of them waits for others that are on their way.
        queue: most images that wait.
        rate: images a second at this batch.
        least: to how many of `queue` that may sink while the network is slower than measured; None: it does not sink.
    """

    batch: int
    wait: float
    queue: int
    rate: float
    least: int | None = None


def measure(predictor: Predictor, limits: Limits) -> Pace:
    """Warm a network up, and find its pace.

    Args:
        predictor: the network; nobody else may be using it.
        limits: whose `batch`, `wait` and `queue` are taken where they are given.
    """
    height, width = predictor.preprocess.size
    image = predictor.prepare(PIL.Image.new("RGB", (width, height), "grey"))
    seconds: dict[int, float] = {}
    began = time.monotonic()
    for size in SIZES if limits.batch is None else sorted({1, limits.batch}):
        best = float("inf")
        for _ in range(REPEATS):
            before = time.perf_counter()
            predictor.answer([image] * size, top=1)
            best = min(best, time.perf_counter() - before)
        seconds[size] = best
        if limits.batch is None and (best > LONGEST_PASS / 2 or time.monotonic() - began > LONGEST_MEASUREMENT / 2):
            break
    rates = {size: size / took for size, took in seconds.items()}
    enough = ENOUGH * max(rates.values())
    batch = limits.batch or min(size for size, rate in rates.items() if rate >= enough)
    # A wait that is longer than what company saves is lost.
    wait = min(LONGEST_WAIT, max(0.0, seconds[1] - 1 / rates[batch])) if limits.wait is None else limits.wait
    least = max(limits.images, 2 * batch)
    if limits.queue is not None:
        return Pace(batch=batch, wait=wait, queue=limits.queue, rate=rates[batch])
    queue = max(least, min(LONGEST_QUEUE, round(rates[batch] * QUEUE_SECONDS)))
    return Pace(batch=batch, wait=wait, queue=queue, rate=rates[batch], least=least)
