"""Maximum pooling without the indices that torch's own computes for a backward pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from inceptions.deploy.graph import Pool
from inceptions.deploy.shapes import Shape

# Floating-point numbers from zero on stand in the same order as the integers of the same bits, and those are compared faster.
INTEGERS = {torch.bfloat16: torch.int16, torch.float16: torch.int16, torch.float32: torch.int32}


def maximum(op: Pool, out: Shape) -> Callable[[Tensor], Tensor]:
    """What `op` does to maps whose values are not negative: the maximum of rows, then of columns, image by image.

    Args:
        op: a maximum pool.
        out: (channels, height, width) of what it makes.

    Returns:
        A function from `[batch, channels, height, width]` with the channels of a pixel side by side, to the same.
    """
    assert op.kind == "max"
    channels, height, width = out
    kernel, stride = op.kernel, op.stride
    top, left, bottom, right = op.pads
    rows = [slice(i, i + stride * (height - 1) + 1, stride) for i in range(kernel)]
    columns = [slice(i, i + stride * (width - 1) + 1, stride) for i in range(kernel)]

    def compute(x: Tensor) -> Tensor:
        if any(op.pads):
            # No maximum sees the padding, and zero is the least that is there.
            x = functional.pad(x, (left, right, top, bottom))
        numbers = x.view(INTEGERS[x.dtype]).permute(0, 2, 3, 1)
        made = torch.empty(len(x), height, width, channels, dtype=numbers.dtype)
        high = torch.empty(height, numbers.shape[2], channels, dtype=numbers.dtype)
        # One image at a time stays in the cache.
        for image, result in zip(numbers, made, strict=True):
            torch.maximum(image[rows[0]], image[rows[1]], out=high)
            for row in rows[2:]:
                torch.maximum(high, image[row], out=high)
            torch.maximum(high[:, columns[0]], high[:, columns[1]], out=result)
            for column in columns[2:]:
                torch.maximum(result, high[:, column], out=result)
        return made.view(x.dtype).permute(0, 3, 1, 2)

    return compute
