"""Several models of one recipe that start from the same weights and see other samplings of the images.

GoogLeNet's paper (arXiv:1409.4842, section 7) answers with the mean of seven such models' probabilities. An ensemble's folder
holds a run for each of them, `model-1`, `model-2`, ...; they are trained one after the other.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inceptions.data import Splits, evaluation_batches, prepare_evaluation
from inceptions.errors import Interrupted, UsageError
from inceptions.files import write_text
from inceptions.train.machine import choose_device
from inceptions.train.progress import Reporter
from inceptions.train.run.folder import RECIPE, read_manifest
from inceptions.train.run.job import ENSEMBLE, Job, is_finished, is_reported, member
from inceptions.train.run.outcome import Outcome
from inceptions.train.team import launched, not_mine
from inceptions.train.training import train
from inceptions.train.validation import Answers, validate
from inceptions.weights import load_model

# Images in a forward pass: as many as a validation batch of a recipe with 32.
BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of an ensemble, at its best epoch.

    Attributes:
        run: its folder.
        epoch: counted from 1.
        accuracy: on the validation images.
        loss: on the validation images, in nats.
    """

    run: Path
    epoch: int
    accuracy: float
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """What came of the models.

    Attributes:
        run: the folder that holds their runs.
        models: in the order in which they were trained.
        n: validation images.
        accuracy: of the mean of the models' probabilities.
        loss: of that mean, in nats.
    """

    run: Path
    models: tuple[Model, ...]
    n: int
    accuracy: float
    loss: float


def ensemble_size(asked: Job, models: int | None) -> int | None:
    """How many models a job means: those asked for, or those of the ensemble in its folder; None for a single run.

    Raises:
        UsageError: fewer than two, or another number than the folder was begun with.
    """
    file = asked.run / ENSEMBLE
    before = read_size(file) if asked.resume and file.is_file() else None
    if models is not None and models < 2:
        raise UsageError(f"--ensemble takes 2 models or more, not {models}.")
    if models is not None and before not in (None, models):
        raise UsageError(f"The ensemble in {asked.run} has {before} models, not {models}. Leave --ensemble out to go on.")
    return models or before


def read_size(file: Path) -> int:
    """The number of models that an ensemble's folder was begun with.

    Raises:
        UsageError: the file is damaged.
    """
    try:
        return int(json.loads(file.read_text(encoding="utf-8"))["models"])
    except (ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{file} is damaged ({error}). Remove it, and say the number of models with --ensemble.") from error


def members(asked: Job, models: int) -> list[Job]:
    """The runs of an ensemble: equal but for the seed of order, augmentation and dropout."""
    first = asked.recipe.sampling_seed
    runs = [member(asked.run, number) for number in range(1, models + 1)]
    recipes = [replace(asked.recipe, data_seed=(first + i) % 2**31) for i in range(models)]
    return [
        replace(asked, run=run, recipe=recipe, resume=(run / RECIPE).is_file())
        for run, recipe in zip(runs, recipes, strict=True)
    ]


def train_ensemble(
    asked: Job,
    models: int,
    splits: Splits,
    *,
    reporter: Reporter,
    device: str,
    finished: Callable[[Outcome], object] | None = None,
    **options: Any,
) -> Ensemble:
    """Train what is left to train of an ensemble, and ask all of its models together.

    Args:
        asked: the run that each of them is, its folder the ensemble's.
        models: how many.
        splits: training and validation images.
        reporter: where progress goes.
        device: as for `train`.
        finished: told what came of each model, before the next one begins; writes its report.
        options: more for `train`.

    Raises:
        UsageError: the folder holds an ensemble and `asked.resume` is false, or there are several processes; and all that
            `train` raises.
        Interrupted: with the command that goes on.
    """
    refuse_several()
    record = asked.run / ENSEMBLE
    if record.is_file() and not asked.resume:
        raise UsageError(
            f"{asked.run} already holds an ensemble. Add --resume to go on with it, or name another folder with --run."
        )
    write_text(record, json.dumps({"models": models}) + "\n")
    jobs = members(asked, models)
    for number, job in enumerate(jobs, start=1):
        if is_reported(job.run) if finished else is_finished(job.run):
            continue
        reporter.say(f"Model {number} of {models}: {job.run}")
        try:
            outcome = train(
                splits,
                job.recipe,
                run=job.run,
                model=job.model,
                variant=job.variant,
                width=job.width,
                depth=job.depth,
                weights=job.start or job.weights,
                resume=job.resume,
                reporter=reporter,
                device=device,
                **options,
            )
        except Interrupted as error:
            raise Interrupted(
                f"Stopped in model {number} of {models}; everything is saved. Go on with: inceptions train --resume --run "
                f"{shlex.quote(str(asked.run))}"
            ) from error
        if finished:
            finished(outcome)
    together = ask([job.run for job in jobs], splits, choose_device(device))
    return Ensemble(
        run=asked.run,
        models=tuple(map(score, (job.run for job in jobs))),
        n=len(together.labels),
        accuracy=together.accuracy,
        loss=together.loss,
    )


def refuse_several() -> None:
    """Refuse to be one of several processes: models that are trained one after the other would connect them anew for each.

    Raises:
        UsageError: `torchrun` or `accelerate launch` started more than one.
    """
    member = launched()
    if member.size == 1:
        return
    error = UsageError(
        f"--ensemble trains its models in one process, and there are {member.size}: start it without a launcher, or launch "
        "each model by itself, with equal --set seed=… and its own --set data_seed=… and --run."
    )
    raise error if member.rank == 0 else not_mine(error)


def score(run: Path) -> Model:
    """What a finished run wrote into its weights."""
    said = load_model(run)[1].provenance
    return Model(run=run, epoch=said["epoch"], accuracy=said["validation_accuracy"], loss=said["validation_loss"])


def ask(runs: Sequence[Path], splits: Splits, device: torch.device) -> Answers:
    """The logarithm of the mean of several models' probabilities for each validation image.

    Args:
        runs: of the models, which show images in the same way.
        splits: with the validation images.
        device: where the networks compute.
    """
    _, card = load_model(runs[0])
    images = prepare_evaluation(splits.validation, card.preprocess)
    total: Tensor | None = None
    for run in runs:
        network, card = load_model(run)
        bf16 = read_manifest(run).precision == "bf16"
        answers = validate(
            network.to(device=device, memory_format=torch.channels_last),  # type: ignore[call-overload]
            evaluation_batches(images, card.preprocess, batch_size=BATCH),
            card.preprocess,
            partial(torch.autocast, device.type, dtype=torch.bfloat16) if bf16 else nullcontext,
        )
        probabilities = answers.logits.double().softmax(1)
        total = probabilities if total is None else total + probabilities
    assert total is not None
    return Answers((total / len(runs)).log(), answers.labels)
