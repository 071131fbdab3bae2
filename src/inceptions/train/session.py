"""What a run is put together from, whether it trains, looks for a learning rate or only says what it would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator

from inceptions.architecture import Architecture, Options, declare
from inceptions.data import Splits
from inceptions.errors import Interrupted, MachineError, UsageError
from inceptions.network import from_architecture
from inceptions.recipe import Recipe
from inceptions.train.feed import Feed
from inceptions.train.interrupts import Interrupts
from inceptions.train.machine import Precision, check_compiler, choose_device, choose_precision, choose_workers, start
from inceptions.train.optim import optimiser
from inceptions.train.optim.average import Average
from inceptions.train.optim.balance import class_weights
from inceptions.train.optim.knobs import set_knobs
from inceptions.train.optim.rearrange import rearrange
from inceptions.train.optim.recompute import recompute
from inceptions.train.progress import Reporter, Silent
from inceptions.train.run.checkpoint import Counters, State
from inceptions.train.step import Step
from inceptions.train.team import Team
from inceptions.train.tuning.stages import Stages, stages_of
from inceptions.train.tuning.start import Start, begin_with
from inceptions.train.watch.warming import cold
from inceptions.weights import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A run's network and machine, chosen and checked before anything is touched.

    Attributes:
        splits: the images.
        recipe: what to do with them.
        start_from: trained weights; None for random ones.
        architecture: the network.
        device: where it computes.
        precision: what it computes in.
        workers: processes that prepare images.
        forget: whether layers forget their maps and compute them again (`recompute`).
        compiled: whether torch compiles the network.
    """

    splits: Splits
    recipe: Recipe
    start_from: Start | None
    architecture: Architecture
    device: torch.device
    precision: Precision
    workers: int
    forget: bool
    compiled: bool

    @classmethod
    def choose(
        cls,
        splits: Splits,
        recipe: Recipe,
        *,
        weights: str | Path | Start | None = None,
        model: str = "googlenet",
        variant: str | None = None,
        width: float = 1.0,
        depth: float = 1.0,
        device: str = "auto",
        precision: str = "auto",
        workers: str | int = "auto",
        forget: bool = False,
        compiled: bool = False,
    ) -> Setup:
        """Choose and check; the arguments are those of `train`.

        Raises:
            UsageError: an unknown name, a number out of range, images below the network's minimum.
            MachineError: there is no such device, or no compiler for it.
        """
        options = Options(
            num_classes=len(splits.classes),
            aux=recipe.aux_weight > 0,
            width=width,
            depth=depth,
            residual_scale=recipe.residual_scale,
        )
        start_from = begin_with(weights, recipe, classes=len(splits.classes))
        architecture = start_from.network.architecture if start_from else declare(model, variant, options)
        check_sizes(recipe, architecture)
        chosen = choose_device(device)
        if compiled:
            check_compiler(chosen)
        return cls(
            splits=splits,
            recipe=recipe,
            start_from=start_from,
            architecture=architecture,
            device=chosen,
            precision=choose_precision(precision, chosen),
            workers=choose_workers(workers, chosen),
            forget=forget,
            compiled=compiled,
        )


class Session:
    """A setup on its machine.

    Args:
        setup: what was chosen.
        accelerator: device and precision.
        team: the processes.
        reporter: where progress goes.
        interrupts: whether somebody asked to stop.
    """

    def __init__(
        self, setup: Setup, *, accelerator: Accelerator, team: Team, reporter: Reporter, interrupts: Interrupts
    ) -> None:
        self.setup = setup
        self.accelerator = accelerator
        self.team = team
        self.reporter = reporter
        self.interrupts = interrupts

    def feed(self) -> Feed:
        """Look at the images.

        Raises:
            DataError: too many cannot be read, or other processes found others.
            Interrupted: somebody asked to stop.
        """
        setup, team = self.setup, self.team
        for note in setup.splits.notes:
            self.reporter.warn(note)
        feed = Feed(
            setup.splits,
            setup.recipe,
            workers=setup.workers,
            reporter=self.reporter,
            interrupts=self.interrupts,
            member=team.member,
        )
        team.compare(feed.fingerprint)
        requested, _ = team.agree(self.interrupts.requested)
        if requested is not None:
            raise team.common(Interrupted(f"Stopped by {requested} while the images were looked at. Run the command again."))
        return feed

    def state(self, feed: Feed) -> tuple[State, Stages | None]:
        """The state before the first step, on the device: weights from the recipe's seed, or those to start from.

        Returns:
            With it, which layers learn when; None if all always do.

        Raises:
            UsageError: the recipe's stages are none of this network's.
            MachineError: a recipe with `tuning` in several processes.
        """
        setup, recipe = self.setup, self.setup.recipe
        if recipe.tuning is not None and self.team.size > 1:
            raise self.team.common(
                MachineError(f"The recipe {recipe.name} fits a classifier in one process: start it without a launcher.")
            )
        begin = setup.start_from
        network = begin.network if begin else from_architecture(setup.architecture, seed=recipe.seed)
        set_knobs(network, recipe)
        # On the CPU and on GPUs of this decade convolutions are fastest with the channels last in memory.
        network = network.to(self.accelerator.device).to(memory_format=torch.channels_last)
        state = State(
            network=network,
            optimiser=optimiser.build(network, recipe.optim),
            average=Average.of(network, recipe, recipe.stepping_epochs * feed.steps_per_epoch),
            counters=Counters(),
            scaler=self.accelerator.scaler,
        )
        if not setup.compiled:  # a compiler arranges the operations itself
            rearrange(network)
        if setup.forget:
            recompute(network)
        stages = stages_of(network, recipe)
        if stages is not None:
            stages.scale_rates(state.optimiser)
        return state, stages

    def step(self, recipe: Recipe, state: State, feed: Feed) -> Step:
        """What computes the updates; to be made once, when the state is complete."""
        classes = len(self.setup.splits.classes)
        return Step(
            recipe,
            state,
            accelerator=self.accelerator,
            team=self.team,
            classes=classes,
            class_weights=class_weights(feed.trained.labels, classes) if recipe.balance == "loss" else None,
            compiled=self.setup.compiled,
        )

    def card(self, feed: Feed) -> Card:
        """What the weight files say, but for the scores."""
        setup, recipe, begin = self.setup, self.setup.recipe, self.setup.start_from
        return Card(
            architecture=setup.architecture.name,
            variant=setup.architecture.variant,
            options=setup.architecture.options,
            classes=tuple(setup.splits.classes),
            preprocess=recipe.preprocess,
            provenance={
                "recipe": recipe.name,
                "seed": recipe.seed,
                "data": setup.splits.name,
                "images": list(feed.images),
                **(begin.provenance if begin else {}),
            },
            licence=begin.card.licence if begin else None,
        )

    def describe(self, recipe: Recipe, feed: Feed) -> list[str]:
        """What is about to be done, in two lines."""
        setup = self.setup
        trained, validated = feed.images
        workers = f"{setup.workers} worker{'' if setup.workers == 1 else 's'}"
        processes = f", {self.team.size} processes" if self.team.size > 1 else ""
        parts = f" in {recipe.accumulate} parts" if recipe.accumulate > 1 else ""
        return [
            f"{trained:,} training and {validated:,} validation images of {len(setup.splits.classes)} classes.",
            f"{setup.architecture.full_name}, recipe {recipe.name}: {phases(recipe, feed.steps_per_epoch)}{parts}; "
            f"{setup.device}, {setup.precision}, {workers}{processes}.",
        ]

    def warning(self, recipe: Recipe, state: State, feed: Feed) -> str:
        """What is to be said before a run that can be seen to be too short; "" if nothing is."""
        return cold(state.network, recipe, feed.steps_per_epoch) if self.setup.start_from is None else ""


@contextmanager
def opened(setup: Setup, reporter: Reporter, *, track: Sequence[str] = (), folder: Path | None = None) -> Iterator[Session]:
    """A session, in which signals are requests, and which leaves torch's generators as they were.

    Args:
        setup: what was chosen.
        reporter: where progress goes; of several processes the first alone speaks.
        track: names of trackers.
        folder: where trackers write.
    """
    forked = [torch.cuda.current_device()] if setup.device.type == "cuda" else []
    with reporter, Interrupts() as interrupts, torch.random.fork_rng(forked):
        accelerator = start(setup.device, setup.precision, track=track, folder=folder)
        team = Team(accelerator)
        yield Session(
            setup,
            accelerator=accelerator,
            team=team,
            reporter=reporter if team.leads else Silent(),
            interrupts=interrupts,
        )
        # Not after an error: whoever caused it will not come.
        team.close()


def phases(recipe: Recipe, steps_per_epoch: int) -> str:
    """What a run consists of, in words."""
    steps = f"{recipe.stepping_epochs} epochs of {steps_per_epoch} steps of {recipe.batch_size} images"
    if recipe.tuning is None:
        return steps
    alone = "the classifier, on what the frozen network makes of the images"
    stages = " and ".join(recipe.tuning.stages)
    return f"{alone}, then {steps} with the layers from {stages} on" if stages else alone


def check_sizes(recipe: Recipe, architecture: Architecture) -> None:
    """Refuse images that the network cannot take, before anything is done.

    Raises:
        UsageError: names the smallest size.
    """
    smallest = min(recipe.size_at(0), recipe.preprocess.size[0])
    if smallest < architecture.minimum_size:
        raise UsageError(
            f"{architecture.full_name} needs images of at least {architecture.minimum_size} pixels a side, and the recipe "
            f"{recipe.name} shows it {smallest}. Raise image_size, start_size or test_size."
        )
