"""The vocabulary in which the papers' tables are written: frozen dataclasses, nothing that runs.

A network is a tree of these nodes. Channels that go in are never written: they follow from the tree
(`inceptions.architecture.shapes`). Leaves compute, `Chain`, `Concat` and `Residual` hold other nodes. A node's name is its
place in the state dict and the name of its feature tap, so names are the papers' own wherever they gave one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kernel = int | tuple[int, int]
"""A square window's side, or (height, width)."""

Padding = Literal["same", "valid", "tensorflow"] | int
"""How a window treats the border.

`"same"`: (kernel - 1) // 2 on every side, as Caffe and PyTorch pad; keeps the size at stride 1.
`"valid"`: none. `"tensorflow"`: TensorFlow's SAME, whose odd pixel goes to the bottom and the right.
A number: that many pixels on every side.
"""


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Batch normalisation after a convolution or a dense layer (Ioffe and Szegedy 2015).

    Attributes:
        eps: added to the variance; 1e-3 in TensorFlow's family, 1e-5 in Caffe's.
        momentum: weight of the new batch in the running averages, in PyTorch's sense (TensorFlow's decay is 1 - momentum). It
            is a matter of training, not of the weights: every declaration has PyTorch's 0.1, where TF-slim trained with 0.0003,
            Keras with 0.01 and facenet with 0.005.
    """

    eps: float = 1e-3
    momentum: float = 0.1


@dataclass(frozen=True, slots=True)
class Conv:
    """Convolution, then batch norm if any, then ReLU if `relu`.

    Attributes:
        filters: channels that come out.
        kernel: side of the window, or (height, width).
        norm: batch norm that follows; a convolution without one has a bias.
        bias: a bias of its own; None means "where there is no batch norm".
        std: standard deviation its weights start with, where the paper's code sets one for this layer.
    """

    name: str
    filters: int
    kernel: Kernel
    stride: int = 1
    padding: Padding = "same"
    norm: BatchNorm | None = None
    bias: bool | None = None
    relu: bool = True
    std: float | None = None

    @property
    def window(self) -> tuple[int, int]:
        """(height, width) of the kernel."""
        return window(self.kernel)

    @property
    def has_bias(self) -> bool:
        """Whether the convolution adds a bias of its own."""
        return self.norm is None if self.bias is None else self.bias


@dataclass(frozen=True, slots=True)
class SeparableConv:
    """Every input channel convolved on its own into `multiplier` channels, then a 1x1 convolution to `filters`; norm, ReLU.

    The first layer of the 2015 batch norm network (Ioffe and Szegedy 2015, appendix). Nothing stands between the two halves; a
    bias belongs to the second.
    """

    name: str
    filters: int
    kernel: Kernel
    multiplier: int
    stride: int = 1
    padding: Padding = "same"
    norm: BatchNorm | None = None
    relu: bool = True

    @property
    def window(self) -> tuple[int, int]:
        """(height, width) of the kernel."""
        return window(self.kernel)

    @property
    def has_bias(self) -> bool:
        """Whether the 1x1 half adds a bias."""
        return self.norm is None


@dataclass(frozen=True, slots=True)
class Pool:
    """Maximum or average over a moving window.

    Attributes:
        ceil: round the size up (Caffe) instead of down: the last window may hang over the border.
        count_padding: whether an average divides by the padded pixels too (torchvision, Caffe) or not (TensorFlow).
    """

    name: str
    kind: Literal["max", "average"]
    kernel: int
    stride: int = 1
    padding: Padding = "same"
    ceil: bool = False
    count_padding: bool = False


@dataclass(frozen=True, slots=True)
class GridPool:
    """Average pooling to a fixed grid, so that a dense layer may follow whatever the input's size.

    The papers pool with a fixed window (5x5, stride 3, on a 14x14 map gives 4x4) and their networks accept one size only. Where
    that window gives exactly `grid`, it is used; on any other map the bins divide the map evenly. `kernel=None` always divides.
    """

    name: str
    grid: int
    kernel: int | None = None
    stride: int = 1


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """Average over the whole map, to a vector (Lin et al. 2013; GoogLeNet's replacement of fully connected layers)."""

    name: str


@dataclass(frozen=True, slots=True)
class LocalResponseNorm:
    """Normalisation across neighbouring channels: x / (k + alpha / size * sum of squares) ** beta, as Caffe divides."""

    name: str
    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


@dataclass(frozen=True, slots=True)
class Dropout:
    """Set each value to zero with probability `p` in training."""

    name: str
    p: float


@dataclass(frozen=True, slots=True)
class Flatten:
    """A map to a vector, channel by channel."""

    name: str


@dataclass(frozen=True, slots=True)
class Dense:
    """Fully connected layer, then batch norm if any, then ReLU if `relu`; `std` as for `Conv`."""

    name: str
    units: int
    bias: bool = True
    norm: BatchNorm | None = None
    relu: bool = False
    std: float | None = None


@dataclass(frozen=True, slots=True)
class L2Normalise:
    """A vector divided by its length: the embedding of a face network (Schroff et al. 2015)."""

    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Nodes one after the other."""

    name: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Concat:
    """Branches side by side on the same input, joined along the channels in this order."""

    name: str
    branches: tuple[Chain, ...]


@dataclass(frozen=True, slots=True)
class Residual:
    """relu(x + scale * body(x)); `relu=False` leaves the sum as it is (Szegedy et al. 2016, sections 3.2 and 3.3).

    The body ends in the paper's "filter expansion": a linear 1x1 convolution to as many channels as entered.
    """

    name: str
    body: Chain
    scale: float = 1.0
    relu: bool = True


Leaf = Conv | SeparableConv | Pool | GridPool | GlobalPool | LocalResponseNorm | Dropout | Flatten | Dense | L2Normalise
Node = Leaf | Chain | Concat | Residual


@dataclass(frozen=True, slots=True)
class Head:
    """A classifier: nodes that end in a `Dense` named "logits", hung on the output of the trunk's node `at`.

    `at=None` is the end of the trunk, where the main head usually hangs.
    """

    name: str
    body: Chain
    at: str | None = None


def window(kernel: Kernel) -> tuple[int, int]:
    """(height, width) of a kernel given as a side or as a pair."""
    return kernel if isinstance(kernel, tuple) else (kernel, kernel)


def chain(name: str, *nodes: Node) -> Chain:
    """`Chain` without the brackets."""
    return Chain(name, nodes)


def concat(name: str, *branches: tuple[Node, ...]) -> Concat:
    """`Concat` of branches given as tuples of nodes, called branch_1, branch_2, ... from left to right in the figures."""
    return Concat(name, tuple(Chain(f"branch_{i}", nodes) for i, nodes in enumerate(branches, start=1)))
