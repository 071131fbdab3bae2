"""The training loop with its images in memory against the bare step it makes: what order, augmentation and counting cost."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks import step as bare
from benchmarks.interleaved import Measured, in_turn
from inceptions.data import Augment, Splits
from inceptions.data.decode import AtLeast
from inceptions.recipe import Recipe, recipe
from inceptions.train.loop import Loop
from inceptions.train.progress import Silent
from inceptions.train.run.folder import RunFolder
from inceptions.train.session import Setup, opened
from inceptions.train.watch.tracking import Trackers

IMAGES, STEPS = 512, 16


class Noise:
    """Images that are in memory from the start: 176 pixels high, as recipe `scratch` keeps photographs."""

    notes = ()

    def __init__(self) -> None:
        chance = random.Random(0)
        self.names = [f"{i}.png" for i in range(IMAGES)]
        self.labels = [i % 2 for i in range(IMAGES)]
        self._images = [Image.frombytes("RGB", (234, 176), chance.randbytes(3 * 234 * 176)) for _ in range(16)]

    def __len__(self) -> int:
        return IMAGES

    def open(self, i: int, at_least: int | None = None) -> Image.Image:  # noqa: ARG002 (the protocol's)
        """One of sixteen pictures of noise."""
        return self._images[i % 16]

    def pixels(self, i: int, at_least: AtLeast | None = None) -> NDArray[np.uint8]:  # noqa: ARG002 (the protocol's)
        """Its pixels."""
        return np.array(self.open(i))


def measure() -> Measured:
    """Recipe `scratch` at its final size, bf16 autocast, on the CPU, `STEPS` updates a round."""
    scratch = replace(
        recipe("scratch"), image_size=bare.SIZE, start_size=None, batch_size=bare.BATCH, steps_per_epoch=STEPS, epochs=1000
    )
    plain = replace(scratch, augment=Augment(crop="whole", flip=False))
    x = torch.randn(bare.BATCH, 3, bare.SIZE, bare.SIZE).to(memory_format=torch.channels_last)
    labels = torch.arange(bare.BATCH) % 2
    step = bare.ours(x, labels)
    with ExitStack() as stack:
        return in_turn(
            f"GoogLeNet training, batch {bare.BATCH}, {bare.SIZE}×{bare.SIZE}, bf16, {STEPS} steps a round",
            {
                "bare step on one batch": lambda: [step() for _ in range(STEPS)],
                "loop, whole images": looping(stack, plain),
                "loop, recipe scratch": looping(stack, scratch),
            },
            bare.BATCH * STEPS,
            note="the images are in memory; one worker process resizes and augments them on the same cores",
        )


def looping(stack: ExitStack, chosen: Recipe) -> Callable[[], None]:
    """`STEPS` updates of a run that is set up as `train` sets it up, without validation and files."""
    noise = Noise()
    splits = Splits(name="noise", classes=("a", "b"), train=noise, validation=noise)
    setup = Setup.choose(splits, chosen, device="cpu", precision="bf16", workers=1)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    session = stack.enter_context(opened(setup, Silent()))
    feed = stack.enter_context(session.feed())
    state, _ = session.state(feed)
    loop = Loop(
        chosen,
        state,
        feed,
        session.card(feed),
        folder=RunFolder(folder),
        accelerator=session.accelerator,
        reporter=Silent(),
        interrupts=session.interrupts,
        checkpoint_every=1e9,
        step=session.step(chosen, state, feed),
        team=session.team,
        trackers=Trackers(session.accelerator, chosen, Silent(), folder),
    )
    return partial(epoch, loop)


def epoch(loop: Loop) -> None:
    """One epoch's updates."""
    loop.train_epoch()
    loop.state.counters.epoch += 1
    loop.state.counters.begin_epoch()
