"""The training loop: epochs of updates, each followed by a validation. The other files of this room are its tools.

What makes a resumed run equal to one that never stopped: the order and the augmentation of the images, the learning rate and
dropout's seed are functions of the counters, and all else that changes is in the checkpoint.
"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn.functional import cross_entropy

from inceptions.data import Batch, normalise
from inceptions.errors import DivergedError, Interrupted
from inceptions.recipe import Recipe
from inceptions.train import checkpoint
from inceptions.train.checkpoint import Best, State
from inceptions.train.feed import Feed
from inceptions.train.interrupts import Interrupts
from inceptions.train.loss import AllHeads, objective
from inceptions.train.machine import Readback
from inceptions.train.optimiser import set_rate
from inceptions.train.pace import Pace
from inceptions.train.plots import draw_history
from inceptions.train.progress import Reporter
from inceptions.train.runfolder import BEST, LAST, PLOTS, Row, RunFolder
from inceptions.train.validation import Answers, validate
from inceptions.weights import Card, save_weights

# At most this share of the time goes into saving, however slow the disk.
CHECKPOINT_SHARE = 1 / 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run.

    Attributes:
        run: its folder.
        best_epoch: the epoch, counted from 1, whose weights are in `weights.safetensors`.
        accuracy: of these weights on the validation images.
        loss: of these weights on the validation images, in nats.
        seconds: since the run began, the time between a stop and a resume not counted.
        images_per_second: training images; validation and checkpoints not counted.
        epochs: epochs done.
        steps: updates done.
        rows: the history.
    """

    run: Path
    best_epoch: int
    accuracy: float
    loss: float
    seconds: float
    images_per_second: float
    epochs: int
    steps: int
    rows: tuple[Row, ...]


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
        self.preprocess = recipe.preprocess
        self.module, self.optimiser = accelerator.prepare(AllHeads(state.network).train(), state.optimiser)
        self.readback = Readback(accelerator.device)
        # The best weights wait in memory for the next checkpoint: short epochs would otherwise be spent on writing.
        self.best: dict[str, Tensor] | None = None
        self.clock = self.saved_at = time.monotonic()
        self.save_cost = 0.0
        self.pace = Pace(recipe, feed.steps_per_epoch, state.counters)

    def run(self) -> Outcome:
        """Train until the recipe's last epoch.

        Raises:
            Interrupted: somebody asked to stop; a checkpoint was written first.
            DivergedError: a loss is not finite; the weights are as the step before left them.
            MachineError: something could not be written; the files from before are whole.
        """
        try:
            while self.state.counters.epoch < self.recipe.epochs:
                self.train_epoch()
                self.finish_epoch(self.validate())
        except DivergedError:
            self.save_best()
            raise
        counters = self.state.counters
        best = counters.best
        assert best is not None
        return Outcome(
            run=self.folder.path,
            best_epoch=best.epoch,
            accuracy=best.accuracy,
            loss=best.loss,
            seconds=counters.seconds,
            images_per_second=counters.images_per_second,
            epochs=counters.epoch,
            steps=counters.step,
            rows=tuple(self.folder.rows),
        )

    def train_epoch(self) -> None:
        """The rest of the current epoch's updates."""
        counters = self.state.counters
        self.stop_if_asked()
        for batch in self.feed.training(counters.epoch, start=counters.batch):
            self.update(batch)
            counters.training_seconds += self.tick()
            self.pace.show(self.reporter)
            self.stop_if_asked()
            if self.checkpoint_due(self.checkpoint_every):
                self.checkpoint()

    def update(self, batch: Batch) -> None:
        """One step: forward, backward, and the optimiser, if the loss is a number."""
        recipe, counters, device = self.recipe, self.state.counters, self.accelerator.device
        rate = recipe.learning_rate(counters.step, self.feed.steps_per_epoch)
        set_rate(self.state.optimiser, rate)
        torch.manual_seed(dropout_seed(recipe.seed, counters.step))
        images = normalise(batch.images.to(device, non_blocking=True), self.preprocess)
        labels = batch.labels.to(device, non_blocking=True)
        heads = self.module(images)
        loss = objective(heads, labels, aux_weight=recipe.aux_weight, label_smoothing=recipe.label_smoothing)
        with torch.no_grad():
            main = heads["main"].float()
            shown = (loss.detach(), cross_entropy(main, labels), (main.argmax(1) == labels).sum().float())
            self.readback.fetch(torch.stack(shown))
        self.accelerator.backward(loss)
        if recipe.optim.clip is not None:
            self.accelerator.clip_grad_norm_(self.state.network.parameters(), recipe.optim.clip)
        total, main_loss, correct = self.readback.numbers()
        if not math.isfinite(total):
            raise DivergedError(
                f"Training diverged: the loss is {total} in step {counters.step + 1} (epoch {counters.epoch + 1}) at a "
                f"learning rate of {rate:.3g}. What was saved before is kept. Try a lower optim.lr, a longer "
                f"schedule.warmup_epochs or optim.clip, and look at the batch: {', '.join(self.feed.names(batch))}."
            )
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.state.average:
            self.state.average.update()
        counters.step += 1
        counters.batch += 1
        counters.presented += len(batch.labels)
        counters.seen += len(batch.labels)
        counters.correct += int(correct)
        counters.loss_sum += main_loss * len(batch.labels)

    def validate(self) -> Answers:
        """All validation images through the weights that would be saved."""
        answers = validate(self.state.result, self.watched(self.feed.validation()), self.preprocess, self.accelerator.autocast)
        self.tick()
        if not math.isfinite(answers.loss):
            raise DivergedError(
                f"Training diverged: the validation loss is {answers.loss} after epoch {self.state.counters.epoch + 1}. The "
                "weights of the best epoch before are kept. Try a lower optim.lr or optim.clip."
            )
        return answers

    def watched(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches, shown and open to interruption."""
        done, total = 0, self.feed.images[1]
        for batch in batches:
            self.stop_if_asked()
            self.reporter.show("validation", done, total)
            done += len(batch.labels)
            yield batch

    def finish_epoch(self, answers: Answers) -> None:
        """Write down what the epoch came to, keep its weights if they are the best, begin the next."""
        counters, accuracy, loss = self.state.counters, answers.accuracy, answers.loss
        trained = self.row("train", counters.loss_sum / counters.seen, counters.correct / counters.seen)
        validated = self.row("validation", loss, accuracy)
        counters.epoch += 1
        better = counters.best is None or counters.best.beaten_by(accuracy, loss)
        if better:
            counters.best = Best(epoch=counters.epoch, accuracy=accuracy, loss=loss)
            self.best = {name: tensor.detach().clone() for name, tensor in self.state.result.state_dict().items()}
        counters.batch = counters.seen = counters.correct = 0
        counters.loss_sum = 0.0
        self.folder.add([trained, validated])
        self.pace.say(self.reporter, trained, validated, better)
        if counters.epoch == self.recipe.epochs or self.checkpoint_due(self.checkpoint_every / 3):
            began = time.monotonic()
            save_weights(self.folder.path / LAST, self.state.result, self.scored_card(counters.epoch, accuracy, loss))
            draw_history(self.folder.rows, self.folder.path / PLOTS)
            # Last: a run that is killed before this line repeats what is above it.
            self.checkpoint(began)
        self.tick()

    def row(self, split: Literal["train", "validation"], loss: float, accuracy: float) -> Row:
        """A line of the history, for the epoch that is ending."""
        counters = self.state.counters
        return Row(
            epoch=counters.epoch + 1,
            step=counters.step,
            split=split,
            loss=loss,
            accuracy=accuracy,
            lr=self.recipe.learning_rate(counters.step - 1, self.feed.steps_per_epoch),
            seconds=round(counters.seconds, 3),
        )

    def checkpoint(self, began: float | None = None) -> None:
        """Save what is needed to go on from here, and before it the best weights, which the checkpoint does not hold.

        Args:
            began: when the writing of what goes with it began, if that was earlier.
        """
        began = time.monotonic() if began is None else began
        self.save_best()
        checkpoint.save(self.folder.checkpoints, self.state)
        self.saved_at = time.monotonic()
        self.save_cost = self.saved_at - began
        self.tick()

    def checkpoint_due(self, age: float) -> bool:
        """Whether the last checkpoint is old enough for another one: `age` seconds, or longer where writing one takes long."""
        if self.checkpoint_every == 0:
            return True
        return time.monotonic() - self.saved_at >= max(age, self.save_cost / CHECKPOINT_SHARE)

    def save_best(self) -> None:
        """Write the best weights if they are not written yet."""
        best = self.state.counters.best
        if self.best is not None and best is not None:
            save_weights(self.folder.path / BEST, self.best, self.scored_card(best.epoch, best.accuracy, best.loss))
            self.best = None

    def stop_if_asked(self) -> None:
        """Save and leave, if a signal came.

        Raises:
            Interrupted: with the command that goes on.
        """
        if self.interrupts.requested is None:
            return
        self.checkpoint()
        counters = self.state.counters
        raise Interrupted(
            f"Stopped by {self.interrupts.requested} after {counters.step} steps (epoch {counters.epoch + 1} of "
            f"{self.recipe.epochs}); everything is saved. Go on with: inceptions train --resume --run "
            f"{shlex.quote(str(self.folder.path))}"
        )

    def scored_card(self, epoch: int, accuracy: float, loss: float) -> Card:
        """The card of weights with their scores."""
        scores = {"epoch": epoch, "validation_accuracy": accuracy, "validation_loss": loss}
        return replace(self.card, provenance={**self.card.provenance, **scores})

    def tick(self) -> float:
        """Seconds since the last call; they are added to the run's."""
        now = time.monotonic()
        passed, self.clock = now - self.clock, now
        self.state.counters.seconds += passed
        return passed


def dropout_seed(seed: int, step: int) -> int:
    """The seed of all chance in an update's forward pass: a function of the step, so that no generator need be saved."""
    return (seed * 1_000_003 + step) % 2**63
