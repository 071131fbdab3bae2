"""A small training run for the tests to kill: `go` runs in a process of its own.

Where it dies is counted in its own calls, so that every test hits the same place each time; the signal is a real one.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from inceptions import files
from inceptions.console import stoppable
from inceptions.data import Augment, Splits, open_data
from inceptions.errors import InceptionsError
from inceptions.recipe import Optim, Recipe, Schedule, View
from inceptions.train import Silent, loop, told, train
from inceptions.train.feed import Feed
from inceptions.train.loop import Loop
from inceptions.train.run.folder import RunFolder

EPOCHS = 3
STEPS = 4
RECIPE = Recipe(
    name="small",
    summary="a run of twelve steps",
    epochs=EPOCHS,
    batch_size=8,
    image_size=32,
    start_size=16,
    label_smoothing=0.1,
    ema=0.9,
    optim=Optim(kind="adamw", lr=2e-3, weight_decay=0.05, clip=5.0),
    schedule=Schedule(kind="cosine", warmup_epochs=1),
    augment=Augment(crop="whole", flip=False, rotation=10, shift=0.1, fill="constant"),
    view=View(resize="exact"),
)

# Each place where a run can be hit: the method whose n-th call (from 1) is the moment.
PLACES: dict[str, tuple[Any, str]] = {
    "update": (Loop, "update"),
    "validation": (Feed, "validation"),
    "checkpoint": (Loop, "checkpoint"),
    "history": (RunFolder, "write_rows"),
    # Between the writing of a file and its renaming: everything is on the disk, under a temporary name.
    "rename": (files, "_sync"),
}


def small_splits(trained: int = STEPS * RECIPE.batch_size, validated: int = 16) -> Splits:
    """32 digits to learn, 16 to be judged on."""
    digits = open_data("digits")
    train = digits.train.subset(range(trained))
    return Splits(name="digits", classes=digits.classes, train=train, validation=digits.validation.subset(range(validated)))


def go(run: Path, **options: Any) -> Any:
    """Train the small run."""
    torch.set_num_threads(1)
    options = {
        "recipe": RECIPE,
        "reporter": Silent(),
        "width": 0.1,
        "depth": 0.4,
        "workers": 0,
        "device": "cpu",
        "checkpoint_every": 0.0,
        **options,
    }
    recipe, splits = options.pop("recipe"), options.pop("splits", None)
    return train(splits or small_splits(), recipe, run=run, **options)


def process(
    run: Path, options: dict[str, Any], place: str | None, number: int, death: signal.Signals, ready: Any = None
) -> None:
    """The whole life of a process: a run, hit by a signal at the n-th call of a place; the exit code is the command's."""
    if place is not None or "resume" in options:
        loop.draw_history = lambda rows, folder: None  # half of the time of so small a run
    if place is not None:
        owner, method = PLACES[place]
        setattr(owner, method, hit(getattr(owner, method), number, death))
    try:
        # As the command does, which notices signals from its first line on.
        with stoppable():
            if ready is not None:
                ready.set()
            go(run, **options)
            if ready is not None:
                os._exit(0)  # while signals are noticed: the run is over
    except InceptionsError as error:
        with suppress(OSError):
            (run.parent / "message").write_text(str(error))
        sys.exit(error.exit_code)


def hit(method: Callable[..., Any], number: int, death: signal.Signals) -> Callable[..., Any]:
    """The method, which sends its own process a signal at its n-th call."""
    calls = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), death)
        return method(*args, **kwargs)

    return counted


def fellow(
    rank: int, size: int, port: int, run: Path, options: dict[str, Any], place: str | None, number: int, death: signal.Signals
) -> None:
    """As `process`, for one of several that `torchrun` would start."""
    where = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in where.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    if place is not None:
        owner, method = PLACES[place]
        setattr(owner, method, hit(getattr(owner, method), number, death))
    loop.draw_history = lambda rows, folder: None
    try:
        go(run, **options)
    except InceptionsError as error:
        (run.parent / f"message-{rank}{'-told' if told(error) else ''}").write_text(str(error))
        sys.exit(error.exit_code)
