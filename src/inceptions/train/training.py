"""`train`: images and a recipe in, a run folder out. Puts the run together; `loop` does the work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from inceptions.data import Splits
from inceptions.errors import InceptionsError, UsageError
from inceptions.recipe import Recipe
from inceptions.train.before.fitting import fit_batch
from inceptions.train.feed import Feed
from inceptions.train.loop import Loop
from inceptions.train.optim.balance import effect
from inceptions.train.progress import Reporter, Silent
from inceptions.train.run import checkpoint
from inceptions.train.run.accepting import accept
from inceptions.train.run.checkpoint import State, restore, restore_newest
from inceptions.train.run.folder import Manifest, Row, RunFolder, versions
from inceptions.train.run.outcome import Outcome
from inceptions.train.session import Session, Setup, opened
from inceptions.train.tuning.classifier import fit_head
from inceptions.train.tuning.start import Start
from inceptions.train.watch.tracking import FOLDER, Trackers, check_trackers


def train(
    splits: Splits,
    recipe: Recipe,
    *,
    run: Path,
    weights: str | Path | Start | None = None,
    model: str = "googlenet",
    variant: str | None = None,
    width: float = 1.0,
    depth: float = 1.0,
    resume: bool = False,
    device: str = "auto",
    precision: str = "auto",
    workers: str | int = "auto",
    checkpoint_every: float = 60.0,
    fit: bool = False,
    recompute: bool = False,
    compiled: bool = False,
    track: Sequence[str] = (),
    accept_changes: bool = False,
    reporter: Reporter | None = None,
) -> Outcome:
    """Train a network from random weights, or from those of a trained one.

    Args:
        splits: training and validation images, `data.open_data(...)`.
        recipe: what to do with them, `recipe.recipe("scratch")`.
        run: the folder for everything that comes of it.
        weights: what to start from (`open_start`), read or not; it decides the network, and the recipe must show images as the
            weights know them (`adapted`). Random weights if None.
        model: name of the network, with its variant if you like ("googlenet/paper").
        variant: which of the networks of that name.
        width: factor on the number of filters.
        depth: factor on the number of modules.
        resume: go on with the run in that folder. A run that was killed on the CPU ends with the very same weights as one that
            never stopped.
        device: "auto", "cpu", "cuda", ...
        precision: "auto", "fp32", "bf16", "fp16" (GPUs only). A resumed run keeps its own if "auto".
        workers: processes that prepare images, or "auto". The weights do not depend on it.
        checkpoint_every: seconds between two checkpoints within an epoch; between the ends of epochs a third of that is enough.
            0 writes one after every update.
        fit: compute batches in as many parts as the memory needs (the recipe's `accumulate`). A resumed run keeps its own.
        recompute: forget the maps inside the trunk's layers and compute them again in the backward pass: less memory, more
            time, the same gradients.
        compiled: let torch compile the network: minutes at the start, and no gain on the CPU (a step of GoogLeNet with 32
            images of 128 pixels in bf16 takes 1.2 times as long). Dropout then draws other numbers.
        track: trackers to tell the figures to, as Accelerate names them ("tensorboard", "wandb", ...).
        accept_changes: resume although recipe or images differ from what the run was begun with (`accepting`).
        reporter: where progress goes; nowhere if None.

    Returns:
        What came of it.

    Raises:
        UsageError: an unknown name, a number out of range, images below the network's minimum, a folder that holds another run.
        DataError: too many images cannot be read.
        MachineError: the folder cannot be written to, the disk is full, the memory does not suffice, there is no such device,
            or another process of several is gone.
        DivergedError: a loss is not finite. The best weights and the last checkpoint from before are kept.
        Interrupted: SIGINT or SIGTERM; everything is saved, `resume` goes on.
    """
    reporter = reporter or Silent()
    if not (math.isfinite(checkpoint_every) and checkpoint_every >= 0):
        raise UsageError(f"checkpoint_every must be a number of seconds, 0 or more, not {checkpoint_every!r}.")
    check_trackers(track)
    folder = RunFolder(Path(run))
    before = folder.manifest if resume else None
    if before is not None:
        # The run's own, whatever this machine would choose.
        precision = before.precision if precision == "auto" else precision
        recipe = replace(recipe, accumulate=before.recipe.accumulate) if fit else recipe
    setup = Setup.choose(
        splits,
        recipe,
        weights=weights,
        model=model,
        variant=variant,
        width=width,
        depth=depth,
        device=device,
        precision=precision,
        workers=workers,
        forget=recompute,
        compiled=compiled,
    )
    with opened(setup, reporter, track=track, folder=folder.path / FOLDER) as session:
        team, say = session.team, session.reporter.say
        team.lead(partial(folder.claim, resume=resume))
        try:
            feed = session.feed()
        except InceptionsError:
            if team.leads:
                folder.give_up()
            raise
        state, stages = session.state(feed)
        step = session.step(recipe, state, feed)
        if fit and before is None:
            recipe = fit_batch(session, recipe, step)
        manifest = describe(session, recipe, feed)
        if resume:
            go_on(session, folder, manifest, state, accept_changes=accept_changes)
        else:
            team.lead(partial(folder.begin, manifest))
        for line in session.describe(recipe, feed):
            say(line)
        if line := effect(recipe, feed.trained.labels, splits.classes):
            say(line)
        if line := session.warning(recipe, state, feed):
            session.reporter.warn(line)
        loop = Loop(
            recipe,
            state,
            feed,
            session.card(feed),
            folder=folder,
            accelerator=session.accelerator,
            reporter=session.reporter,
            interrupts=session.interrupts,
            checkpoint_every=checkpoint_every,
            step=step,
            team=team,
            trackers=Trackers(session.accelerator, recipe, session.reporter, folder.path),
            stages=stages,
        )
        with feed:
            if stages is not None and state.counters.epoch == 0:
                fit_head(loop)
            outcome = loop.run()
        loop.trackers.close()
        return outcome


def describe(session: Session, recipe: Recipe, feed: Feed) -> Manifest:
    """What a run is, to be written into its folder."""
    setup = session.setup
    splits, begin = setup.splits, setup.start_from
    return Manifest(
        recipe=recipe,
        data=splits.reopened_by,
        fingerprint=feed.fingerprint,
        images=feed.images,
        classes=tuple(splits.classes),
        model=setup.architecture.name,
        variant=setup.architecture.variant,
        options=asdict(setup.architecture.options),
        precision=setup.precision,
        versions=versions(),
        weights=begin.source if begin else "",
        ignore=str(splits.ignore.resolve()) if splits.ignore else "",
        trunk=begin.digest if begin else "",
        preprocess=begin.preprocess if begin else "",
    )


def go_on(session: Session, folder: RunFolder, manifest: Manifest, state: State, *, accept_changes: bool) -> None:
    """Put a run's last checkpoint into a fresh state, in every process.

    Args:
        session: of the run that goes on.
        folder: of the run.
        manifest: what it is to go on as.
        state: where the checkpoint goes.
        accept_changes: whether that may differ from what it was.

    Raises:
        UsageError: it differs, and may not; shows how.
        WeightsError: no checkpoint can be used.
    """
    team, say = session.team, session.reporter.say
    before = folder.manifest
    differences = before.differences(manifest) if before else []
    changes = accept(differences) if accept_changes and differences else None
    if changes is None:
        team.lead(partial(folder.begin, manifest))
    fits = changes is None or changes.optimiser
    found = team.lead(partial(restore_newest, folder.checkpoints, state, say, optimiser=fits))
    if found is not None and not team.leads:
        restore(found, state, optimiser=fits)
    if changes is not None:
        assert before is not None
        if not changes.scores and state.counters.epoch >= manifest.recipe.epochs:
            raise team.common(
                UsageError(
                    f"The run in {folder.path} has trained all its epochs, and with other validation images none of them could "
                    "be called the best: add --epochs to train on, or ask its weights with `inceptions evaluate`."
                )
            )
        changes.apply(state)
        for difference in changes.differences:
            say(f"Changed: {difference}")
        if not changes.optimiser:
            say("The optimiser is of another kind and begins anew.")
        if not changes.scores:
            say("Scores so far cannot be compared with those to come: the best epoch is looked for anew.")
        # The checkpoint first: were the run killed between the two, it would go on as it was, from the start of its epoch.
        if found is not None:
            team.lead(partial(checkpoint.save, folder.checkpoints, state))
        team.lead(partial(folder.write_manifest, changes.record(manifest, before, state.counters.step)))

    def history() -> list[Row]:
        folder.load_rows(state.counters.epoch)
        return folder.rows

    folder.rows = team.lead(history)
    where = f"step {state.counters.step}" if found else "the start: there was no checkpoint yet"
    say(f"Resuming the run in {folder.path} from {where}.")
