"""A processor in the place of a GPU, to try all of the engine but the GPU itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from inceptions.deploy.engines.cuda import Call, Gpu, Recorded


class Processor(Gpu):
    """A processor in the place of a GPU.

    Attributes:
        replays: how often what was recorded was done again.
        unwaited: how many marks nobody has waited for yet, and at most.
    """

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self.replays = 0
        self.unwaited, self.most = 0, 0

    @contextmanager
    def working(self) -> Iterator[None]:
        with torch.inference_mode(False), torch.no_grad():
            yield

    def host(self, *shape: int, dtype: torch.dtype) -> Tensor:
        return torch.full(shape, 77, dtype=dtype)

    def record(self, call: Call, images: Tensor) -> Recorded:
        logits = tuple(one.clone() for one in call(images))

        def replay() -> None:
            self.replays += 1
            for kept, new in zip(logits, call(images), strict=True):
                kept.copy_(new)

        return Recorded(images, logits, replay)

    def mark(self) -> Callable[[], None]:
        self.unwaited += 1
        self.most = max(self.most, self.unwaited)

        def wait() -> None:
            self.unwaited -= 1

        return wait
