"""The example by which 1x1 reductions are usually explained, computed from nodes instead of typed in.

32 filters of 5x5 on a 28x28x192 map (the third branch of `inception_3a`), directly and behind a 1x1 convolution to 16 channels.
Source: Szegedy et al. 2014, section 4, for the reduction; the example with its numbers is that of A. Ng's lecture on Inception
networks (deeplearning.ai, 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

from inceptions.architecture.cost import conv_macs
from inceptions.architecture.googlenet import STAGE_3
from inceptions.architecture.shapes import Shape


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """Multiplications of a large convolution, and of the same behind a 1x1 reduction.

    Attributes:
        input: the map that enters.
        filters: of the large convolution.
        kernel: side of its window.
        reduced: channels between the two.
        direct: multiplications without the reduction.
        reduce: multiplications of the 1x1 convolution.
        behind: multiplications of the large convolution behind it.
    """

    input: Shape
    filters: int
    kernel: int
    reduced: int
    direct: int
    reduce: int
    behind: int

    @property
    def total(self) -> int:
        """Multiplications with the reduction."""
        return self.reduce + self.behind


def bottleneck() -> Bottleneck:
    """Count the example with the widths of Table 1's first module."""
    entrance, row, kernel = Shape(192, 28, 28), STAGE_3[0], 5
    return Bottleneck(
        input=entrance,
        filters=row.n5x5,
        kernel=kernel,
        reduced=row.n5x5_reduce,
        direct=conv_macs(row.n5x5, kernel, entrance),
        reduce=conv_macs(row.n5x5_reduce, 1, entrance),
        behind=conv_macs(row.n5x5, kernel, Shape(row.n5x5_reduce, entrance.height, entrance.width)),
    )
