"""A whole network as one object."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from inceptions.architecture.nodes import Chain, Concat, Conv, Dense, Dropout, GlobalPool, Head, Node, Pool, Residual, chain
from inceptions.architecture.options import Options
from inceptions.architecture.shapes import Shape, TooSmall, after, reduction
from inceptions.errors import UsageError, unknown

Initialiser = Literal["xavier", "he", "variance_scaling", "truncated_normal", "glorot"]
"""How weights start; `inceptions.network.initialise` says what each name means and who used it."""

# No network of the family needs more; the search for a minimum ends here.
LARGEST_MINIMUM = 512


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
        aliases: other names that taps go by, to the names they have here.
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
    aliases: Mapping[str, str] = field(default_factory=dict)
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
    def way(self) -> tuple[str, ...]:
        """The taps that an image passes on its way to the main head: all, unless that hangs before the trunk's end."""
        taps, at = self.taps, self.main.at
        return taps if at is None else taps[: taps.index(at) + 1]

    @cached_property
    def strides(self) -> dict[int, str]:
        """The last tap at each stride of the feature maps (2, 4, 8, ...): what pyramids and decoders are built on."""
        found, stride = {}, 1
        for node in self.trunk.nodes:
            stride *= reduction(node)
            if stride:
                found[stride] = node.name
        return found

    def tap(self, asked: str | int) -> str:
        """The tap somebody means: by its name, by an alias, by what is inside it ("inception_4a.branch_2"), or by its stride.

        Raises:
            UsageError: there is none.
        """
        if isinstance(asked, int):
            if asked not in self.strides:
                raise UsageError(f"{self.full_name} has no tap at stride {asked}; it has {', '.join(map(str, self.strides))}.")
            return self.strides[asked]
        head, *rest = asked.split(".")
        known = self.aliases.get(head, head)
        if known not in self.taps:
            raise unknown(f"tap of {self.full_name}", asked, self.taps)
        return ".".join((known, *rest))

    @cached_property
    def minimum_size(self) -> int:
        """The smallest side that every layer fits; found from the declaration.

        Every larger side fits too, because no window makes a larger map smaller and branches never disagree about a size; the
        tests walk through all of them.
        """
        return bisect_left(range(LARGEST_MINIMUM), True, lo=1, key=self._fits)

    def _fits(self, size: int) -> bool:
        try:
            return all(shape.values > 0 for _, shape in self.walk(Shape(self.options.in_channels, size, size)))
        except TooSmall:
            return False

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
    main_at: str | None = None,
    aliases: Mapping[str, str] | None = None,
    published: Mapping[str, Published] | None = None,
    initialiser: Initialiser = "he",
) -> Architecture:
    """Put a declared trunk and its heads together, cut at `options.until`, without what `options` leaves out.

    Auxiliary heads whose node is not there (cut off by `until` or by `depth`) go with it. A head on the last node that is kept
    would be a second main head, and goes too. A cut behind the node the main head hangs on leaves the head as it is.

    Raises:
        UsageError: `options.until` is no node of the trunk, or there are no residuals for `options.residual_scale` to scale.
    """
    if options.residual_scale is not None and not any(isinstance(node, Residual) for node in trunk):
        raise UsageError(f"{name}/{variant} has no residual connections: residual_scale means nothing to it.")
    if options.padding == "same":
        trunk = tuple(padded(node) for node in trunk)
    whole = Architecture(
        name=name,
        variant=variant,
        summary=summary,
        source=source,
        input_size=input_size,
        trunk=Chain("trunk", trunk),
        heads=(*(head for head in aux if options.aux), Head("main", main, at=main_at)),
        options=options,
        aliases={alias: tap for alias, tap in (aliases or {}).items() if tap in {node.name for node in trunk}},
        published=published or {},
        initialiser=initialiser,
    )
    assert len(set(whole.taps)) == len(whole.taps), f"{whole.full_name}: two nodes share a name"
    assert all(head.body.nodes[-1].name == "logits" for head in whole.heads)
    last = whole.way[-1] if options.until is None else whole.tap(options.until)
    if last not in whole.taps:
        raise UsageError(f"A network can end at a whole node ({last.split('.')[0]}), not inside one ({options.until}).")
    if last in whole.way[:-1]:
        main = chain(
            "main",
            GlobalPool("pool"),
            *(node for node in main.nodes if isinstance(node, Dropout)),
            Dense("logits", options.classes),
        )
        main_at = None
    cut = len(trunk) if options.until is None else whole.taps.index(last) + 1
    before = whole.taps[: min(cut, len(whole.way)) - 1]
    kept = tuple(head for head in whole.heads[:-1] if head.at in before)
    return replace(
        whole,
        trunk=Chain("trunk", trunk[:cut]),
        heads=(*kept, Head("main", main, at=main_at)),
        options=options if options.until is None else replace(options, until=last),
    )


def padded(node: Node) -> Node:
    """The node with every window padded so that only strides change the size: `Options.padding`, "same"."""
    match node:
        case Conv(padding="valid"):
            return replace(node, padding="same")
        case Pool(padding="valid", kernel=kernel):
            # An even window cannot be centred; rounding up gives it the same size.
            return replace(node, padding="same", ceil=kernel % 2 == 0)
        case Chain(nodes=nodes):
            return replace(node, nodes=tuple(padded(inner) for inner in nodes))
        case Concat(branches=branches):
            return replace(node, branches=tuple(Chain(branch.name, tuple(map(padded, branch.nodes))) for branch in branches))
        case Residual(body=body):
            return replace(node, body=Chain(body.name, tuple(map(padded, body.nodes))))
        case _:
            return node


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
