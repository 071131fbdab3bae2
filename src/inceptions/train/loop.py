"""The training loop: epochs of updates, each followed by a validation. The other files of this room are its tools.

What makes a resumed run equal to one that never stopped: the order and the augmentation of the images, the learning rate and
dropout's seed are functions of the counters, and all else that changes is in the checkpoint.
"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Literal

from accelerate import Accelerator
from torch import Tensor

from inceptions.data import Batch
from inceptions.errors import DivergedError, Interrupted
from inceptions.recipe import Recipe
from inceptions.train.feed import Feed
from inceptions.train.interrupts import Interrupts
from inceptions.train.progress import Reporter
from inceptions.train.run import checkpoint
from inceptions.train.run.checkpoint import Best, State
from inceptions.train.run.folder import BEST, LAST, PLOTS, Row, RunFolder
from inceptions.train.run.outcome import Outcome
from inceptions.train.step import Step, length
from inceptions.train.team import Team
from inceptions.train.tuning.stages import Stages
from inceptions.train.validation import Answers, validate
from inceptions.train.watch.divergence import diverged
from inceptions.train.watch.limits import what_limited
from inceptions.train.watch.pace import Pace
from inceptions.train.watch.plots import draw_history
from inceptions.train.watch.tracking import Trackers
from inceptions.weights import Card, save_weights

# At most this share of the time goes into saving, however slow the disk.
CHECKPOINT_SHARE = 1 / 30


class Loop:
    """A run under way.

    Args:
        recipe: what to do.
        state: the network and all else that changes; where it was when the run was stopped, if it was.
        feed: the images.
        card: what the weight files say, but for the scores.
        folder: where everything is written.
        accelerator: device and precision.
        reporter: where progress goes.
        interrupts: whether somebody asked to stop.
        checkpoint_every: seconds between checkpoints within an epoch; 0 writes one after every update.
        step: computes the updates.
        team: the processes; only the first writes.
        trackers: who else is told the figures.
        stages: which layers learn in which epoch; None if all always do.
    """

    def __init__(
        self,
        recipe: Recipe,
        state: State,
        feed: Feed,
        card: Card,
        *,
        folder: RunFolder,
        accelerator: Accelerator,
        reporter: Reporter,
        interrupts: Interrupts,
        checkpoint_every: float,
        step: Step,
        team: Team,
        trackers: Trackers,
        stages: Stages | None = None,
    ) -> None:
        self.recipe = recipe
        self.state = state
        self.feed = feed
        self.card = card
        self.folder = folder
        self.accelerator = accelerator
        self.reporter = reporter
        self.interrupts = interrupts
        self.checkpoint_every = checkpoint_every
        self.stages = stages
        self.preprocess = recipe.preprocess
        self.step = step
        self.team = team
        self.trackers = trackers
        # The best weights wait in memory for the next checkpoint: short epochs would otherwise be spent on writing.
        self.best: dict[str, Tensor] | None = None
        self.answers: Answers | None = None
        self.clock = self.saved_at = time.monotonic()
        self.save_cost = 0.0
        self.pace = Pace(recipe, feed.steps_per_epoch, state.counters)

    def run(self) -> Outcome:
        """Train until the recipe's last epoch, or until its patience is over.

        Raises:
            Interrupted: somebody asked to stop; a checkpoint was written first.
            DivergedError: a loss is not finite; the weights are as the step before left them.
            MachineError: something could not be written; the files from before are whole. Or another process is gone.
        """
        try:
            while not self.over():
                self.train_epoch()
                self.finish_epoch(self.validate() if self.recipe.validates(self.state.counters.epoch) else None)
        except DivergedError:
            self.team.lead(self.save_best)
            raise
        counters = self.state.counters
        best = counters.best
        assert best is not None
        rows = tuple(self.folder.rows)
        return Outcome(
            run=self.folder.path,
            best_epoch=best.epoch,
            accuracy=best.accuracy,
            loss=best.loss,
            seconds=counters.seconds,
            images_per_second=counters.images_per_second,
            epochs=counters.epoch,
            steps=counters.step,
            data_wait=counters.data_wait,
            limit=what_limited(rows, self.recipe),
            rows=rows,
            held=self.feed.validated,
            answers=self.answers,
            unread=tuple(self.feed.trained.skipped),
            leads=self.team.leads,
        )

    def over(self) -> bool:
        """Whether the run has come to its end."""
        counters, patience = self.state.counters, self.recipe.patience
        if counters.epoch >= self.recipe.epochs:
            return True
        if patience is None or counters.best is None or not self.recipe.validates(counters.epoch - 1):
            return False
        return counters.epoch - counters.best.epoch >= patience

    def position(self) -> int:
        """Updates before the next one in a run of this recipe: what the learning rate depends on."""
        counters = self.state.counters
        without = self.recipe.epochs - self.recipe.stepping_epochs
        return (counters.epoch - without) * self.feed.steps_per_epoch + counters.batch

    def train_epoch(self) -> None:
        """The rest of the current epoch's updates."""
        counters = self.state.counters
        if self.stages is not None:
            self.stages.begin(counters.epoch)
        self.stop_if_asked()
        for batch, whole in self.awaited():
            self.update(batch, whole)
            passed = self.tick()
            counters.training_seconds += passed
            counters.epoch_seconds += passed
            self.pace.show(self.reporter)
            if self.stop_if_asked(due=self.checkpoint_due(self.checkpoint_every)):
                self.checkpoint()

    def awaited(self) -> Iterator[tuple[Batch, int]]:
        """The rest of the current epoch's batches, the time that they let the loop wait counted."""
        counters = self.state.counters
        batches = self.feed.training(counters.epoch, start=counters.batch)
        while True:
            began = time.monotonic()
            batch = next(batches, None)
            waited = time.monotonic() - began
            if batch is None:
                return
            counters.waited += waited
            counters.epoch_waited += waited
            yield batch

    def update(self, batch: Batch, whole: int) -> None:
        """One step: forward, backward, and the optimiser, if loss and gradient are numbers.

        Args:
            batch: this process's share.
            whole: images in the shares of all processes.
        """
        counters = self.state.counters
        rate = self.recipe.learning_rate(self.position(), self.feed.steps_per_epoch)
        numbers = self.step.gradients(batch, whole)
        if not numbers.finite:
            assert self.step.norm is not None
            raise self.team.common(
                diverged(
                    numbers,
                    step=counters.step + 1,
                    epoch=counters.epoch + 1,
                    rate=rate,
                    gradient=float(self.step.norm),
                    weights=length([parameter.detach() for parameter in self.state.network.parameters()]),
                    images=self.feed.names(counters.epoch, counters.batch),
                    folder=self.folder.path if self.team.leads else None,
                )
            )
        self.step.update(rate)
        counters.step += 1
        counters.batch += 1
        counters.presented += whole
        counters.seen += whole
        counters.correct += numbers.correct
        counters.loss_sum += numbers.loss * whole
        self.trackers.step(counters.step, numbers, rate)

    def validate(self) -> Answers:
        """All validation images through the weights that would be saved."""
        total = self.feed.images[1]
        self.team.settle(self.state.result)
        own = validate(self.state.result, self.watched(), self.preprocess, self.accelerator.autocast)
        answers = Answers(self.team.gather(own.logits, total), self.team.gather(own.labels, total))
        self.tick()
        if not math.isfinite(answers.loss):
            raise self.team.common(
                DivergedError(
                    f"Training diverged: the validation loss is {answers.loss} after epoch {self.state.counters.epoch + 1}. "
                    "The weights of the best epoch before are kept. Try a lower optim.lr or optim.clip."
                )
            )
        return answers

    def watched(self) -> Iterator[Batch]:
        """The validation batches, shown and open to interruption: as often in every process, however many batches it has."""
        batches = iter(self.feed.validation())
        done, total = 0, self.feed.images[1]
        for _ in range(self.feed.validation_rounds):
            self.stop_if_asked()
            self.reporter.show("validation", done, total)
            batch = next(batches, None)
            if batch is not None:
                done = min(total, done + len(batch.labels) * self.team.size)
                yield batch
        assert next(batches, None) is None

    def finish_epoch(self, answers: Answers | None) -> None:
        """Write down what the epoch came to, keep its weights if they are the best, begin the next.

        Args:
            answers: to the validation images; None in an epoch that is not validated.
        """
        counters = self.state.counters
        trained = self.row("train", counters.loss_sum / counters.seen, counters.correct / counters.seen)
        validated = self.row("validation", answers.loss, answers.accuracy) if answers is not None else None
        counters.epoch += 1
        better = validated is not None and (
            counters.best is None or counters.best.beaten_by(validated.accuracy, validated.loss)
        )
        if better:
            assert validated is not None
            self.answers = answers
            counters.best = Best(epoch=counters.epoch, accuracy=validated.accuracy, loss=validated.loss)
            if self.team.leads:
                self.best = {name: tensor.detach().clone() for name, tensor in self.state.result.state_dict().items()}
        counters.begin_epoch()
        rows = (trained,) if validated is None else (trained, validated)
        self.folder.rows.extend(rows)
        self.team.lead(self.folder.write_rows)
        self.trackers.epoch(counters.step, rows)
        self.pace.say(self.reporter, trained, validated, better)
        over = self.over()
        if over and counters.epoch < self.recipe.epochs:
            self.reporter.say(f"Stopped early: no better epoch in {self.recipe.patience} (patience).")
        _, due = self.team.agree(None, due=over or self.checkpoint_due(self.checkpoint_every / 3))
        if due:
            began = time.monotonic()
            self.team.lead(partial(self.save_last, counters.epoch, validated))
            # Last: a run that is killed before this line repeats what is above it.
            self.checkpoint(began)
        self.tick()

    def save_last(self, epoch: int, validated: Row | None) -> None:
        """Write the weights of the epoch that is over, and the pictures."""
        save_weights(self.folder.path / LAST, self.state.result, self.scored_card(epoch, validated))
        draw_history(self.folder.rows, self.folder.path / PLOTS)

    def row(self, split: Literal["train", "validation"], loss: float, accuracy: float) -> Row:
        """A line of the history, for the epoch that is ending."""
        counters, training = self.state.counters, split == "train"
        return Row(
            epoch=counters.epoch + 1,
            step=counters.step,
            split=split,
            loss=loss,
            accuracy=accuracy,
            lr=self.recipe.learning_rate(self.position() - 1, self.feed.steps_per_epoch) if counters.step else 0.0,
            seconds=round(counters.seconds, 3),
            data_wait=round(counters.epoch_waited / counters.epoch_seconds, 4) if training and counters.epoch_seconds else None,
        )

    def checkpoint(self, began: float | None = None) -> None:
        """Save what is needed to go on from here, and before it the best weights, which the checkpoint does not hold.

        Args:
            began: when the writing of what goes with it began, if that was earlier.
        """
        began = time.monotonic() if began is None else began
        self.team.lead(self.save)
        self.saved_at = time.monotonic()
        self.save_cost = self.saved_at - began
        self.tick()

    def save(self) -> None:
        """What the first process does of `checkpoint`."""
        self.save_best()
        checkpoint.save(self.folder.checkpoints, self.state)

    def checkpoint_due(self, age: float) -> bool:
        """Whether the last checkpoint is old enough for another one: `age` seconds, or longer where writing one takes long."""
        if self.checkpoint_every == 0:
            return True
        return time.monotonic() - self.saved_at >= max(age, self.save_cost / CHECKPOINT_SHARE)

    def save_best(self) -> None:
        """Write the best weights if they are not written yet."""
        best = self.state.counters.best
        if self.best is not None and best is not None:
            save_weights(self.folder.path / BEST, self.best, self.scored_card(best.epoch, best))
            self.best = None

    def stop_if_asked(self, *, due: bool = False) -> bool:
        """Save and leave, if a signal came to any process.

        Args:
            due: whether this process thinks that a checkpoint is due.

        Returns:
            Whether any process thinks so.

        Raises:
            Interrupted: with the command that goes on.
        """
        requested, due = self.team.agree(self.interrupts.requested, due)
        if requested is None:
            return due
        self.checkpoint()
        counters = self.state.counters
        raise self.team.common(
            Interrupted(
                f"Stopped by {requested} after {counters.step} steps (epoch {counters.epoch + 1} of {self.recipe.epochs}); "
                f"everything is saved. Go on with: inceptions train --resume --run {shlex.quote(str(self.folder.path))}"
            )
        )

    def scored_card(self, epoch: int, scored: Row | Best | None) -> Card:
        """The card of an epoch's weights, with their scores if they have any."""
        scores = {} if scored is None else {"validation_accuracy": scored.accuracy, "validation_loss": scored.loss}
        return replace(self.card, provenance={**self.card.provenance, "epoch": epoch, **scores})

    def tick(self) -> float:
        """Seconds since the last call; they are added to the run's."""
        now = time.monotonic()
        passed, self.clock = now - self.clock, now
        self.state.counters.seconds += passed
        return passed
