"""What a trial works with: its seed, its size, and the two functions that make and train networks.

The functions are arguments so that a test can put a broken one in their place, and see that no claim holds by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inceptions.architecture import Architecture, Options, declare
from inceptions.claims.claim import Curve, Record, Size
from inceptions.claims.images import DIGITS, Sample, draw_sample
from inceptions.claims.training import Log, Training, fit
from inceptions.network import Network, from_architecture

Factory = Callable[[Architecture, int], Network]
Fit = Callable[[Network, Sample, Training, int], Log]


def build(architecture: Architecture, seed: int) -> Network:
    """A network with fresh weights."""
    return from_architecture(architecture, seed=seed, device="cpu")


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A seed's place of work.

    Attributes:
        seed: of everything random in the trial.
        size: of the experiment.
        data: "digits" or a folder.
        factory: declaration and seed to network.
        fit: trains one.
    """

    seed: int
    size: Size
    data: str = DIGITS
    factory: Factory = build
    fit: Fit = fit

    def sample(self, *, side: int | None = None, train: int | None = None) -> Sample:
        """This seed's images, at the experiment's size unless another is given."""
        return draw_sample(
            self.data,
            side=side or self.size.side,
            train=self.size.train if train is None else train,
            held=self.size.held,
            seed=self.seed,
        )

    def declare(self, name: str, sample: Sample, **options: object) -> Architecture:
        """One of the family at the experiment's width and depth, for these images; without auxiliary heads unless asked."""
        settings: dict[str, object] = {
            "num_classes": sample.classes,
            "in_channels": sample.channels,
            "width": self.size.width,
            "depth": self.size.depth,
            "aux": False,
            **options,
        }
        return declare(name, None, Options(**settings))  # type: ignore[arg-type]  # names and types as in Options

    def training(self, **changes: object) -> Training:
        """The experiment's number of steps and batch, with these changes."""
        settings: dict[str, object] = {"steps": self.size.steps, "batch": self.size.batch, **changes}
        return Training(**settings)  # type: ignore[arg-type]  # names and types as in Training

    def trained(self, architecture: Architecture, sample: Sample, training: Training) -> tuple[Network, Log]:
        """Build a network and train it."""
        model = self.factory(architecture, self.seed)
        return model, self.fit(model, sample, training, self.seed)


def record(log: Log, started: float, *, values: Mapping[str, float] | None = None, **curves: Curve) -> Record:
    """The usual figures of a training, and more if given.

    Args:
        log: of the training.
        started: `time.process_time()` before it.
        values: further figures.
        curves: further curves.
    """
    return Record(
        values={**log.values(), **(values or {})},
        curves={"accuracy": log.accuracies, "loss": log.smooth_losses(), **curves},
        trace=log.trace,
        seconds=time.process_time() - started,
    )
