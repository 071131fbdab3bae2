"""What the loop is fed with: the readable images of a run, as batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Self

from inceptions.data import Batch, Loader, Splits, evaluation_batches, prepare, prepare_evaluation, training
from inceptions.data.shares import ALONE, Member
from inceptions.data.transforms import Transform
from inceptions.errors import Interrupted
from inceptions.recipe import Recipe
from inceptions.train.interrupts import Interrupts
from inceptions.train.progress import Reporter
from inceptions.train.run.folder import fingerprint

# What one validation batch may hold more than a training batch: nothing is kept for a backward pass.
VALIDATION_BATCH = 2
NAMED = 5


class Feed:
    """The batches of a run. Looks at every image once, when it is made; use it in a `with` statement, that ends its workers.

    Args:
        splits: the images.
        recipe: says how they are shown.
        workers: processes that prepare them.
        reporter: where progress goes.
        interrupts: whether somebody asked to stop while the images are looked at.
        member: which of several processes this is.

    Attributes:
        images: how many there are to train and to validate with.
        fingerprint: of their names and labels.
        steps_per_epoch: training batches in an epoch.

    Raises:
        DataError: too many images cannot be read.
        Interrupted: somebody asked to stop; nothing was begun that could be lost.
    """

    def __init__(
        self,
        splits: Splits,
        recipe: Recipe,
        *,
        workers: int,
        reporter: Reporter,
        interrupts: Interrupts,
        member: Member = ALONE,
    ) -> None:
        def shown(activity: str, done: int, total: int) -> None:
            reporter.show(activity, done, total)
            # Of several processes none may leave before the others know.
            if interrupts.requested is not None and member.size == 1:
                raise Interrupted(f"Stopped by {interrupts.requested} while the images were looked at. Run the command again.")

        self.recipe = recipe
        self.workers = workers
        self.member = member
        self.trained = prepare(splits.train, cache_side=recipe.source_size, progress=partial(shown, "reading training images"))
        self.validated = prepare_evaluation(
            splits.validation, recipe.preprocess, progress=partial(shown, "reading validation images")
        )
        for kind, readable in (("training", self.trained), ("validation", self.validated)):
            say_skipped(reporter, kind, readable.skipped)
        self.images = (len(self.trained), len(self.validated))
        self.fingerprint = fingerprint(
            (*self.trained.names, *self.validated.names), (*self.trained.labels, *self.validated.labels)
        )
        self.loader = Loader(
            self.trained,
            partial(transform, recipe),
            batch_size=recipe.batch_size,
            seed=recipe.sampling_seed,
            workers=workers,
            steps=recipe.steps_per_epoch,
            shuffle=recipe.shuffle,
            balanced=recipe.balance == "sampler",
            member=member,
        )
        self.steps_per_epoch = self.loader.steps

    def training(self, epoch: int, start: int) -> Iterator[tuple[Batch, int]]:
        """The training batches of an epoch, without the first `start`.

        Yields:
            This process's share, and how many images the shares of all processes have.
        """
        wholes = [len(presentations) for presentations in self.loader.plan(epoch)[start:]]
        return zip(self.loader.batches(epoch, start), wholes, strict=True)

    def validation(self) -> Iterable[Batch]:
        """This process's share of the validation images, as the weights will see images ever after."""
        # Pixels that are in memory already gain nothing from another process.
        workers = 0 if self.validated.cached == len(self.validated) else self.workers
        size = self.recipe.batch_size * VALIDATION_BATCH
        return evaluation_batches(self.validated, self.recipe.preprocess, batch_size=size, workers=workers, member=self.member)

    @property
    def validation_rounds(self) -> int:
        """Validation batches of the process that has the most."""
        longest = -(-len(self.validated) // self.member.size)
        return -(-longest // (self.recipe.batch_size * VALIDATION_BATCH))

    def names(self, epoch: int, batch: int) -> list[str]:
        """Names of the images in a training batch, in all processes together."""
        return [self.trained.names[one.index] for one in self.loader.plan(epoch)[batch]]

    def __enter__(self) -> Self:
        self.loader.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.loader.__exit__(kind, error, trace)


def transform(recipe: Recipe, epoch: int) -> Transform:
    """What training does to an image in an epoch."""
    return training(recipe.augment, recipe.size_at(epoch))


def say_skipped(reporter: Reporter, kind: str, skipped: Iterable[tuple[str, str]]) -> None:
    """Name the images that cannot be read: the first few with the reason, the rest as a number."""
    faults = list(skipped)
    if not faults:
        return
    reporter.warn(f"{len(faults)} {kind} image{'s' if len(faults) > 1 else ''} cannot be read and will be left out:")
    for name, reason in faults[:NAMED]:
        reporter.warn(f"  {name}: {reason}")
    if len(faults) > NAMED:
        reporter.warn(f"  and {len(faults) - NAMED} more")
