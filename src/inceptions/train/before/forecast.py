"""`--dry-run`: what a run will be, and how long it will take, from a few of its own steps. Nothing is written."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from inceptions.files import write_bytes
from inceptions.train.before.fitting import available, fit_batch, needed
from inceptions.train.feed import Feed
from inceptions.train.optim.balance import effect
from inceptions.train.progress import Reporter, Silent, clock
from inceptions.train.run.folder import RunFolder
from inceptions.train.session import Session, Setup, opened
from inceptions.train.step import Step
from inceptions.train.validation import validate

WARM, MEASURED = 2, 5
"""Steps that are made before the clock runs, and on it."""
BARS = "▁▂▃▄▅▆▇█"
CURVE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run will be.

    Attributes:
        lines: what `train` says before it begins.
        notes: on the data.
        run: the folder it will have.
        classes: images to train with, by class.
        validation: images to validate with.
        network: its full name.
        parameters: its trainable numbers, auxiliary heads included.
        epochs: of the recipe.
        steps: updates in all.
        rates: learning rate of every update, thinned to 60 values at most.
        memory: bytes that a step takes, by arithmetic.
        free: bytes that are free.
        step_seconds: of an update, by side of the images.
        seconds: of the whole run, validation included; reading the images is over by then.
    """

    lines: tuple[str, ...]
    notes: tuple[str, ...]
    run: str
    classes: dict[str, int]
    validation: int
    network: str
    parameters: int
    epochs: int
    steps: int
    rates: tuple[float, ...]
    memory: int
    free: int
    step_seconds: dict[int, float]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "lines"}

    def text(self) -> str:
        """For people."""
        sizes = sorted(self.classes.items(), key=lambda item: (-item[1], item[0]))
        shown = ", ".join(f"{name}: {count:,}" for name, count in sizes[:6])
        more = f" and {len(sizes) - 6} more, the smallest {sizes[-1][0]}: {sizes[-1][1]:,}" if len(sizes) > 6 else ""
        measured = ", ".join(f"{1000 * seconds:.0f} ms at {side} pixels" for side, seconds in self.step_seconds.items())
        rows = (
            ("would run", self.lines[1]),
            ("images", self.lines[0]),
            ("classes", shown + more),
            *(("note", note) for note in self.notes),
            ("network", f"{self.network}, {self.parameters:,} parameters"),
            ("updates", f"{self.steps:,} in {self.epochs} epochs"),
            ("rate", f"{curve(self.rates)}  from {self.rates[0]:.2g} over {max(self.rates):.2g} to {self.rates[-1]:.2g}"),
            ("memory", f"about {self.memory / 1e9:.2f} GB for a step; {self.free / 1e9:.1f} GB are free"),
            ("a step", measured or "none: the classifier is computed, not learnt"),
            ("time", f"about {clock(self.seconds)}"),
            ("folder", f"{self.run} (nothing was written)"),
        )
        return "\n".join(f"{name:<9} {value}" for name, value in rows)


def forecast(*, run: Path, reporter: Reporter | None = None, fit: bool = False, **options: Any) -> Forecast:
    """Say what `train` would do; the arguments are those of `train`.

    Raises:
        InceptionsError: what `train` would raise before its first step.
    """
    reporter = reporter or Silent()
    setup = Setup.choose(**options)
    with opened(setup, reporter) as session:
        session.team.lead(lambda: check_folder(Path(run)))
        feed = session.feed()
        state, _ = session.state(feed)
        step = session.step(setup.recipe, state, feed)
        recipe = fit_batch(session, setup.recipe, step) if fit else setup.recipe
        steps = recipe.stepping_epochs * feed.steps_per_epoch
        free, each = available(session.accelerator.device), -(-recipe.batch_size // recipe.accumulate)
        with feed:
            measured, seconds = time_it(session, step, feed)
        thinned = [steps * i // min(steps, CURVE) for i in range(min(steps, CURVE))]
        counts = Counter(feed.trained.labels)
        notes = (effect(recipe, feed.trained.labels, setup.splits.classes), session.warning(recipe, state, feed))
        return Forecast(
            lines=tuple(session.describe(recipe, feed)),
            notes=(*setup.splits.notes, *filter(None, notes)),
            run=str(run),
            classes={name: counts[i] for i, name in enumerate(setup.splits.classes)},
            validation=feed.images[1],
            network=setup.architecture.full_name,
            parameters=sum(parameter.numel() for parameter in state.network.parameters()),
            epochs=recipe.epochs,
            steps=steps,
            rates=tuple(recipe.learning_rate(i, feed.steps_per_epoch) for i in thinned) or (0.0,),
            memory=needed(setup.architecture, recipe, each),
            free=free,
            step_seconds=measured,
            seconds=seconds,
        )


def check_folder(run: Path) -> None:
    """Refuse a folder that holds a run, or that could not be made, and leave no trace.

    Raises:
        UsageError: it holds a run.
        MachineError: it could not be written to.
    """
    if run.is_dir():
        RunFolder(run).claim(resume=False)
        return
    probe = next(parent for parent in run.absolute().parents if parent.exists()) / f".{run.name}.writable"
    write_bytes(probe, b"")
    probe.unlink()


def time_it(session: Session, step: Step, feed: Feed) -> tuple[dict[int, float], float]:
    """Make a few steps at the smallest and the largest size and validate a batch.

    Returns:
        Seconds of a step by side of the images, and of the whole run: a step's time grows with the number of pixels.
    """
    recipe = step.recipe
    measured: dict[int, float] = {}
    epochs = range(recipe.epochs - recipe.stepping_epochs, recipe.epochs)
    for epoch in (epochs[0], epochs[-1]) if epochs else ():
        side = recipe.size_at(epoch)
        if side in measured:
            continue
        began, times = time.monotonic(), []
        for number, (batch, whole) in enumerate(islice(feed.training(epoch, 0), WARM + MEASURED), start=1):
            session.reporter.show("measuring steps", number, WARM + MEASURED)
            step.gradients(batch, whole)
            step.update(recipe.learning_rate(0, feed.steps_per_epoch))
            times.append(time.monotonic() - began)
            began = time.monotonic()
        measured[side] = median(times[WARM:] or times)
    shown = next(iter(feed.validation()), None)
    seen = 0.0
    if shown is not None:
        began = time.monotonic()
        validate(step.state.result, [shown], recipe.preprocess, session.accelerator.autocast)
        seen = (time.monotonic() - began) / len(shown.labels)
    sides = sorted(measured)

    def seconds(side: int) -> float:
        if len(sides) < 2:
            return measured[sides[0]]
        small, large = sides[0], sides[-1]
        share = (side**2 - small**2) / (large**2 - small**2)
        return measured[small] + share * (measured[large] - measured[small])

    training = sum(seconds(recipe.size_at(epoch)) * feed.steps_per_epoch for epoch in epochs)
    validations = sum(map(recipe.validates, range(recipe.epochs)))
    alone = seen * feed.images[0] if recipe.tuning is not None else 0.0
    return measured, training + alone + seen * feed.images[1] * validations / session.team.size


def curve(values: tuple[float, ...]) -> str:
    """Numbers as a row of bars, the largest full."""
    most = max(values) or 1.0
    return "".join(BARS[min(len(BARS) - 1, int(value / most * len(BARS)))] for value in values)
