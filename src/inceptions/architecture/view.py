"""What one value of a feature map sees of the image: its receptive field."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inceptions.architecture.nodes import Conv, Flatten, GlobalPool, GridPool, Node, Pool, SeparableConv
from inceptions.architecture.shapes import Shape


@dataclass(frozen=True, slots=True)
class View:
    """What one value of a map sees: a rectangle of input pixels, `jump` pixels from its neighbour's."""

    height: int = 1
    width: int = 1
    jump: int = 1

    @property
    def field(self) -> int:
        """The longer side of the rectangle."""
        return max(self.height, self.width)

    def through(self, window: tuple[int, int], stride: int = 1) -> View:
        """The view behind a window of (height, width)."""
        return View(self.height + (window[0] - 1) * self.jump, self.width + (window[1] - 1) * self.jump, self.jump * stride)

    def joined(self, other: View) -> View:
        """The view behind a concatenation or a sum of maps with these two."""
        return replace(self, height=max(self.height, other.height), width=max(self.width, other.width))


def behind(node: Node, shape: Shape, view: View) -> View:
    """The view behind a leaf that a map of `shape` enters."""
    match node:
        case Conv(stride=stride) | SeparableConv(stride=stride):
            return view.through(node.window, stride)
        case Pool(kernel=kernel, stride=stride):
            return view.through((kernel, kernel), stride)
        case GlobalPool() | Flatten():
            return view.through((shape.height, shape.width))
        case GridPool(grid=grid):
            return view.through((-(-shape.height // grid), -(-shape.width // grid)), max(1, shape.height // grid))
        case _:
            return view
