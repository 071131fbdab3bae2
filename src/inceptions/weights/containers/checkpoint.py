"""What is read from a file of weights, whoever wrote it, and what can be wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

Container = Literal["pytorch", "safetensors", "keras", "tensorflow", "graphdef", "caffe", "onnx", "numpy"]

DAMAGED = "It may be damaged or cut off; fetch or write it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a foreign file holds: tensors by their own names, and what stands beside them.

    Nothing is judged here: values may be NaN, and names mean nothing yet.

    Attributes:
        path: the file.
        container: its format.
        tensors: the chosen group, in the order of the file, names exactly as there. Keras: "<layer>/<kernel|bias|gamma|beta|
            moving_mean|moving_variance|...>"; Caffe, whose tensors have numbers: "<layer>/<number>".
        groups: all groups of tensors: `{"": ...}`, or for a dictionary of dictionaries by dotted path, `{"state_dict": ...,
            "ema.shadow": ...}`.
        group: which of them `tensors` is.
        metadata: plain values. Keras and Caffe: "layers", in order, with "name" and "class" (Caffe: "type", "bottoms", "tops").
            Frozen graphs and ONNX: "nodes", in order, with "name", "op" and "inputs".
    """

    path: Path
    container: Container
    tensors: Mapping[str, Tensor]
    groups: Mapping[str, Mapping[str, Tensor]]
    group: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Fault(Exception):
    """What is wrong with a file, as the rest of a sentence that begins with its name; never leaves this room.

    Attributes:
        advice: what to do about it, a sentence.
    """

    def __init__(self, what: str, advice: str = DAMAGED) -> None:
        super().__init__(what)
        self.advice = advice


def first_line(error: BaseException) -> str:
    """What a library says, as a part of a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
