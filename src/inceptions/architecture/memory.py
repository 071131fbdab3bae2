"""How much memory a declared network takes to predict and to train: arithmetic, nothing is run.

The network is written down as the operations PyTorch runs for it, each with the map it makes and the maps its backward reads.
Going through them forwards and backwards, with every map freed when nobody needs it any more, gives the peaks. What autograd
keeps: a convolution its input, batch norm its input, a ReLU (which works in place) its output, maximum pooling its input and
the indices (64-bit), average pooling its input, dropout its mask; concatenation and sums nothing.

Everything is counted in 32-bit numbers. Not counted are the working memory of the convolution algorithms, which the hardware's
library chooses, what the framework itself takes, and an optimiser's temporary values. On a CPU the predictions are within 10 %
of PyTorch's own account (tests/architecture/test_memory.py); a library that rearranges large weights for small maps takes more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from inceptions.architecture import nodes
from inceptions.architecture.cost import Layers, leaf_cost
from inceptions.architecture.declaration import Architecture
from inceptions.architecture.shapes import Shape, after, pads

VALUE, INDEX = 4, 8
"""Bytes of a number, and of the place where a maximum was found."""

IMAGES = 0
"""The map that everything starts from; whoever calls the network holds it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Peaks of memory, in bytes, for one batch.

    Attributes:
        batch: images in it.
        weights: what the weights take at rest: parameters (auxiliary heads too, if declared) and the averages of batch norm.
        images: the batch itself.
        optimiser: what the optimiser remembers between steps.
        inference: peak while predicting with the main head; weights and images are in it.
        training: peak of a training step over all heads; weights, images and the optimiser's memory are in it.
    """

    batch: int
    weights: int
    images: int
    optimiser: int
    inference: int
    training: int

    def to_dict(self) -> dict[str, Any]:
        """The part `memory` of `inceptions cost --json`."""
        return {
            "batch": self.batch,
            "weights_bytes": self.weights,
            "inference_bytes": self.inference,
            "training_bytes": self.training,
        }


def memory(architecture: Architecture, size: tuple[int, int] | None = None, *, batch: int = 1, states: int = 2) -> Memory:
    """Predict the memory that a network takes.

    Args:
        architecture: the declaration.
        size: (height, width) of the input; the published one if None.
        batch: images at a time.
        states: numbers the optimiser remembers for each weight: 0 for plain SGD, 1 with momentum, 2 for AdamW.

    Raises:
        TooSmall: the network cannot work on an input that small.
    """
    entrance = Shape(architecture.options.in_channels, *(size or architecture.input_size))
    predicting, training = (_record(architecture, entrance, batch, train) for train in (False, True))
    parameters = VALUE * training.parameters
    normalised = Layers.of(architecture, architecture.heads)
    averages = 2 * VALUE * normalised.normalised_channels + INDEX * normalised.batch_norms
    resident = parameters + averages
    step = max(training.forward_peak(keep=True), training.backward_peak(), parameters + training.sizes[IMAGES])
    return Memory(
        batch=batch,
        weights=resident,
        images=training.sizes[IMAGES],
        optimiser=states * parameters,
        inference=resident + predicting.forward_peak(keep=False),
        training=resident + states * parameters + step,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of PyTorch's on maps, which are known by number.

    Attributes:
        reads: the maps it computes from, and hands gradients to.
        writes: the map it makes, or changes in place.
        size: bytes it allocates for that.
        keeps: maps its backward needs.
        hidden: bytes of what it makes beside the map and its backward needs (indices, masks).
        scratch: bytes it has for itself while it runs.
        holds: maps that its callers still hold while it runs.
        parameters: how many it has.
        aliases: its backward hands its own gradient on, or parts of it, instead of making new ones.
    """

    reads: tuple[int, ...]
    writes: int
    size: int
    keeps: tuple[int, ...] = ()
    hidden: int = 0
    scratch: int = 0
    holds: tuple[int, ...] = ()
    parameters: int = 0
    aliases: bool = False


@dataclass(slots=True)
class Tape:
    """The operations of a network in order, and the size in bytes of every map.

    Attributes:
        batch: images at a time.
        train: whether dropout does anything.
        sizes: bytes of each map.
        operations: in the order they run.
        answers: maps that are given back.
        constant: maps that no gradient is for.
    """

    batch: int
    train: bool
    sizes: list[int]
    operations: list[Operation] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    constant: set[int] = field(default_factory=lambda: {IMAGES})

    @property
    def parameters(self) -> int:
        """Of all operations together."""
        return sum(operation.parameters for operation in self.operations)

    def bytes(self, values: int) -> int:
        """What a map takes whose share for one image is so many numbers."""
        return VALUE * self.batch * values

    def make(
        self,
        values: int,
        *reads: int,
        keeps: tuple[int, ...] = (),
        hidden: int = 0,
        scratch: int = 0,
        holds: tuple[int, ...] = (),
        parameters: int = 0,
        aliases: bool = False,
    ) -> int:
        """Note an operation that makes a map of so many values an image; returns the map's number."""
        made = len(self.sizes)
        self.sizes.append(self.bytes(values))
        if not parameters and self.constant.issuperset(reads):
            self.constant.add(made)
        self.operations.append(
            Operation(
                reads=reads,
                writes=made,
                size=self.sizes[made],
                keeps=keeps,
                hidden=hidden,
                scratch=scratch,
                holds=holds,
                parameters=parameters,
                aliases=aliases,
            )
        )
        return made

    def rectify(self, x: int) -> int:
        """Note a ReLU in place."""
        self.operations.append(Operation(reads=(x,), writes=x, size=0, keeps=(x,)))
        return x

    def forward_peak(self, *, keep: bool) -> int:
        """The most that maps take at once; with `keep`, those the backward needs stay."""
        last = {number: i for i, op in enumerate(self.operations) for number in (*op.reads, *op.holds, op.writes)}
        stay = {IMAGES, *self.answers} | ({number for op in self.operations for number in op.keeps} if keep else set())
        living = peak = self.sizes[IMAGES]
        for i, op in enumerate(self.operations):
            living += op.size + op.hidden
            peak = max(peak, living + op.scratch)
            living -= 0 if keep else op.hidden
            living -= sum(self.sizes[number] for number in {*op.reads, *op.holds, op.writes} - stay if last[number] == i)
        return peak

    def backward_peak(self) -> int:
        """The most that kept maps, gradients of maps and gradients of weights take at once."""
        keepers = Counter(number for op in self.operations for number in op.keeps)
        kept = sum(self.sizes[number] for number in {IMAGES, *self.answers, *keepers})
        kept += sum(op.hidden for op in self.operations)
        gradients = {number: self.sizes[number] for number in self.answers}
        weights = peak = 0
        for op in reversed(self.operations):
            incoming = gradients.pop(op.writes, 0)
            made = {number: self.sizes[number] for number in op.reads if number not in self.constant}
            weights += VALUE * op.parameters
            flowing = max(incoming, sum(made.values())) if op.aliases else incoming + sum(made.values())
            peak = max(peak, kept + weights + sum(gradients.values()) + flowing)
            gradients |= made
            keepers.subtract(op.keeps)
            kept -= op.hidden + sum(self.sizes[number] for number in op.keeps if not keepers[number] and number != IMAGES)
        return peak


def _record(architecture: Architecture, entrance: Shape, batch: int, train: bool) -> Tape:
    """The operations of `model.heads(x)` in training, or of `model(x)`."""
    tape = Tape(batch, train, [VALUE * batch * entrance.values])
    points = dict(architecture.walk(entrance))
    shape, x = entrance, IMAGES
    waiting = {head.at: head for head in architecture.heads[:-1]} if train else {}
    for node in architecture.trunk.nodes[: len(architecture.way)]:
        x, shape = _note(tape, node, shape, x), after(node, shape)
        if node.name in waiting:
            head = waiting[node.name]
            tape.answers.append(_note(tape, head.body, points[head], x))
    tape.answers.append(_note(tape, architecture.main.body, points[architecture.main], x))
    return tape


def _note(tape: Tape, node: nodes.Node, shape: Shape, x: int) -> int:
    """Note a node's operations on the map `x`, of `shape` an image; returns the map that leaves it."""
    out = after(node, shape)
    match node:
        case nodes.Chain(nodes=inner):
            for child in inner:
                x, shape = _note(tape, child, shape, x), after(child, shape)
            return x
        case nodes.Concat(branches=branches):
            made = (_note(tape, branch, shape, x) for branch in branches)
            return tape.make(out.values, *made, holds=(x,), aliases=True)
        case nodes.Residual(body=body, relu=relu):
            total = tape.make(out.values, x, _note(tape, body, shape, x), aliases=True)
            return tape.rectify(total) if relu else total
        case nodes.Conv() | nodes.SeparableConv() | nodes.Dense():
            return _weighted(tape, node, shape, out, x)
        case nodes.Pool():
            return _pooled(tape, node, shape, out, x)
        case nodes.GridPool():
            return tape.make(out.values, x, keeps=(x,))
        case nodes.GlobalPool():
            # A mean needs no map to hand its gradient back.
            return tape.make(out.values, x)
        case nodes.LocalResponseNorm(size=size):
            squares = tape.make(out.values, x, keeps=(x,))
            padded = tape.make((shape.channels + size - 1) * shape.height * shape.width, squares, holds=(x,))
            mean = tape.make(out.values, padded, keeps=(padded,), holds=(x,))
            added = tape.make(out.values, mean, scratch=tape.bytes(out.values), holds=(x,))
            power = tape.make(out.values, added, keeps=(added,), holds=(x, mean))
            return tape.make(out.values, x, power, keeps=(x, power))
        case nodes.Dropout():
            return tape.make(out.values, x, hidden=tape.bytes(out.values)) if tape.train else x
        case nodes.Flatten():
            return x
        case nodes.L2Normalise():
            return tape.make(out.values, x, keeps=(x,))


def _weighted(tape: Tape, node: nodes.Conv | nodes.SeparableConv | nodes.Dense, shape: Shape, out: Shape, x: int) -> int:
    """A convolution or a dense layer, its batch norm and its ReLU. The input stays until all of them are done."""
    parameters, _ = leaf_cost(node, shape, out)
    held = (x,)
    if not isinstance(node, nodes.Dense) and node.padding == "tensorflow":
        x = _padded(tape, shape, node.window, node.stride, x)
    within: tuple[int, ...] = held
    if isinstance(node, nodes.SeparableConv):
        # The gradients of its weights are noted with the other half's, but it has some, and so a gradient of its output.
        each, within = shape.channels * node.multiplier * out.height * out.width, (*held, x)
        x = tape.make(each, x, keeps=(x,), holds=held)
        tape.constant.discard(x)
    made = tape.make(out.values, x, keeps=(x,), holds=within, parameters=parameters)
    if node.norm is not None:
        made = tape.make(out.values, made, keeps=(made,), holds=held)
    return tape.rectify(made) if node.relu else made


def _pooled(tape: Tape, node: nodes.Pool, shape: Shape, out: Shape, x: int) -> int:
    """A moving window; TensorFlow's border is a copy, but for the strided maximum."""
    held, maximum = (x,), node.kind == "max"
    bordered = node.padding == "tensorflow" and not (maximum and 1 < node.stride <= node.kernel)
    if bordered:
        x = _padded(tape, shape, (node.kernel, node.kernel), node.stride, x)
    indices = INDEX * tape.batch * out.values if maximum else 0
    made = tape.make(out.values, x, keeps=(x,), hidden=indices, holds=held)
    # The average that leaves the border out: a sum, divided by how many pixels it saw.
    return tape.make(out.values, made, holds=held) if bordered and not maximum else made


def _padded(tape: Tape, shape: Shape, window: tuple[int, int], stride: int, x: int) -> int:
    height, width = (
        side + sum(pads(side, kernel, stride, "tensorflow"))
        for side, kernel in zip((shape.height, shape.width), window, strict=True)
    )
    return tape.make(shape.channels * height * width, x)
