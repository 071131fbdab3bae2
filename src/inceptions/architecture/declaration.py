"""A whole network as one object, and what may be asked of it when it is declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from inceptions.architecture.nodes import Chain, Concat, Dense, Dropout, GlobalPool, Head, Node, Residual, chain
from inceptions.architecture.shapes import Shape, TooSmall, after
from inceptions.errors import UsageError, unknown

Initialiser = Literal["xavier", "he", "variance_scaling"]
"""How weights start; `inceptions.network.initialise` says what each name means and who used it."""

# No network of the family needs more; the search for a minimum starts here.
LARGEST_MINIMUM = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be changed about a declared network without changing which network it is.

    Attributes:
        num_classes: outputs of every head.
        in_channels: channels of the input.
        aux: whether the auxiliary heads are there.
        until: name of the last node to keep; pooling and a new classifier follow it. None keeps all.
        width: factor on the number of filters.
        depth: factor on the number of modules in each stage.

    Raises:
        UsageError: a number out of range.
    """

    num_classes: int = 1000
    in_channels: int = 3
    aux: bool = True
    until: str | None = None
    width: float = 1.0
    depth: float = 1.0

    def __post_init__(self) -> None:
        """Refuse numbers no network can have."""
        for name in ("num_classes", "in_channels"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(f"{name} must be a whole number of at least 1, not {value!r}.")
        for name in ("width", "depth"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 < value <= 16:
                raise UsageError(f"{name} must be a number above 0 and at most 16, not {value!r}.")

    def filters(self, published: int) -> int:
        """A published number of filters at this width (at least 4, so that no branch dies out)."""
        return published if self.width == 1 else max(4, round(published * self.width))

    def repeats(self, published: int) -> int:
        """A published number of modules at this depth (at least 1)."""
        return max(1, round(published * self.depth))


@dataclass(frozen=True, slots=True)
class Published:
    """One row of a paper's table, as printed.

    Attributes:
        output: the output size, as the paper writes it (height x width x channels).
        params: printed number of parameters, "" where the paper leaves it out.
        ops: printed number of multiply-adds, "" likewise.
        remark: what is wrong with the printed figures, if anything is known to be.
    """

    output: str
    params: str = ""
    ops: str = ""
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A declared network: the tree, its heads, and where it comes from.

    Attributes:
        name: what `create_model` calls it.
        variant: which of the networks that go by that name.
        summary: one line that tells the variants apart.
        source: paper, section and table.
        input_size: (height, width) the paper or the published weights use.
        trunk: everything up to the last feature map.
        heads: classifiers, in depth order; the last is "main".
        options: what it was declared with.
        published: the paper's own table, by node name.
        initialiser: how its weights start.
    """

    name: str
    variant: str
    summary: str
    source: str
    input_size: tuple[int, int]
    trunk: Chain
    heads: tuple[Head, ...]
    options: Options
    published: Mapping[str, Published] = field(default_factory=dict)
    initialiser: Initialiser = "he"

    @property
    def full_name(self) -> str:
        """Name and variant, as people should quote it: "googlenet/bn"."""
        return f"{self.name}/{self.variant}"

    @property
    def input_shape(self) -> Shape:
        """The input at the published size."""
        return Shape(self.options.in_channels, *self.input_size)

    @property
    def main(self) -> Head:
        """The head whose answer counts."""
        return self.heads[-1]

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of the trunk's nodes, in order: what `features` can return and `until` can end at."""
        return tuple(node.name for node in self.trunk.nodes)

    @cached_property
    def minimum_size(self) -> int:
        """The smallest square side that every layer, and every larger square, fits; found from the declaration."""
        for size in range(LARGEST_MINIMUM, 0, -1):
            try:
                self.check(size, size)
            except TooSmall:
                return size + 1
        return 1

    def check(self, height: int, width: int) -> None:
        """Walk an input of this size through trunk and heads.

        Raises:
            TooSmall: some window does not fit.
        """
        for _, shape in self.walk(Shape(self.options.in_channels, height, width)):
            assert shape.values > 0

    def walk(self, shape: Shape) -> Iterator[tuple[Head, Shape]]:
        """Each head with the shape it attaches to, for an input of `shape`.

        Raises:
            TooSmall: some window does not fit.
        """
        at: dict[str | None, Shape] = {}
        for node in self.trunk.nodes:
            shape = after(node, shape)
            at[node.name] = shape
        at[None] = shape
        for head in self.heads:
            after(head.body, at[head.at])
            yield head, at[head.at]


def assemble(
    *,
    name: str,
    variant: str,
    summary: str,
    source: str,
    input_size: tuple[int, int],
    trunk: tuple[Node, ...],
    aux: tuple[Head, ...],
    main: Chain,
    options: Options,
    published: Mapping[str, Published] | None = None,
    initialiser: Initialiser = "he",
) -> Architecture:
    """Put a declared trunk and its heads together, cut at `options.until`, without what `options` leaves out.

    Auxiliary heads whose node is not there (cut off by `until` or by `depth`) go with it. A head on the last node that is kept
    would be a second main head, and goes too.

    Raises:
        UsageError: `options.until` is no node of the trunk.
    """
    names = [node.name for node in trunk]
    assert len(set(names)) == len(names), f"{name}/{variant}: two nodes share a name"
    if options.until is not None:
        if options.until not in names:
            raise unknown(f"tap of {name}/{variant}", options.until, names)
        cut = names.index(options.until) + 1
        if cut < len(names):
            main = chain(
                "main",
                GlobalPool("pool"),
                *(node for node in main.nodes if isinstance(node, Dropout)),
                Dense("logits", options.num_classes),
            )
        trunk, names = trunk[:cut], names[:cut]
    kept = tuple(head for head in aux if options.aux and head.at in names[:-1])
    declared = Architecture(
        name=name,
        variant=variant,
        summary=summary,
        source=source,
        input_size=input_size,
        trunk=Chain("trunk", trunk),
        heads=(*kept, Head("main", replace(main, name="main"))),
        options=options,
        published=published or {},
        initialiser=initialiser,
    )
    assert all(head.body.nodes[-1].name == "logits" for head in declared.heads)
    return declared


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every leaf below `node` with its dotted path, in the order of the data's flow (and of the state dict)."""
    path = f"{path}.{node.name}" if path else node.name
    match node:
        case Chain(nodes=inner) | Concat(branches=inner):
            for child in inner:
                yield from leaves(child, path)
        case Residual(body=body):
            for child in body.nodes:
                yield from leaves(child, path)
        case _:
            yield path, node
