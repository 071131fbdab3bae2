"""`train`: images and a recipe in, a run folder out. Puts the run together; `loop` does the work."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import Accelerator

from inceptions.architecture import Architecture, Options, declare
from inceptions.data import Splits
from inceptions.errors import InceptionsError, UsageError
from inceptions.network import from_architecture
from inceptions.recipe import Recipe
from inceptions.train import optimiser
from inceptions.train.average import Average
from inceptions.train.checkpoint import Counters, State, restore_newest
from inceptions.train.feed import Feed
from inceptions.train.interrupts import Interrupts
from inceptions.train.loop import Loop, Outcome
from inceptions.train.machine import choose_device, choose_precision, choose_workers, start
from inceptions.train.progress import Reporter, Silent
from inceptions.train.runfolder import Manifest, RunFolder, versions
from inceptions.weights import Card


def train(
    splits: Splits,
    recipe: Recipe,
    *,
    run: Path,
    model: str = "googlenet",
    variant: str | None = None,
    width: float = 1.0,
    depth: float = 1.0,
    resume: bool = False,
    device: str = "auto",
    precision: str = "auto",
    workers: str | int = "auto",
    checkpoint_every: float = 60.0,
    reporter: Reporter | None = None,
) -> Outcome:
    """Train a network from random weights.

    Args:
        splits: training and validation images, `data.open_data(...)`.
        recipe: what to do with them, `recipe.recipe("scratch")`.
        run: the folder for everything that comes of it.
        model: name of the network, with its variant if you like ("googlenet/paper").
        variant: which of the networks of that name.
        width: factor on the number of filters.
        depth: factor on the number of modules.
        resume: go on with the run in that folder. A run that was killed on the CPU ends with the very same weights as one that
            never stopped.
        device: "auto", "cpu", "cuda", ...
        precision: "auto", "fp32", "bf16". A resumed run keeps its own if "auto".
        workers: processes that prepare images, or "auto". The weights do not depend on it.
        checkpoint_every: seconds between two checkpoints within an epoch; between the ends of epochs a third of that is enough.
            0 writes one after every update.
        reporter: where progress goes; nowhere if None.

    Returns:
        What came of it.

    Raises:
        UsageError: an unknown name, a number out of range, images below the network's minimum, a folder that holds another run.
        DataError: too many images cannot be read.
        MachineError: the folder cannot be written to, the disk is full, there is no such device.
        DivergedError: a loss is not finite. The best weights and the last checkpoint from before are kept.
        Interrupted: SIGINT or SIGTERM; everything is saved, `resume` goes on.
    """
    reporter = reporter or Silent()
    if not (math.isfinite(checkpoint_every) and checkpoint_every >= 0):
        raise UsageError(f"checkpoint_every must be a number of seconds, 0 or more, not {checkpoint_every!r}.")
    options = Options(num_classes=len(splits.classes), aux=recipe.aux_weight > 0, width=width, depth=depth)
    architecture = declare(model, variant, options)
    check_sizes(recipe, architecture)
    chosen = choose_device(device)
    chosen_precision = choose_precision(precision, chosen)
    worker_count = choose_workers(workers, chosen)
    folder = RunFolder(Path(run))
    folder.claim(resume=resume)
    if precision == "auto" and (before := folder.manifest):
        chosen_precision = choose_precision(before.precision, chosen)
    forked = [torch.cuda.current_device()] if chosen.type == "cuda" else []
    with reporter, Interrupts() as interrupts, torch.random.fork_rng(forked):
        accelerator = start(chosen, chosen_precision)
        for note in splits.notes:
            reporter.say(note)
        try:
            feed = Feed(splits, recipe, workers=worker_count, reporter=reporter, interrupts=interrupts)
        except InceptionsError:
            folder.give_up()
            raise
        folder.begin(
            Manifest(
                recipe=recipe,
                data=str(splits.where.resolve()) if splits.where else splits.name,
                fingerprint=feed.fingerprint,
                images=feed.images,
                classes=tuple(splits.classes),
                model=architecture.name,
                variant=architecture.variant,
                options=asdict(options),
                precision=chosen_precision,
                versions=versions(),
            )
        )
        state = fresh_state(architecture, recipe, accelerator)
        if resume:
            found = restore_newest(folder.checkpoints, state, reporter.say)
            folder.load_rows(state.counters.epoch)
            where = f"step {state.counters.step}" if found else "the start: there was no checkpoint yet"
            reporter.say(f"Resuming the run in {folder.path} from {where}.")
        trained, validated = feed.images
        reporter.say(f"{trained:,} training and {validated:,} validation images of {len(splits.classes)} classes.")
        reporter.say(
            f"{architecture.full_name}, recipe {recipe.name}: {recipe.epochs} epochs of "
            f"{feed.steps_per_epoch} steps of {recipe.batch_size} images; {accelerator.device}, {chosen_precision}, "
            f"{worker_count} worker{'' if worker_count == 1 else 's'}."
        )
        card = Card(
            architecture=architecture.name,
            variant=architecture.variant,
            options=options,
            classes=tuple(splits.classes),
            preprocess=recipe.preprocess,
            provenance={"recipe": recipe.name, "seed": recipe.seed, "data": splits.name, "images": list(feed.images)},
        )
        loop = Loop(
            recipe,
            state,
            feed,
            card,
            folder=folder,
            accelerator=accelerator,
            reporter=reporter,
            interrupts=interrupts,
            checkpoint_every=checkpoint_every,
        )
        with feed:
            return loop.run()


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


def fresh_state(architecture: Architecture, recipe: Recipe, accelerator: Accelerator) -> State:
    """The state before the first step: weights from the recipe's seed, on the device."""
    network = from_architecture(architecture, seed=recipe.seed)
    # On the CPU and on GPUs of this decade convolutions are fastest with the channels last in memory.
    network = network.to(accelerator.device).to(memory_format=torch.channels_last)
    return State(
        network=network,
        optimiser=optimiser.build(network, recipe.optim),
        average=Average(network, recipe.ema) if recipe.ema is not None else None,
        counters=Counters(),
    )
