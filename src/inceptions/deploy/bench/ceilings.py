"""What this machine can do at best, measured: multiplications by precision, and copying."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from inceptions.deploy.engines import catalogue
from inceptions.deploy.engines.catalogue import EngineName
from inceptions.deploy.engines.eager import TYPES
from inceptions.deploy.engines.engine import Engine, Precision
from inceptions.deploy.engines.threads import limited
from inceptions.deploy.graph import Conv, GlobalPool, Graph, Op

CHANNELS, SIDE, IMAGES, CONVOLUTIONS = 256, 32, 16, 8
"""A chain of the convolutions that run best: 3×3, 256 to 256 channels, on 32×32. A chain, so that what enters and leaves costs
little beside them."""

MATRIX = 2048
COPIED = 2**26
REPEATS = 3


@dataclass
class Ceilings:
    """Best of all that was measured so far.

    Attributes:
        threads: how many to use; the engines' own number if None.
        flops: floating-point operations a second, two to a multiply-add, by precision.
        found: what reached that, by precision.
        bandwidth: bytes a second that a large copy reads and writes together.
    """

    threads: int | None
    flops: dict[Precision, float] = field(default_factory=dict)
    found: dict[Precision, str] = field(default_factory=dict)
    bandwidth: float = 0.0
    _engines: dict[tuple[EngineName, Precision], Engine] = field(default_factory=dict)

    def measure(self, precisions: Sequence[Precision]) -> None:
        """Measure again, and keep what is better than before: a busy machine never shows its ceiling too high."""
        images = np.ones((IMAGES, CHANNELS, SIDE, SIDE), np.float32)
        convolved = 2 * IMAGES * CONVOLUTIONS * CHANNELS**2 * 9 * SIDE**2
        for precision in precisions:
            for name in catalogue.installed():
                if name in ("openvino", "eager") and precision in catalogue.precisions(name):
                    engine = self._convolutions(name, precision)
                    self._keep(precision, f"3×3 convolution, {name}", convolved / _best(lambda e=engine: e.run(images)))  # type: ignore[misc]
            with torch.inference_mode(), limited(self.threads):
                matrix = torch.ones(MATRIX, MATRIX, dtype=TYPES[precision])
                rate = 2 * MATRIX**3 / _best(lambda m=matrix: m @ m)  # type: ignore[misc]
            self._keep(precision, "matrix multiplication, torch", rate)
        with limited(self.threads):
            source = torch.ones(COPIED)
            target = torch.empty_like(source)
            self.bandwidth = max(self.bandwidth, 2 * source.nbytes / _best(lambda: target.copy_(source)))

    def text(self) -> str:
        """One sentence for people."""
        told = [f"{self.flops[one] / 1e9:,.0f} GFLOP/s in {one} ({self.found[one]})" for one in self.flops]
        return f"This machine's ceilings: {', '.join(told)}; copying {self.bandwidth / 1e9:.1f} GB/s, read and written."

    def _keep(self, precision: Precision, what: str, rate: float) -> None:
        if rate > self.flops.get(precision, 0.0):
            self.flops[precision], self.found[precision] = rate, what

    def _convolutions(self, name: EngineName, precision: Precision) -> Engine:
        """The chain on an engine, made once."""
        if (name, precision) not in self._engines:
            random = np.random.default_rng(0)
            ops: list[Op] = []
            value = "images"
            for number in range(CONVOLUTIONS):
                weight = random.normal(0, 1 / (3 * CHANNELS**0.5), (CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
                ops.append(Conv(name=f"conv_{number}", input=value, weight=weight, pads=(1, 1, 1, 1)))
                value = ops[-1].name
            ops.append(GlobalPool(name="mean", input=value))
            graph = Graph(input="images", shape=(CHANNELS, SIDE, SIDE), ops=tuple(ops), outputs={"main": "mean"})
            made = catalogue.make(name, graph, precision=precision, batch=IMAGES, threads=self.threads, cache=None)
            self._engines[name, precision] = made
        return self._engines[name, precision]


def _best(call: Callable[[], object]) -> float:
    """Seconds of the fastest of some calls."""
    call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
