"""What can be asked of a network when it is declared, without changing which network it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, dataclass, replace
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from inceptions.errors import UsageError

# ImageNet's classes and colours, which the papers' tables are for.
PAPER_CLASSES, PAPER_CHANNELS = 1000, 3


class Row(Protocol):
    """A row of a paper's table: a frozen dataclass with the module's name."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def name(self) -> str:
        """The module's name."""
        ...


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be changed about a declared network without changing which network it is.

    Attributes:
        num_classes: outputs of every head; None for the published number, which is 1000 but for `inception_v3/fid`'s 1008.
        in_channels: channels of the input.
        aux: whether the auxiliary heads are there; None for where the published weights or the paper have them. A declared
            network's own options say yes or no, and have a number of classes.
        until: the last node to keep, by the name of its tap or by its stride (16: the last at a sixteenth of the input's side);
            pooling and a new classifier follow it. None keeps all.
        width: factor on the number of filters.
        depth: factor on the number of modules in each stage.
        residual_scale: factor on every residual that a ReLU follows, 0 to 1 (1 means none); None keeps the published ones.
        padding: "same" pads every window of the trunk, so that a stride of s divides sides by s, rounded up, and nothing else
            changes them: what dense prediction needs to align its maps.

    Raises:
        UsageError: a value out of range.
    """

    num_classes: int | None = None
    in_channels: int = 3
    aux: bool | None = None
    until: str | int | None = None
    width: float = 1.0
    depth: float = 1.0
    residual_scale: float | None = None
    padding: Literal["published", "same"] = "published"

    def __post_init__(self) -> None:
        """Refuse numbers no network can have."""
        for name in ("num_classes", "in_channels"):
            value = getattr(self, name)
            if value is None and name == "num_classes":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(f"{name} must be a whole number of at least 1, not {value!r}.")
        for name in ("width", "depth"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 < value <= 16:
                raise UsageError(f"{name} must be a number above 0 and at most 16, not {value!r}.")
        scale = self.residual_scale
        if scale is not None and (not _is_number(scale) or not 0 <= scale <= 1):
            raise UsageError(f"residual_scale must be a number from 0 to 1, not {scale!r}.")
        if self.aux not in (True, False, None):
            raise UsageError(f"aux must be True, False or None, not {self.aux!r}.")
        if isinstance(self.until, bool) or not isinstance(self.until, str | int | None):
            raise UsageError(f"until must be the name of a tap or a stride, not {self.until!r}.")
        if self.padding not in ("published", "same"):
            raise UsageError(f"padding must be 'published' or 'same', not {self.padding!r}.")

    @property
    def classes(self) -> int:
        """Outputs of every head, in the options of a declared network."""
        assert self.num_classes is not None, "a declaration settles its options first"
        return self.num_classes

    def settled(self, *, classes: int = PAPER_CLASSES, aux: bool = True) -> Options:
        """With the published network's number of classes, and its auxiliary heads or none, where nothing was asked for."""
        return replace(
            self,
            num_classes=classes if self.num_classes is None else self.num_classes,
            aux=aux if self.aux is None else self.aux,
        )

    def filters(self, published: int) -> int:
        """A published number of filters at this width (at least 4, so that no branch dies out)."""
        return published if self.width == 1 else max(4, round(published * self.width))

    def repeats(self, published: int) -> int:
        """A published number of modules at this depth (at least 1)."""
        return max(1, round(published * self.depth))

    def stage(self, names: Sequence[str]) -> list[str]:
        """A stage's modules at this depth: the first ones, or all and then the last again as `name_2`, `name_3`, ..."""
        count = self.repeats(len(names))
        return [*names[:count], *(f"{names[-1]}_{i}" for i in range(2, count - len(names) + 2))]

    def rows(self, rows: Sequence[R]) -> list[R]:
        """The same for rows of a table."""
        names = self.stage([row.name for row in rows])
        return [replace(rows[min(i, len(rows) - 1)], name=name) for i, name in enumerate(names)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
