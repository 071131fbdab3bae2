"""A small training loop in memory that keeps what experiments ask about: losses, gradients, activations, accuracies.

It is not the training of `inceptions.train`: no files, no workers, no augmentation but what a function does to a batch, no
checkpoints. It is deterministic: the same seed gives the same figures on the same machine and library.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from inceptions.claims.claim import Curve, digest
from inceptions.claims.images import Sample, Share
from inceptions.network import Network

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
EVALUATION_BATCH = 250
# Held-out images that are judged during training; in the end all are.
LOOKED_AT = 150
# Trainings of some dozen steps: the usual 0.1 would judge a network by the statistics of weights that it no longer has.
BN_MOMENTUM = 0.3


@dataclass(frozen=True, kw_only=True)
class Training:
    """How an arm is trained.

    Attributes:
        steps: how many.
        lr: learning rate at the start.
        batch: images a step.
        optimiser: SGD with momentum 0.9, RMSProp with momentum 0.9, or AdamW.
        decay: cosine to zero, or none.
        warmup: steps over which the rate rises from zero.
        weight_decay: of all weights.
        smoothing: label smoothing.
        aux_weight: of each auxiliary head's loss.
        clip: largest norm of the gradient; 0 for none.
        augment: changes a batch of training images.
        looks: how often the held-out images are judged, evenly over the steps; the last time at the end.
        gradients: parameters (by the beginnings of their names) whose gradient's norm is kept.
        activations: modules whose outputs' quantiles are kept, on the held-out images.
    """

    steps: int
    lr: float = 0.1
    batch: int = 32
    optimiser: Literal["sgd", "rmsprop", "adamw"] = "sgd"
    decay: Literal["cosine", "none"] = "cosine"
    warmup: int = 0
    weight_decay: float = 1e-4
    smoothing: float = 0.0
    aux_weight: float = 0.3
    clip: float = 0.0
    augment: Augmentation | None = None
    looks: int = 4
    gradients: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        fall = (1 + math.cos(math.pi * step / self.steps)) / 2 if self.decay == "cosine" else 1.0
        return self.lr * rise * fall


@dataclass(eq=False)
class Log:
    """What came of a training.

    Attributes:
        losses: of every step, the main head's alone, unsmoothed: comparable between arms.
        accuracies: on the held-out images, after some steps.
        gradients: norm by parameter, of every step.
        activations: curves of the 15th, 50th and 85th percentile by module ("conv_1 p50").
        logits: of the held-out images at the end, `[n, classes]`.
        accuracy: on them.
        train_accuracy: on the training images, as they are.
        chance: what answering always with the commonest class would be.
        diverged: the loss left the numbers, and training stopped there.
    """

    losses: Curve = field(default_factory=list)
    accuracies: Curve = field(default_factory=list)
    gradients: dict[str, Curve] = field(default_factory=dict)
    activations: dict[str, Curve] = field(default_factory=dict)
    logits: Tensor = field(default_factory=lambda: torch.empty(0))
    accuracy: float = 0.0
    train_accuracy: float = 0.0
    chance: float = 0.0
    diverged: bool = False

    @property
    def trace(self) -> str:
        """A digest of what was computed."""
        return digest(self.losses, self.gradients, self.logits.numpy().tobytes())

    def values(self) -> dict[str, float]:
        """The figures that every experiment may want; a diverged loss counts as that of guessing."""
        count = max(1, len(self.losses))
        mean = sum(loss for _, loss in self.losses) / count
        return {
            "accuracy": self.accuracy,
            "train_accuracy": self.train_accuracy,
            "gap": self.train_accuracy - self.accuracy,
            "mean_loss": mean,
            "chance": self.chance,
            "diverged": float(self.diverged),
        }

    def smooth_losses(self, over: int = 5) -> Curve:
        """Means over blocks of steps: what a picture can show."""
        blocks = [self.losses[i : i + over] for i in range(0, len(self.losses), over)]
        return [(block[-1][0], sum(loss for _, loss in block) / len(block)) for block in blocks]

    def steps_to(self, accuracy: float, never: int) -> float:
        """The first look at which the held-out accuracy is reached, in steps; `never` if it is not."""
        return next((step for step, reached in self.accuracies if reached >= accuracy), float(never))


def fit(model: Network, sample: Sample, training: Training, seed: int) -> Log:
    """Train a network on a sample.

    Args:
        model: fresh; it is changed.
        sample: the images.
        training: how.
        seed: of the order of the images, the dropout and the augmentation.
    """
    torch.manual_seed(seed)
    model.set_bn_momentum(BN_MOMENTUM)
    chance = torch.Generator().manual_seed(seed)
    order_chance = torch.Generator().manual_seed(seed + 1)
    optimiser = _optimiser(model, training)
    watched = {
        name: [parameter for own, parameter in model.named_parameters() if own.startswith(name)] for name in training.gradients
    }
    assert all(watched.values()), f"no parameters under {[name for name, found in watched.items() if not found]}"
    log = Log(gradients={name: [] for name in watched})
    looks = {round(training.steps * (i + 1) / training.looks) for i in range(training.looks)}
    order = torch.empty(0, dtype=torch.long)
    for step in range(training.steps):
        if len(order) < training.batch:
            order = torch.cat([order, torch.randperm(len(sample.train), generator=order_chance)])
        index, order = order[: training.batch], order[training.batch :]
        x, y = sample.train.x[index], sample.train.y[index]
        if training.augment is not None:
            x = training.augment(x, chance)
        for group in optimiser.param_groups:
            group["lr"] = training.rate(step)
        model.train()
        optimiser.zero_grad()
        heads = model.heads(x)
        main = heads.pop("main")
        loss = cross_entropy(main, y, label_smoothing=training.smoothing)
        for logits in heads.values():
            loss = loss + training.aux_weight * cross_entropy(logits, y, label_smoothing=training.smoothing)
        if not torch.isfinite(loss):
            log.diverged = True
            break
        loss.backward()  # type: ignore[no-untyped-call]
        for name, parameters in watched.items():
            squares = [parameter.grad.square().sum() for parameter in parameters if parameter.grad is not None]
            log.gradients[name].append((step + 1.0, float(torch.stack(squares).sum().sqrt())))
        if training.clip:
            nn.utils.clip_grad_norm_(model.parameters(), training.clip)
        optimiser.step()
        log.losses.append((step + 1.0, float(cross_entropy(main.detach(), y))))
        if step + 1 in looks:
            log.accuracies.append((step + 1.0, _look(model, sample.held, training, log, step + 1)))
    log.logits = predict(model, sample.held)
    log.chance = float(sample.held.y.bincount().max()) / len(sample.held)
    log.accuracy = accuracy(log.logits, sample.held.y)
    log.train_accuracy = accuracy(predict(model, sample.train), sample.train.y)
    return log


def predict(model: nn.Module, share: Share, first: int | None = None) -> Tensor:
    """Logits of the main head, `[n, classes]`, in evaluation mode; of the first so many images only, if said."""
    model.eval()
    index = torch.arange(len(share))[:first]
    with torch.inference_mode():
        found = [model(share.x[index[i : i + EVALUATION_BATCH]]) for i in range(0, len(index), EVALUATION_BATCH)]
    return torch.cat(found).clone()


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of right answers; an answer that is no number is wrong."""
    right = (logits.argmax(1) == labels) & torch.isfinite(logits).all(1)
    return float(right.double().mean())


def _optimiser(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    match training.optimiser:
        case "sgd":
            return torch.optim.SGD(
                model.parameters(), training.lr, momentum=0.9, weight_decay=training.weight_decay, fused=True
            )
        case "rmsprop":
            return torch.optim.RMSprop(
                model.parameters(),
                training.lr,
                alpha=0.9,
                eps=1e-3,
                momentum=0.9,
                weight_decay=training.weight_decay,
                foreach=True,
            )
        case "adamw":
            return torch.optim.AdamW(model.parameters(), training.lr, weight_decay=training.weight_decay, fused=True)


def _look(model: Network, held: Share, training: Training, log: Log, step: int) -> float:
    """Accuracy on the held-out images; the quantiles of the watched modules' outputs on the way."""
    seen: dict[str, list[Tensor]] = {name: [] for name in training.activations}

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _module, _given, out: seen[name].append(out.detach().flatten().clone())

    handles = [model.get_submodule(name).register_forward_hook(keep(name)) for name in seen]
    found = accuracy(predict(model, held, LOOKED_AT), held.y[:LOOKED_AT])
    for handle in handles:
        handle.remove()
    for name, outputs in seen.items():
        every = outputs[0][:: max(1, outputs[0].numel() // 50_000)]
        for share in (15, 50, 85):
            log.activations.setdefault(f"{name} p{share}", []).append((float(step), float(every.quantile(share / 100))))
    return found
