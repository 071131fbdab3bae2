"""What each rewrite buys on each engine: the default with one rewrite more, or one less.

In processor time of one thread, so that a machine that is busy with other things tells the same. `python -m benchmarks.rewrites
ENGINE NETWORK BATCH PRECISION [ROUNDS]`, for instance `eager inception_v3 16 bf16`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.interleaved import Measured
from inceptions.deploy.agreement import agreement
from inceptions.deploy.engines import catalogue
from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.engines.module import reference
from inceptions.deploy.lower import lower
from inceptions.deploy.rewrites import ALL, chosen, rewrite
from inceptions.network import create_model
from inceptions.weights.published.cache import home

# Nobody would be without these.
ALWAYS = frozenset({"drop_unread", "fold_norm", "fuse_relu", "fold_scale", "fold_pixels"})


def measure(
    engine: catalogue.EngineName = "eager",
    network: str = "inception_v3",
    batch: int = 16,
    precision: Precision = "bf16",
    rounds: int = 5,
) -> Measured:
    """One engine, one network: images a second of each set of rewrites, and how far its logits are from float32's."""
    torch.set_num_threads(1)
    graph = lower(create_model(network, aux=False, seed=1).eval())
    x = np.random.default_rng(0).normal(0, 1, (batch, *graph.shape)).astype(np.float32)
    exact = {head: logits.numpy() for head, logits in reference(graph, torch.from_numpy(x[:2])).items()}
    usual = chosen(engine, precision, batch)
    sets = {"as usual": usual, "none but fold_norm, fuse_relu": ALWAYS}
    sets |= {f"{'without' if name in usual else 'with'} {name}": usual ^ {name} for name in ALL if name not in ALWAYS}
    systems: dict[str, Callable[[], object]] = {}
    worst = 0.0
    for name, only in sets.items():
        fast, _ = rewrite(graph, engine=engine, precision=precision, batch=batch, only=only)
        made = catalogue.make(engine, fast, precision=precision, batch=batch, threads=1, cache=home() / "engines")
        worst = max(worst, agreement(exact, made.run(x[:2])).difference)
        systems[name] = lambda made=made: made.run(x)
    measured = Measured(
        f"{engine}, {network}, batch {batch}, {precision}, one thread",
        f"largest difference of a logit from float32: {worst:.1e} of the largest",
        {name: [] for name in systems},
    )
    for number in range(rounds + 1):
        for name, call in systems.items():
            start = time.process_time()
            call()
            if number:
                measured.rates[name].append(batch / (time.process_time() - start))
    return measured


def main() -> int:
    """Measure what the arguments name, and print it."""
    engine, network, batch, precision, *rounds = sys.argv[1:]
    measured = measure(engine, network, int(batch), precision, *map(int, rounds))  # type: ignore[arg-type]
    measured.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
