"""Going on with a run although its recipe or its images have changed: what that means, and what it cannot mean.

The run goes on from its last checkpoint, at the start of the epoch that was under way, as the new recipe has it from there. Its
weights are then those of neither recipe alone; `recipe.toml` says what was changed, and after which update.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inceptions.errors import UsageError
from inceptions.train.run.checkpoint import State
from inceptions.train.run.folder import Manifest

# What decides the network: its weights would have no place in another one.
NETWORK = ("model", "variant", "options.", "trunk", "residual_scale", "dropout")
# What decides how validation images are judged.
JUDGED = ("images", "classes", "view.", "test_size", "image_size")


@dataclass(frozen=True, slots=True)
class Accepted:
    """Changes that a run goes on with.

    Attributes:
        differences: "field: before → now" each.
        optimiser: whether it still fits; if not, it begins anew.
        scores: whether the scores so far can be compared with those to come; if not, the best epoch is looked for anew.
    """

    differences: tuple[str, ...]
    optimiser: bool
    scores: bool

    def apply(self, state: State) -> None:
        """Put a restored state at the start of its epoch."""
        state.counters.begin_epoch()
        if not self.scores:
            state.counters.best = None

    def record(self, manifest: Manifest, before: Manifest, step: int) -> Manifest:
        """The new manifest, with the changes written down."""
        lines = (f"after step {step}: {difference}" for difference in self.differences)
        return replace(manifest, accepted=(*before.accepted, *lines))


def accept(differences: Sequence[str]) -> Accepted:
    """Judge the differences between a run and what it is to go on as.

    Args:
        differences: `Manifest.differences`.

    Raises:
        UsageError: another network.
    """
    fields = [difference.partition(":")[0] for difference in differences]
    if network := [line for line, field in zip(differences, fields, strict=True) if field.startswith(NETWORK)]:
        shown = "\n  ".join(network)
        raise UsageError(
            f"--accept-changes cannot turn a network into another one:\n  {shown}\nStart a new run in another folder; with "
            "--weights it can begin with this one's weights."
        )
    return Accepted(
        differences=tuple(differences),
        optimiser="optim.kind" not in fields,
        scores=not any(field.startswith(JUDGED) for field in fields),
    )
