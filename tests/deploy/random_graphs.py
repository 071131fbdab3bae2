"""Small graphs at random, with what the rewrites look for in them and what they have to leave alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from inceptions.deploy.graph import (
    NO_PADS,
    Add,
    Affine,
    Channels,
    Concat,
    Conv,
    Dense,
    GlobalPool,
    Graph,
    Op,
    Pads,
    Pixels,
    Pool,
    Relu,
)
from inceptions.deploy.shapes import shapes


class Grower:
    """A graph that grows by one random op at a time."""

    def __init__(self, seed: int, *, pixels: bool = False) -> None:
        self.random = np.random.default_rng(seed)
        channels, height, width = (self.pick(1, 4), self.pick(9, 14), self.pick(9, 14))
        self.graph = Graph(input="images", shape=(channels, height, width), ops=(), outputs={})
        if pixels:
            order = tuple(int(i) for i in self.random.permutation(channels))
            self.add(
                Pixels(name="pixels", input="images", scale=self.numbers(channels), shift=self.numbers(channels), order=order)
            )

    def pick(self, least: int, most: int) -> int:
        return int(self.random.integers(least, most + 1))

    def numbers(self, *shape: int) -> Any:
        return self.random.normal(0, 1, shape).astype(np.float32)

    def add(self, op: Op) -> str:
        self.graph = self.graph.with_ops((*self.graph.ops, op))
        return op.name

    def maps(self) -> list[str]:
        """What can be read: the newest more often."""
        names = [name for name, shape in shapes(self.graph).items() if len(shape) == 3]
        return (names if not self.graph.pixels else names[1:])[-5:]

    def grow(self) -> None:
        sizes = shapes(self.graph)
        names = self.maps()
        x = names[self.pick(0, len(names) - 1)]
        channels, height, width = sizes[x]
        name = f"op{len(self.graph.ops)}"
        match self.pick(0, 9):
            case 0 | 1 | 2 | 3:
                window = [(1, 1), (1, 1), (3, 3), (1, 3), (3, 1), (2, 2)][self.pick(0, 5)]
                if height < 3 or width < 3:
                    window = (1, 1)
                strided = window != (1, 1) and self.random.random() < 0.4
                filters = self.pick(1, 4)
                self.add(
                    Conv(
                        name=name,
                        input=x,
                        weight=self.numbers(filters, channels, *window) / np.float32((channels * window[0] * window[1]) ** 0.5),
                        bias=self.numbers(filters) if self.random.random() < 0.5 else None,
                        stride=(2, 2) if strided else (1, 1),
                        pads=NO_PADS if window == (1, 1) or self.random.random() < 0.3 else self.pads(1, window),
                        relu=self.random.random() < 0.2,
                    )
                )
            case 4:
                self.add(Affine(name=name, input=x, scale=self.numbers(channels), shift=self.numbers(channels)))
            case 5:
                self.add(Relu(name=name, input=x))
            case 6 | 7:
                if min(height, width) >= 3:
                    kind = "average" if self.random.random() < 0.7 else "max"
                    pads = self.pads(1, (3, 3))
                    counted = ([NO_PADS, pads][self.pick(0, 1)]) if kind == "average" else NO_PADS
                    stride = 1 if self.random.random() < 0.8 else 2
                    self.add(Pool(name=name, input=x, kind=kind, kernel=3, stride=stride, pads=pads, counted=counted))
            case 8:
                alike = [one for one in names if sizes[one][1:] == sizes[x][1:]]
                parts = tuple(alike[self.pick(0, len(alike) - 1)] for _ in range(self.pick(1, 3)))
                self.add(Concat(name=name, inputs=parts))
                if self.random.random() < 0.3:
                    self.add(Channels(name=f"{name}.part", input=name, start=0, stop=1))
            case _:
                alike = [one for one in names if sizes[one] == sizes[x]]
                scale = [1.0, 0.2, -0.5][self.pick(0, 2)]
                self.add(Add(name=name, input=x, residual=alike[self.pick(0, len(alike) - 1)], scale=scale))

    def pads(self, most: int, window: tuple[int, int]) -> Pads:
        """Uneven now and then, as TensorFlow's are."""
        top, bottom = (self.pick(0, most), self.pick(0, most)) if window[0] > 1 else (0, 0)
        left, right = (self.pick(0, most), self.pick(0, most)) if window[1] > 1 else (0, 0)
        return top, left, bottom, right

    def head(self, name: str) -> None:
        x = self.maps()[-1]
        channels = shapes(self.graph)[x][0]
        vector = self.add(GlobalPool(name=f"{name}.pool", input=x))
        dense = self.add(Dense(name=f"{name}.linear", input=vector, weight=self.numbers(6, channels), bias=self.numbers(6)))
        if self.random.random() < 0.5:
            dense = self.add(Affine(name=f"{name}.bn", input=dense, scale=self.numbers(6), shift=self.numbers(6)))
        if self.random.random() < 0.3:
            dense = self.add(Relu(name=f"{name}.relu", input=dense))
        self.graph = replace(self.graph, outputs={**self.graph.outputs, name: dense})


def random_graph(seed: int, *, ops: int = 14, pixels: bool = False) -> Graph:
    """A graph of two heads."""
    grower = Grower(seed, pixels=pixels)
    for _ in range(ops // 2):
        grower.grow()
    grower.head("aux")
    for _ in range(ops // 2):
        grower.grow()
    grower.head("main")
    return grower.graph


def images_for(graph: Graph, batch: int = 2) -> Any:
    channels, height, width = graph.shape
    random = np.random.default_rng(5)
    if graph.pixels:
        return random.integers(0, 256, (batch, height, width, channels), np.uint8)
    return random.normal(0, 1, (batch, channels, height, width)).astype(np.float32)
