"""Learning-rate range test (Smith 2017, arXiv:1506.01186, section 3.3): the loss while the rate rises until it is too high."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inceptions.data import Batch
from inceptions.errors import DivergedError, Interrupted, MachineError
from inceptions.files import write_bytes, write_text
from inceptions.train.before.forecast import check_folder
from inceptions.train.feed import Feed
from inceptions.train.progress import Reporter, Silent
from inceptions.train.session import Setup, opened
from inceptions.train.watch.plots import COLOURS

STEPS = 100
LEAST, MOST = 1e-6, 10.0
SMOOTHING = 0.85
# The test ends when the smoothed loss is so many times the lowest; a first few steps are too early to tell.
EXPLODED, EARLY = 4.0, 10
PICTURE, FIGURES = "learning-rate.png", "learning-rate.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeTest:
    """What the loss did while the rate rose.

    Attributes:
        run: folder of the picture and the figures.
        rates: of each update.
        losses: of each batch before the update, main head, nats.
        smoothed: running mean of the losses.
        suggestion: a tenth of the rate at which the smoothed loss is lowest, in two digits: where it falls steadily.
        lowest: the rate at which it is lowest; training at it would already be unsteady.
        picture: the PNG.
    """

    run: Path
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float
    lowest: float
    picture: Path


def find_rate(*, run: Path, reporter: Reporter | None = None, **options: Any) -> RangeTest:
    """Train for a hundred updates with a rate that rises exponentially, and look where the loss falls and where it explodes.

    The recipe's augmentation, batch and optimiser are used, its schedule is not. Only the picture and the figures are kept.

    Args:
        run: folder for them.
        reporter: where progress goes.
        options: as for `train`.

    Raises:
        DivergedError: the loss is not finite at the lowest rate.
        Interrupted: somebody asked to stop.
        MachineError: started as one of several processes, or the folder cannot be written to.
    """
    reporter = reporter or Silent()
    setup = Setup.choose(**options)
    recipe = setup.recipe
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    with opened(setup, reporter) as session:
        if session.team.size > 1:
            raise session.team.common(MachineError("A learning-rate range test is for one process: leave out the launcher."))
        check_folder(run)
        feed = session.feed()
        state, stages = session.state(feed)
        state.average = None
        if stages is not None:
            stages.begin(recipe.epochs - 1)
        step = session.step(recipe, state, feed)
        running = 0.0
        with feed:
            for number, (batch, whole) in zip(range(STEPS), endless(feed, recipe.epochs - 1), strict=False):
                if session.interrupts.requested is not None:
                    raise Interrupted(f"Stopped by {session.interrupts.requested}; nothing was written. Run the command again.")
                rate = LEAST * (MOST / LEAST) ** (number / (STEPS - 1))
                numbers = step.gradients(batch, whole)
                running = SMOOTHING * running + (1 - SMOOTHING) * numbers.loss
                now = running / (1 - SMOOTHING ** (number + 1))
                if not numbers.finite or (number >= EARLY and now > EXPLODED * min(smoothed)):
                    break
                rates.append(rate)
                losses.append(numbers.loss)
                smoothed.append(now)
                session.reporter.show("rising the rate", number + 1, STEPS, f"rate {rate:.2g}  loss {now:.3f}")
                step.update(rate)
                state.counters.step += 1
    if len(rates) < EARLY:
        raise DivergedError(f"The loss is not finite after {len(rates)} updates at the lowest rates ({LEAST:g} on).")
    lowest = rates[smoothed.index(min(smoothed))]
    # Two significant digits are more than the test can tell.
    suggestion = float(f"{lowest / 10:.1e}")
    picture = run / PICTURE
    write_bytes(picture, draw(rates, losses, smoothed, suggestion))
    found = RangeTest(
        run=run,
        rates=tuple(rates),
        losses=tuple(losses),
        smoothed=tuple(smoothed),
        suggestion=suggestion,
        lowest=lowest,
        picture=picture,
    )
    write_text(run / FIGURES, json.dumps(asdict(found), default=str, indent=2) + "\n")
    return found


def endless(feed: Feed, epoch: int) -> Iterator[tuple[Batch, int]]:
    """Training batches of one epoch after the other, at the size of the given one from the start."""
    for number in count(epoch):
        yield from feed.training(number, 0)


def draw(rates: list[float], losses: list[float], smoothed: list[float], suggestion: float) -> bytes:
    """Loss over rate, as PNG."""
    figure = Figure(figsize=(6.4, 4.0), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(rates, losses, color=COLOURS["train"], alpha=0.3, linewidth=1, label="loss of each batch")
    axes.plot(rates, smoothed, color=COLOURS["train"], label="smoothed")
    axes.axvline(10 * suggestion, color=COLOURS["validation"], alpha=0.4, label="lowest")
    axes.axvline(suggestion, color=COLOURS["validation"], linestyle="--", label=f"a tenth of it: {suggestion:g}")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss (cross-entropy of the main head)")
    # One batch that explodes must not press the rest flat.
    axes.set_ylim(0, 1.5 * max(smoothed[:EARLY]))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()
