"""How fast a run goes and how long it still takes, in words."""

from __future__ import annotations

import time

from inceptions.recipe import Recipe
from inceptions.train.progress import Reporter, clock
from inceptions.train.run.checkpoint import Counters
from inceptions.train.run.folder import Row

# What a step and its share of the validation cost however small the training images are, as the side of a square of pixels:
# a step of GoogLeNet with 32 images takes 156 ms at 80 pixels and 285 ms at 128.
FIXED = 100


class Pace:
    """Figures for the reporter, from the counters of a run.

    Args:
        recipe: says how much there is to do.
        steps_per_epoch: training batches in an epoch.
        counters: of the run; they are read, never changed.
    """

    def __init__(self, recipe: Recipe, steps_per_epoch: int, counters: Counters) -> None:
        self.epochs = recipe.epochs
        self.steps_per_epoch = steps_per_epoch
        self.counters = counters
        # Work is counted in pixels, since the images may grow: work_before[e] is that of all steps before epoch e.
        self.step_work = [FIXED**2 + recipe.size_at(epoch) ** 2 for epoch in range(recipe.epochs)]
        self.work_before = [0]
        for work in self.step_work:
            self.work_before.append(self.work_before[-1] + work * steps_per_epoch)
        self.began, self.done_before = time.monotonic(), self.done()

    def done(self) -> int:
        """The work behind us."""
        counters = self.counters
        within = counters.batch * self.step_work[counters.epoch] if counters.batch else 0
        return self.work_before[counters.epoch] + within

    def left(self) -> str:
        """How long the rest takes if it goes on as since the start of this process; nothing if nobody can tell."""
        done, total = self.done(), self.work_before[-1]
        if not self.done_before < done < total:
            return ""
        return f"  {clock((time.monotonic() - self.began) * (total - done) / (done - self.done_before))} left"

    def show(self, reporter: Reporter) -> None:
        """Move the progress on by a step."""
        counters = self.counters
        reporter.show(
            f"epoch {counters.epoch + 1}/{self.epochs}",
            counters.batch,
            self.steps_per_epoch,
            f"loss {counters.loss_sum / counters.seen:.3f}  accuracy {counters.correct / counters.seen:.3f}  "
            f"{counters.images_per_second:.0f} images/s{self.left()}",
        )

    def say(self, reporter: Reporter, trained: Row, validated: Row | None, better: bool) -> None:
        """One line for an epoch that is over; an asterisk marks the best one so far."""
        judged = (
            f"validation: loss {validated.loss:.3f} accuracy {validated.accuracy:.3f}{'*' if better else ' '}  "
            if validated is not None
            else ""
        )
        reporter.say(
            f"epoch {trained.epoch:{len(str(self.epochs))}d}/{self.epochs}  "
            f"training: loss {trained.loss:.3f} accuracy {trained.accuracy:.3f}  {judged}"
            f"{self.counters.images_per_second:.0f} images/s{self.left()}"
        )
