"""What a declared network costs: shapes, parameters, multiply-adds, receptive field, without running anything.

A multiply-add is one multiplication and one addition of a convolution or a dense layer, the unit the papers count in; biases,
batch norm, pooling and activations are not counted (nor do the papers). Parameters are what training changes: weights, biases,
and batch norm's scale and shift. Two other ways of counting them are in use for this family, and `Bill` has both: TF-slim's
networks have no scale, and Keras's totals leave the scale out and include the running mean and variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import reduce
from typing import Any

from inceptions.architecture.declaration import Architecture, Published, leaves
from inceptions.architecture.nodes import (
    BatchNorm,
    Chain,
    Concat,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    GridPool,
    Head,
    L2Normalise,
    LocalResponseNorm,
    Node,
    Pool,
    Residual,
    SeparableConv,
)
from inceptions.architecture.options import PAPER_CHANNELS, PAPER_CLASSES
from inceptions.architecture.shapes import Shape, TooSmall, after
from inceptions.architecture.view import View, behind
from inceptions.errors import UsageError


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one node and of the nodes inside it.

    Attributes:
        name: dotted path of the node: its feature tap, and where its weights are in the state dict.
        op: what it does, in a few signs ("conv 7×7/2").
        output: shape that leaves it.
        params: trainable parameters.
        macs: multiply-adds for one image.
        activations: numbers written, by it and by every node inside it.
        field: side of the square of input pixels that one output value can see.
        nodes: the nodes inside it.
    """

    name: str
    op: str
    output: Shape
    params: int
    macs: int
    activations: int
    field: int
    nodes: tuple[Cost, ...] = ()

    def to_dict(self, whole: int = 0) -> dict[str, Any]:
        """Plain values; `output` is [channels, height, width], `share` the part of `whole` multiply-adds, None without one."""
        return {
            "name": self.name,
            "op": self.op,
            "output": [self.output.channels, self.output.height, self.output.width],
            "params": self.params,
            "macs": self.macs,
            "share": round(self.macs / whole, 6) if whole else None,
            "activations": self.activations,
            "receptive_field": self.field,
            **({"nodes": [node.to_dict(whole) for node in self.nodes]} if self.nodes else {}),
        }


@dataclass(frozen=True, slots=True)
class Layers:
    """How many layers of the kinds that people count.

    Attributes:
        convolutions: a separable one is two.
        batch_norms: after convolutions and dense layers.
        normalised_channels: of all batch norms together; each has a scale, a shift, a running mean and a running variance.
    """

    convolutions: int
    batch_norms: int
    normalised_channels: int

    @classmethod
    def of(cls, architecture: Architecture, heads: tuple[Head, ...]) -> Layers:
        """Count the trunk and these heads."""
        convolutions, normalised = 0, []
        for tree in (architecture.trunk, *(head.body for head in heads)):
            for _, leaf in leaves(tree):
                match leaf:
                    case Conv(filters=channels, norm=norm):
                        convolutions += 1
                    case SeparableConv(filters=channels, norm=norm):
                        convolutions += 2
                    case Dense(units=channels, norm=norm):
                        pass
                    case _:
                        continue
                normalised += [channels] if norm is not None else []
        return cls(convolutions, len(normalised), sum(normalised))


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost of a whole network at one input size.

    Attributes:
        architecture: the network.
        input: shape of one image.
        nodes: the trunk and the main head, in order; their sums are the network's.
        heads: the auxiliary heads.
    """

    architecture: Architecture
    input: Shape
    nodes: tuple[Cost, ...]
    heads: tuple[Cost, ...]

    @property
    def params(self) -> int:
        """Parameters without the auxiliary heads."""
        return sum(node.params for node in self.nodes)

    @property
    def params_trunk(self) -> int:
        """Parameters of the trunk alone: what a network without its classifier has."""
        return sum(node.params for node in self.nodes[: len(self.architecture.taps)])

    @property
    def params_with_heads(self) -> int:
        """Parameters with the auxiliary heads."""
        return self.params + sum(head.params for head in self.heads)

    @property
    def macs(self) -> int:
        """Multiply-adds of a prediction for one image."""
        return sum(node.macs for node in self.nodes)

    @property
    def macs_trunk(self) -> int:
        """Multiply-adds of the trunk alone."""
        return sum(node.macs for node in self.nodes[: len(self.architecture.taps)])

    @property
    def macs_with_heads(self) -> int:
        """Multiply-adds of one image's forward pass in training."""
        return self.macs + sum(head.macs for head in self.heads)

    @property
    def layers(self) -> Layers:
        """Convolutions and batch norms, without the auxiliary heads."""
        return Layers.of(self.architecture, self.architecture.heads[-1:])

    @property
    def layers_with_heads(self) -> Layers:
        """Convolutions and batch norms, with the auxiliary heads."""
        return Layers.of(self.architecture, self.architecture.heads)

    @property
    def layers_of_trunk(self) -> Layers:
        """Convolutions and batch norms of the trunk alone."""
        return Layers.of(self.architecture, ())

    @property
    def published(self) -> Mapping[str, Published]:
        """The paper's rows, by our node's name, as far as they are about this network.

        None are if every row would differ (another size or number of channels of the input, another width, depth or padding);
        those of the main head are not if its classes are others, or if it hangs elsewhere.
        """
        architecture, options = self.architecture, self.architecture.options
        if self.input != Shape(PAPER_CHANNELS, *architecture.input_size) or options.padding != "published":
            return {}
        if not options.width == options.depth == 1:
            return {}
        whole = options.classes == PAPER_CLASSES and options.until is None
        return {name: row for name, row in architecture.published.items() if whole or not name.startswith("main.")}

    def to_dict(self) -> dict[str, Any]:
        """The stable document of `inceptions cost --json`."""
        layers, all_layers, trunk = self.layers, self.layers_with_heads, self.layers_of_trunk
        published = {name: asdict(row) for name, row in self.published.items()}
        return {
            "model": self.architecture.name,
            "variant": self.architecture.variant,
            "summary": self.architecture.summary,
            "classes": self.architecture.options.classes,
            "input": [self.input.channels, self.input.height, self.input.width],
            "minimum_size": self.architecture.minimum_size,
            "params": self.params,
            "params_with_heads": self.params_with_heads,
            "params_trunk": self.params_trunk,
            "params_slim": self.params - layers.normalised_channels,
            "params_slim_with_heads": self.params_with_heads - all_layers.normalised_channels,
            "params_slim_trunk": self.params_trunk - trunk.normalised_channels,
            "params_keras": self.params + layers.normalised_channels,
            "params_keras_with_heads": self.params_with_heads + all_layers.normalised_channels,
            "params_keras_trunk": self.params_trunk + trunk.normalised_channels,
            "macs": self.macs,
            "macs_with_heads": self.macs_with_heads,
            "macs_trunk": self.macs_trunk,
            "convolutions": layers.convolutions,
            "convolutions_with_heads": all_layers.convolutions,
            "batch_norms": layers.batch_norms,
            "batch_norms_with_heads": all_layers.batch_norms,
            "activations": sum(node.activations for node in self.nodes),
            "nodes": [{**node.to_dict(self.macs), "published": published.get(node.name)} for node in self.nodes],
            "heads": [head.to_dict() for head in self.heads],
        }


def cost(architecture: Architecture, size: tuple[int, int] | None = None) -> Bill:
    """Count a network.

    Args:
        architecture: the declaration.
        size: (height, width) of the input; the published one if None.

    Raises:
        UsageError: the network cannot work on an input that small.
    """
    height, width = size or architecture.input_size
    entrance = Shape(architecture.options.in_channels, height, width)
    try:
        points = dict(architecture.walk(entrance))
    except TooSmall as error:
        raise UsageError(
            f"{architecture.full_name} needs images of at least {architecture.minimum_size}×{architecture.minimum_size} "
            f"pixels, not {height}×{width}: {error}."
        ) from error
    nodes: list[Cost] = []
    view, views = View(), {}
    shape = entrance
    for node in architecture.trunk.nodes:
        counted, view = _count(node, shape, view)
        nodes.append(counted)
        views[node.name] = view
        shape = counted.output
    main = architecture.main
    nodes += _count_each(main.body.nodes, points[main], views[architecture.way[-1]], "main")[0]
    heads = []
    for head in architecture.heads[:-1]:
        assert head.at is not None
        counted, _ = _count(head.body, points[head], views[head.at])
        heads.append(replace(counted, op=f"head on {head.at}"))
    return Bill(architecture, entrance, tuple(nodes), tuple(heads))


def conv_macs(filters: int, kernel: int, shape: Shape) -> int:
    """Multiply-adds of a size-keeping convolution on `shape`, as the textbook example counts them."""
    return _count(Conv("conv", filters, kernel), shape, View())[0].macs


def _count(node: Node, shape: Shape, view: View, path: str = "") -> tuple[Cost, View]:
    """The cost of a node on an input of `shape`, and the view behind it."""
    path = f"{path}.{node.name}" if path else node.name
    out = after(node, shape)
    match node:
        case Chain(nodes=inner):
            inside, view = _count_each(inner, shape, view, path)
            op = ", ".join(one.op for one in inside)
        case Concat(branches=branches):
            counted = [_count(branch, shape, view, path) for branch in branches]
            inside = [one for one, _ in counted]
            view = reduce(View.joined, (seen for _, seen in counted))
            op = f"concat of {len(branches)}"
        case Residual(body=body, scale=scale):
            inside, view = _count_each(body.nodes, shape, view, path)
            op = f"residual ×{scale:g}"
        case _:
            params, macs = leaf_cost(node, shape, out)
            view = behind(node, shape, view)
            return Cost(path, _op(node), out, params, macs, out.values, view.field), view
    own = sum(one.activations for one in inside) + (0 if isinstance(node, Chain) else out.values)
    total = Cost(
        path, op, out, sum(one.params for one in inside), sum(one.macs for one in inside), own, view.field, tuple(inside)
    )
    return total, view


def _count_each(inner: tuple[Node, ...], shape: Shape, view: View, path: str) -> tuple[list[Cost], View]:
    costs: list[Cost] = []
    for node in inner:
        counted, view = _count(node, shape, view, path)
        costs.append(counted)
        shape = counted.output
    return costs, view


def leaf_cost(node: Node, shape: Shape, out: Shape) -> tuple[int, int]:
    """Parameters and multiply-adds of a leaf that turns `shape` into `out`."""
    match node:
        case Conv(norm=norm):
            weights = shape.channels * node.window[0] * node.window[1] * node.filters
            bias = node.filters if node.has_bias else 0
            return weights + bias + _norm(norm, node.filters), weights * out.height * out.width
        case SeparableConv(norm=norm):
            each = shape.channels * node.multiplier
            weights = each * (node.window[0] * node.window[1] + node.filters)
            bias = node.filters if node.has_bias else 0
            return weights + bias + _norm(norm, node.filters), weights * out.height * out.width
        case Dense(units=units, norm=norm, bias=bias):
            weights = shape.channels * units
            return weights + (units if bias else 0) + _norm(norm, units), weights
        case _:
            return 0, 0


def _norm(norm: BatchNorm | None, channels: int) -> int:
    return 0 if norm is None else 2 * channels


def _op(node: Node) -> str:
    match node:
        case Conv(stride=stride):
            return f"conv {node.window[0]}×{node.window[1]}{_over(stride)}"
        case SeparableConv(stride=stride):
            return f"separable conv {node.window[0]}×{node.window[1]}{_over(stride)}"
        case Pool(kind=kind, kernel=kernel, stride=stride):
            return f"{kind} pool {kernel}×{kernel}{_over(stride)}"
        case GridPool(grid=grid, kernel=kernel, stride=stride):
            return f"average pool to {grid}×{grid}" + (f" ({kernel}×{kernel}{_over(stride)})" if kernel else "")
        case GlobalPool():
            return "global average pool"
        case LocalResponseNorm(size=size):
            return f"LRN over {size}"
        case Dropout(p=p):
            return f"dropout {p:.0%}"
        case Flatten():
            return "flatten"
        case L2Normalise():
            return "divide by length"
        case _:
            return "dense"


def _over(stride: int) -> str:
    return f"/{stride}" if stride != 1 else ""
