"""Several processes that evaluate together, as `torchrun` and `accelerate launch` start them: each asks about its share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from inceptions.data import Images
from inceptions.errors import InceptionsError
from inceptions.evaluate.contenders import Contender, Opening, images_for, opened
from inceptions.train.machine import choose_device, choose_precision, start
from inceptions.train.run.folder import fingerprint
from inceptions.train.team import Team, launched, not_mine
from inceptions.weights import load_model

WITHOUT = "the images cannot be counted without its share", "Start all processes again."


@contextmanager
def joined(*, device: str = "auto", precision: str = "auto") -> Iterator[Team | None]:
    """The processes that were launched with this one, connected; None if it is alone.

    What goes wrong inside goes wrong in all of them alike (`Team.gathered` sees to the rest), so only the first one tells it.

    Args:
        device: where each computes; of several GPUs each process takes its own.
        precision: what each computes in.

    Raises:
        MachineError: another process is gone, or there is no such device.
    """
    member = launched()
    if member.size == 1:
        yield None
        return
    try:
        place = choose_device(device)
        team = Team(start(place, choose_precision(precision, place)), without=WITHOUT)
        yield team
        team.close()
    except InceptionsError as error:
        # A lost process is noticed by each for itself: the first one may be the one that is gone.
        lost = isinstance(error.__cause__, RuntimeError)
        if member.rank > 0 and not lost:
            not_mine(error)
        raise


def opened_by_all(
    team: Team | None, weights: Sequence[str], data: str | None, opening: Opening = load_model
) -> tuple[list[Contender], Images]:
    """Open weights and images in every process, and make sure that all found the same images.

    Args:
        team: the processes; None if there is one.
        weights: as for `opened`.
        data: as for `images_for`.
        opening: as for `opened`.

    Raises:
        InceptionsError: what went wrong in one of them, in all of them.
        DataError: they found different images.
    """
    found: list[tuple[list[Contender], Images]] = []

    def work() -> str:
        models = opened(weights, opening)
        images = images_for(models, data)
        found.append((models, images))
        return fingerprint(images.names, images.labels)

    if team is None:
        work()
    else:
        team.compare(team.gathered(work)[team.rank])
    return found[0]
