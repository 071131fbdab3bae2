"""A batch in as many parts as the memory needs: first by arithmetic, then by trying."""

from __future__ import annotations

from dataclasses import replace

import torch

from inceptions.architecture import Architecture
from inceptions.architecture.memory import memory
from inceptions.data import Batch
from inceptions.data.scan import free_memory
from inceptions.data.shares import share
from inceptions.errors import MachineError
from inceptions.recipe import Recipe
from inceptions.train.session import Session
from inceptions.train.step import OutOfMemory, Step

# What the arithmetic leaves out: the working memory of the convolutions, and what lies between the blocks of an allocator.
MARGIN = 1.3
# Numbers that an optimiser keeps for each weight.
STATES = {"adamw": 2, "sgd": 1, "rmsprop": 2, "rmsprop_tf": 2, "adagrad": 1}


def available(device: torch.device) -> int:
    """Bytes that can be had on a device."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else free_memory()


def needed(architecture: Architecture, recipe: Recipe, images: int) -> int:
    """Bytes that a step takes, by arithmetic: so many images at a time, at the largest size of the run, in fp32."""
    side = max(recipe.size_at(epoch) for epoch in (0, recipe.epochs - 1))
    peak = memory(architecture, (side, side), batch=images, states=STATES[recipe.optim.kind])
    averaged = recipe.ema is not None or recipe.polyak is not None
    # Beside what training takes: the average, and the best weights until they are written.
    return round(MARGIN * peak.training) + (2 if averaged else 1) * peak.weights


def fit_batch(session: Session, recipe: Recipe, step: Step) -> Recipe:
    """The recipe with the fewest parts of a batch that fit into the memory.

    What is minimised stays the same, and so do order, number of updates and learning rate; only batch norm sees smaller groups.

    Args:
        session: where it is tried.
        recipe: with its own `accumulate`, which is the least that is considered.
        step: of the run; weights and statistics are left as they are, and its `parts` are set.

    Raises:
        MachineError: not even two images at a time fit.
    """
    team, device = session.team, session.accelerator.device
    mine = len(share(recipe.batch_size, team.member))
    most = max(1, mine // 2)
    room = available(device) // (team.size if device.type == "cpu" else 1)
    while step.parts < most and needed(session.setup.architecture, recipe, -(-mine // step.parts)) > room:
        step.parts += 1
    while True:
        _, failed = team.agree(None, due=not fits(recipe, step, mine))
        if not failed:
            break
        if step.parts == most:
            raise team.common(
                MachineError(f"The memory of {device} does not suffice for a step with two images: try a smaller image_size.")
            )
        step.parts = min(2 * step.parts, most)
    if step.parts > recipe.accumulate:
        session.reporter.say(
            f"A batch of {mine} images is computed in {step.parts} parts of {-(-mine // step.parts)}, to fit into the memory."
        )
    return replace(recipe, accumulate=step.parts)


def fits(recipe: Recipe, step: Step, images: int) -> bool:
    """Whether a gradient of so many images can be computed at the largest size of the run."""
    side = max(recipe.size_at(epoch) for epoch in (0, recipe.epochs - 1))
    network = step.state.network
    kept = [buffer.clone() for buffer in network.buffers()]
    grey = torch.full((images, side, side, 3), 128, dtype=torch.uint8).permute(0, 3, 1, 2)
    try:
        step.attempt(Batch(grey, torch.zeros(images, dtype=torch.int64), list(range(images))), recipe.batch_size)
    except OutOfMemory:
        return False
    finally:
        for buffer, before in zip(network.buffers(), kept, strict=True):
            buffer.copy_(before)
    return True
