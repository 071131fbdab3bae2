"""A training run as data: everything that decides the result, and nothing about the machine it runs on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from inceptions.data import Augment, Shuffle
from inceptions.errors import UsageError
from inceptions.recipe.changes import Changes
from inceptions.recipe.fields import Between, Count, NotNegative, Positive, Share, settle
from inceptions.recipe.schedule import Schedule
from inceptions.recipe.tuning import Tuning
from inceptions.weights import IMAGENET_MEAN, IMAGENET_STD, Preprocess

Side = Annotated[int, Between(1, 8192)]
BelowOne = Annotated[float, Between(0, 0.999_999)]
Seed = Annotated[int, Between(0, 2**31 - 1)]

# Sizes during progressive resizing move in these stairs (pixels): few enough that the backend's kernels are found once each.
SIZE_STAIR = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Optim:
    """The optimiser and its numbers.

    Attributes:
        kind: "adamw" (Loshchilov & Hutter 2019), "sgd" with momentum, "rmsprop" as Keras and torch have it (epsilon outside the
            root, accumulator from 0), "rmsprop_tf" as TensorFlow has it and the papers from 2015 on were trained with it
            (epsilon inside the root, accumulator from 1), "adagrad" as TensorFlow has it (accumulator from 0.1) and facenet
            used it.
        lr: the full learning rate; the schedule multiplies it.
        weight_decay: on the weights of convolutions and dense layers; never on biases and the scale and shift of norms. A part
            of the gradient (L2), but for "adamw", which shrinks the weights beside it.
        momentum: of "sgd", "rmsprop" and "rmsprop_tf".
        nesterov: whether "sgd" looks ahead (Sutskever et al. 2013); needs a momentum.
        betas: of "adamw".
        alpha: decay of the squared gradient's average in "rmsprop" and "rmsprop_tf".
        eps: of all but "sgd".
        clip: largest norm of the whole gradient; None leaves it as it is.

    Raises:
        UsageError: a value of the wrong type or out of range.
    """

    kind: Literal["adamw", "sgd", "rmsprop", "rmsprop_tf", "adagrad"] = "adamw"
    lr: Positive
    weight_decay: NotNegative = 0.0
    momentum: BelowOne = 0.0
    nesterov: bool = False
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.999)
    alpha: BelowOne = 0.99
    eps: Positive = 1e-8
    clip: Positive | None = None

    def __post_init__(self) -> None:
        """Refuse what does not fit."""
        settle(self)
        if self.nesterov and (self.kind != "sgd" or self.momentum == 0):
            raise UsageError('optim.nesterov needs optim.kind "sgd" and an optim.momentum above 0.')


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How a whole image is shown to the network outside training; the sizes are the recipe's.

    Attributes:
        resize: "shorter_side" and a centre crop, or "exact": the whole image, its aspect given up.
        crop_share: side of the centre crop over the shorter side of the resized image.
        interpolation: of the resize.
        channels: their order, as the network is given them.
        mean: subtracted from each channel on the scale 0 to 1, in training too.
        std: each channel is divided by it, in training too.

    Raises:
        UsageError: a value of the wrong type or out of range.
    """

    resize: Literal["shorter_side", "exact"] = "shorter_side"
    crop_share: Annotated[float, Between(0.1, 1)] = 0.875
    interpolation: Literal["nearest", "bilinear", "bicubic", "box"] = "bilinear"
    channels: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[Positive, Positive, Positive] = IMAGENET_STD

    def __post_init__(self) -> None:
        """Refuse what does not fit."""
        settle(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A training run as data.

    Attributes:
        name: what `inceptions train --recipe` calls it.
        summary: what it is for, in one line.
        source: who published it; "" for our own.
        command: the command that runs it.
        result: what it is known to reach, published or measured.
        unknown: what the source leaves open, and how it was filled.
        cost: what it takes.
        model: the network it trains unless another is named, with its variant: "googlenet/paper"; None for the command's own.
        seed: of the initial weights and, without a `data_seed`, of all other chance.
        data_seed: of the order, the augmentation and dropout. Models of equal `seed` that differ in it start from the same
            weights and see other samplings of the same images.
        epochs: passes over the training images.
        steps_per_epoch: batches that count as an epoch, taken from an endless stream of shuffled passes as Keras does; None for
            one pass.
        batch_size: images in a step.
        accumulate: parts that a batch is computed in, one after the other, before the one update: less memory, the same
            gradient to rounding. Batch norm sees each part alone, so networks that have it train a little differently.
        balance: how classes of unequal size are made equal: "none"; "loss" weights each image by one over its class's size;
            "sampler" shows every class equally often, in as many images an epoch as there are.
        validate_every: epochs from one validation to the next. The last epoch is validated in any case, and so is the last
            one of each of `tuning`'s stages. The best weights are those of a validated epoch.
        patience: the run ends after so many epochs without a better one, counted when an epoch is validated; None trains all
            epochs. The schedule does not know.
        image_size: side of the training images in pixels, at the end of the growth.
        source_size: training images are first made smaller until their shorter side has this many pixels, never larger; None
            cuts crops out of the originals. Once reduced, a few thousand images fit into memory.
        start_size: side in the first epoch, when it grows (Tan & Le 2021, arXiv:2104.00298, section 4); None if it does not.
        grow: share of the epochs over which the size grows.
        test_size: side of the images in validation and afterwards; `image_size` if None. Random crops magnify, so a network may
            want larger images in use than in training (Touvron et al. 2019, arXiv:1906.06423).
        aux_weight: weight of each auxiliary head's loss in training.
        label_smoothing: share of the target spread over all classes (Szegedy et al. 2015, arXiv:1512.00567, section 7).
        ema: decay of the moving average of the weights that is validated and saved; None for the weights themselves.
        polyak: share of the run's updates, the last ones, over which the weights are averaged evenly (Polyak & Juditsky 1992);
            that average is validated and saved. None for the weights themselves; not beside `ema`.
        dropout: share that every dropout layer of the network drops; None for the network's own.
        bn_momentum: weight of a batch in batch norm's running statistics, PyTorch's sense (one minus TensorFlow's decay); None
            for the network's own.
        residual_scale: factor on the residuals of an Inception-ResNet; None for the network's own.
        changes: those of Ioffe & Szegedy 2015 to GoogLeNet's training; None in all recipes but theirs.
        shuffle: in which order the images come.
        tuning: what is done with the weights of a trained network, that the recipe then needs; None trains all of it.
        optim: the optimiser.
        schedule: of the learning rate.
        augment: what happens to a training image.
        view: what happens to an image outside training.

    Raises:
        UsageError: a value of the wrong type or out of range, or two that contradict each other.
    """

    name: str
    summary: str
    source: str = ""
    command: str = ""
    result: str = ""
    unknown: tuple[str, ...] = ()
    cost: str = ""
    model: str | None = None
    seed: Seed = 0
    data_seed: Seed | None = None
    epochs: Count
    steps_per_epoch: Count | None = None
    # Batch norm in training needs two images to have a variance.
    batch_size: Annotated[int, Between(2, 1_000_000)]
    accumulate: Count = 1
    balance: Literal["none", "loss", "sampler"] = "none"
    validate_every: Count = 1
    patience: Count | None = None
    image_size: Side
    source_size: Side | None = None
    start_size: Side | None = None
    grow: Share = 0.8
    test_size: Side | None = None
    aux_weight: NotNegative = 0.3
    label_smoothing: BelowOne = 0.0
    ema: BelowOne | None = None
    polyak: Annotated[float, Between(0, 1, exclusive=True)] | None = None
    dropout: BelowOne | None = None
    bn_momentum: Annotated[float, Between(0, 1, exclusive=True)] | None = None
    residual_scale: Share | None = None
    optim: Optim
    schedule: Schedule = field(default_factory=Schedule)
    augment: Augment = field(default_factory=Augment)
    shuffle: Shuffle = field(default_factory=Shuffle)
    view: View = field(default_factory=View)
    changes: Changes | None = None
    tuning: Tuning | None = None

    def __post_init__(self) -> None:
        """Refuse what does not fit."""
        settle(self)
        if self.start_size is not None and self.start_size > self.image_size:
            raise UsageError(f"start_size ({self.start_size}) must not be above image_size ({self.image_size}).")
        if 2 * self.accumulate > self.batch_size:
            raise UsageError(
                f"accumulate ({self.accumulate}) must leave each part two images of a batch_size of {self.batch_size} at least."
            )
        if self.ema is not None and self.polyak is not None:
            raise UsageError("ema and polyak are two averages of the same weights: set one of them to none.")

    @property
    def sampling_seed(self) -> int:
        """The seed of all chance but the initial weights."""
        return self.seed if self.data_seed is None else self.data_seed

    def size_at(self, epoch: int) -> int:
        """Side of the training images in pixels in an epoch (counted from 0)."""
        growing = self.grow * self.epochs
        if self.start_size is None or epoch >= growing:
            return self.image_size
        side = self.start_size + (self.image_size - self.start_size) * epoch / growing
        return min(self.image_size, max(self.start_size, SIZE_STAIR * round(side / SIZE_STAIR)))

    @property
    def stepping_epochs(self) -> int:
        """The epochs that are made of updates: all, but for the first one of a recipe with `tuning`."""
        return self.epochs if self.tuning is None else self.epochs - 1

    def validates(self, epoch: int) -> bool:
        """Whether the validation images are looked at when an epoch (counted from 0) is over."""
        if (epoch + 1) % self.validate_every == 0 or epoch + 1 == self.epochs:
            return True
        thawed = self.tuning.thawed if self.tuning is not None else None
        return thawed is not None and thawed(epoch, self.epochs) != thawed(epoch + 1, self.epochs)

    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        """The rate of one update, as a pure function of the number of updates before it."""
        return self.optim.lr * self.schedule.factor(step, steps_per_epoch=steps_per_epoch, epochs=self.stepping_epochs)

    @property
    def preprocess(self) -> Preprocess:
        """What validation and every later use of the weights does to an image."""
        side = self.test_size or self.image_size
        shorter = self.view.resize == "shorter_side"
        return Preprocess(
            size=(side, side),
            resize=self.view.resize,
            resize_to=round(side / self.view.crop_share) if shorter else 0,
            interpolation=self.view.interpolation,
            mean=self.view.mean,
            std=self.view.std,
            channels=self.view.channels,
        )
