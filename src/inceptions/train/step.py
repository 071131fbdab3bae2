"""What is computed for one update: the gradient of a batch, as a whole or part by part, in one process or in several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from inceptions.data import Batch, batch_seed, mixed, normalise
from inceptions.data.shares import counts
from inceptions.errors import MachineError
from inceptions.recipe import Recipe
from inceptions.train.machine import Readback
from inceptions.train.optim.loss import AllHeads, objective
from inceptions.train.optim.optimiser import set_rate
from inceptions.train.run.checkpoint import State
from inceptions.train.team import Team

# What torch says when the memory of the CPU is used up; that of a GPU has a class of its own.
NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class OutOfMemory(MachineError):
    """A batch did not fit."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a batch came to, in all processes together.

    Attributes:
        images: how many there were.
        objective: what was minimised.
        loss: mean cross-entropy of the main head in nats.
        correct: how many of them the main head answered rightly.
        norm: length of the whole gradient before clipping. A GPU would have to wait for it, and answers with that of the batch
            before; None with fp16, whose updates may be skipped for a gradient that is not finite.
    """

    images: int
    objective: float
    loss: float
    correct: int
    norm: float | None

    @property
    def finite(self) -> bool:
        """Whether an update with this gradient leaves numbers behind."""
        return math.isfinite(self.objective) and (self.norm is None or math.isfinite(self.norm))


class Step:
    """Computes gradients and makes updates.

    Args:
        recipe: what is minimised.
        state: the network and its optimiser.
        accelerator: device and precision.
        team: the processes.
        classes: how many there are.
        class_weights: factor on the loss of each class, `[classes]`; None for 1.
        compiled: whether torch compiles the network.

    Attributes:
        parts: that a batch is computed in, the recipe's `accumulate`.
        norm: length of the last gradient before clipping, on the device.
    """

    def __init__(
        self,
        recipe: Recipe,
        state: State,
        *,
        accelerator: Accelerator,
        team: Team,
        classes: int,
        class_weights: Tensor | None = None,
        compiled: bool = False,
    ) -> None:
        self.recipe = recipe
        self.parts = recipe.accumulate
        self.state = state
        self.accelerator = accelerator
        self.team = team
        self.classes = classes
        self.class_weights = None if class_weights is None else class_weights.to(accelerator.device)
        module = AllHeads(state.network).train()
        if compiled:
            module.compile()
        self.module: nn.Module
        self.module, self.optimiser = accelerator.prepare(module, state.optimiser)
        self.readback, self.norm_readback = Readback(accelerator.device), Readback(accelerator.device)
        self.scaled = accelerator.scaler is not None
        self.norm: Tensor | None = None

    def gradients(self, batch: Batch, whole: int) -> Numbers:
        """The gradient of a batch, ready for `update`.

        Args:
            batch: this process's share.
            whole: images in the shares of all processes.

        Raises:
            OutOfMemory: the memory does not suffice.
            MachineError: another process is gone.
        """
        with self.team.guarded():
            self._backward(batch, whole, meet=True)
        return self._numbers(whole)

    def attempt(self, batch: Batch, whole: int) -> None:
        """Compute a gradient, say nothing of it and forget it; other processes are not waited for.

        Raises:
            OutOfMemory: the memory does not suffice.
        """
        try:
            self._backward(batch, whole, meet=False)
        finally:
            self.optimiser.zero_grad()

    def _backward(self, batch: Batch, whole: int, *, meet: bool) -> None:
        try:
            self._accumulate(batch, whole, meet=meet)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(
                f"The memory of {self.accelerator.device} does not suffice for {-(-len(batch.labels) // self.parts)} images of "
                f"{batch.images.shape[-1]} pixels at a time. What was saved before is kept. Try --batch auto, which computes a "
                "batch in parts, --recompute, or a smaller batch_size."
            ) from error

    def _accumulate(self, batch: Batch, whole: int, *, meet: bool) -> None:
        recipe, counters, team, device = self.recipe, self.state.counters, self.team, self.accelerator.device
        torch.manual_seed(dropout_seed(recipe.sampling_seed, counters.step, team.rank))
        images = normalise(batch.images.to(device, non_blocking=True), recipe.preprocess)
        labels = batch.labels.to(device, non_blocking=True)
        chance = batch_seed(recipe.sampling_seed, counters.epoch, counters.batch)
        images, targets = mixed(images, labels, classes=self.classes, augment=recipe.augment, seed=chance)
        own = counts(whole, team.member)
        shown = torch.zeros(3, device=device)
        parts = cut(len(labels), self.parts)
        for number, part in enumerate(parts, start=1):
            share = (part.stop - part.start) / whole if own else 0.0
            # Processes need to meet once an update, not once a part.
            alone = team.size > 1 and (number < len(parts) or not meet)
            with self.accelerator.no_sync(self.module) if alone else nullcontext():
                heads = self.module(images[part])
                loss = objective(
                    heads,
                    targets[part],
                    aux_weight=recipe.aux_weight,
                    label_smoothing=recipe.label_smoothing,
                    class_weights=self.class_weights,
                )
                with torch.no_grad():
                    main = heads["main"].float()
                    right = (main.argmax(1) == labels[part]).sum() * own
                    shown += torch.stack((loss.detach() * share, cross_entropy(main, labels[part]) * share, right.float()))
                if number == len(parts):
                    self.readback.fetch(shown)
                # Torch takes the mean over the processes; what is wanted is the mean over the images.
                factor = share * team.size
                self.accelerator.backward(loss if factor == 1 else loss * factor)

    def _numbers(self, whole: int) -> Numbers:
        parameters = [parameter for parameter in self.state.network.parameters() if parameter.grad is not None]
        if self.scaled:
            self.accelerator.unscale_gradients()
        self.norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
        if self.recipe.optim.clip is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.recipe.optim.clip, self.norm)
        norm = None if self.scaled else self._norm()
        total, main_loss, right = self.team.sum(self.readback.numbers())
        return Numbers(whole, total, main_loss, int(right), norm)

    def _norm(self) -> float | None:
        assert self.norm is not None
        if self.accelerator.device.type != "cuda":
            return float(self.norm)
        before = self.norm_readback.numbers()[0] if self.norm_readback.began else None
        self.norm_readback.fetch(self.norm.reshape(1))
        return before

    def update(self, rate: float) -> None:
        """Change the weights along the gradient, and their average."""
        set_rate(self.state.optimiser, rate)
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.state.average:
            self.state.average.update()


def cut(n: int, parts: int) -> list[slice]:
    """A batch of `n` images as `parts` equal parts to within one, or fewer where a part would have a single image."""
    parts = max(1, min(parts, n // 2))
    return [slice(n * i // parts, n * (i + 1) // parts) for i in range(parts)]


def dropout_seed(seed: int, step: int, rank: int = 0) -> int:
    """The seed of all chance in an update's forward pass: a function of the step, so that no generator need be saved."""
    return (seed * 1_000_003 + step + rank * 2**52) % 2**63


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch found no memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in NO_MEMORY)


def length(tensors: Sequence[Tensor]) -> float:
    """The Euclidean length of tensors as one vector."""
    return float(nn.utils.get_total_norm(list(tensors)))
