"""The first epoch of a recipe with `tuning`: the best classifier there is on the features of the frozen network."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from inceptions.errors import DivergedError, Interrupted
from inceptions.network import Network
from inceptions.network.layers import DenseUnit
from inceptions.train.loop import Loop
from inceptions.train.tuning.features import CLASSIFIER, Watch, compute_features

FEATURES = "features"
ITERATIONS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A classifier, and how it answers the images it was made of.

    Attributes:
        weight: float64, `[classes, features]`.
        bias: float64, `[classes]`.
        seen: images.
        computed: those whose features were not known yet.
        correct: those it answers rightly.
        loss_sum: sum of their cross-entropies in nats.
        seconds: that the features took.
    """

    weight: Tensor
    bias: Tensor
    seen: int
    computed: int
    correct: int
    loss_sum: float
    seconds: float


def fit_head(loop: Loop) -> None:
    """Make the first epoch of a run, and write down what it came to.

    Args:
        loop: of the run, at its start.

    Raises:
        Interrupted: somebody asked to stop; what was computed is kept.
        WeightsError: the network's features are not finite.
        DivergedError: the classifier is not finite.
        MachineError: something could not be written.
    """
    fitted = fit(loop)
    for network in (loop.state.network, loop.state.result):
        set_classifier(network, fitted.weight, fitted.bias)
    counters = loop.state.counters
    counters.presented += fitted.computed
    counters.training_seconds += fitted.seconds
    counters.seen, counters.correct, counters.loss_sum = fitted.seen, fitted.correct, fitted.loss_sum
    loop.finish_epoch(loop.validate())


def fit(loop: Loop) -> Fitted:
    """Features of all training images, and the classifier for them.

    Raises:
        Interrupted: as `fit_head`, and so the others.
    """
    feed, tuning = loop.feed, loop.recipe.tuning
    assert tuning is not None
    began = time.monotonic()
    features = compute_features(
        loop.state.network,
        feed.trained,
        loop.preprocess,
        mirror=tuning.mirror,
        cache=loop.folder.path / FEATURES,
        workers=feed.workers,
        watch=Watch(
            show=partial(show, loop),
            autocast=loop.accelerator.autocast,
            precision=loop.accelerator.mixed_precision,
        ),
    )
    seconds = time.monotonic() - began
    if known := len(features.labels) - features.computed:
        loop.reporter.say(f"The features of {known:,} images were there already.")
    weight, bias = fit_classifier(features.values, features.labels, classes=len(loop.card.classes), l2=tuning.l2)
    if not bool(torch.isfinite(weight).all() and torch.isfinite(bias).all()):
        raise DivergedError(f"The classifier is not finite. Try a larger tuning.l2 than {tuning.l2:g}.")
    logits = features.values[0].double() @ weight.T + bias
    n = len(features.labels)
    return Fitted(
        weight=weight,
        bias=bias,
        seen=n,
        computed=features.computed,
        correct=int((logits.argmax(1) == features.labels).sum()),
        loss_sum=float(cross_entropy(logits, features.labels)) * n,
        seconds=seconds,
    )


def show(loop: Loop, done: int, total: int, figures: str) -> None:
    """Show how far the features are, and stop if somebody asked to.

    Raises:
        Interrupted: with the command that goes on.
    """
    loop.reporter.show("features", done, total, figures)
    if loop.interrupts.requested is not None:
        raise Interrupted(
            f"Stopped by {loop.interrupts.requested} after the features of {done} of {total} images; they are saved. "
            f"Go on with: inceptions train --resume --run {shlex.quote(str(loop.folder.path))}"
        )


def fit_classifier(features: Tensor, labels: Tensor, *, classes: int, l2: float) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression, solved to its optimum: the minimum of mean cross-entropy + l2 / 2 · |weight|².

    The length is that of the weight for features with mean 0 and a variance of 1 on average over them; one scale for all, since
    a network's own scales say which features matter. What is returned is for the features as they are.

    Args:
        features: `[views, n, features]`; every view of an image counts as one more image.
        labels: `[n]`.
        classes: how many there are.
        l2: above 0.

    Returns:
        Weight `[classes, features]` and bias `[classes]` in float64, on the CPU.
    """
    views, n, width = features.shape
    x = features.reshape(views * n, width).to(torch.float64, copy=True)
    y = labels.repeat(views)
    mean = x.mean(dim=0)
    x -= mean
    scale = float(x.square().mean().sqrt()) or 1.0
    x /= scale
    solution = torch.zeros(classes, width + 1, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [solution], max_iter=ITERATIONS, tolerance_grad=1e-6, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        solver.zero_grad()
        weight, bias = solution[:, :-1], solution[:, -1]
        value = cross_entropy(torch.addmm(bias, x, weight.T), y) + l2 / 2 * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]
    weight, bias = solution.detach()[:, :-1] / scale, solution.detach()[:, -1]
    return weight, bias - weight @ mean


@torch.no_grad()
def set_classifier(network: Network, weight: Tensor, bias: Tensor) -> None:
    """Give a network's main head its classifier."""
    unit = network.get_submodule(CLASSIFIER)
    assert isinstance(unit, DenseUnit) and unit.linear.bias is not None  # noqa: PT018 (one promise)
    unit.linear.weight.copy_(weight)
    unit.linear.bias.copy_(bias)
