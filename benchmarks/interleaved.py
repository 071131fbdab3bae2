"""A against B in turn, so that a machine whose speed drifts drifts for both; who is first changes from round to round."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass
class Measured:
    """Images per second of several systems, round by round; the first is the one the others are compared with."""

    title: str
    note: str = ""
    rates: dict[str, list[float]] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Name, median rate, and the median, smallest and largest ratio to the first system within a round."""
        first = next(iter(self.rates.values()))
        for name, rates in self.rates.items():
            ratios = [mine / base for mine, base in zip(rates, first, strict=True)]
            yield name, f"{median(rates):.1f}", f"{median(ratios):.2f}", f"{min(ratios):.2f}", f"{max(ratios):.2f}"

    def show(self) -> None:
        """Print it as a table."""
        table = Table(title=self.title, caption=self.note)
        for heading in ("what", "images/s", "ratio", "least", "most"):
            table.add_column(heading, justify="left" if heading == "what" else "right")
        for row in self.rows():
            table.add_row(*row)
        Console().print(table)


def in_turn(
    title: str, systems: dict[str, Callable[[], object]], images: int, *, rounds: int = 7, warmup: int = 2, note: str = ""
) -> Measured:
    """Call each system once a round; `images` is how many one call handles."""
    measured = Measured(title, note, {name: [] for name in systems})
    order, chance = list(systems), random.Random(0)
    for i in range(rounds + warmup):
        chance.shuffle(order)
        for name in order:
            start = time.perf_counter()
            systems[name]()
            seconds = time.perf_counter() - start
            if i >= warmup:
                measured.rates[name].append(images / seconds)
    return measured
