"""Which engines there are, which of them this machine has, and what it computes in."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

import torch

from inceptions.deploy.engines.engine import Engine, Precision
from inceptions.deploy.graph import Graph
from inceptions.errors import MachineError, UsageError, unknown
from inceptions.network.hardware import fast_bf16

EngineName = Literal["cuda", "openvino", "eager", "onnxruntime", "compiled", "cuda-compiled"]
NAMES: tuple[EngineName, ...] = ("cuda", "openvino", "eager", "onnxruntime", "compiled", "cuda-compiled")
"""Fastest first, as a rule; behind them those of `SLOW`."""

GPU: frozenset[str] = frozenset({"cuda", "cuda-compiled"})
"""Those that compute on a GPU."""

SLOW: frozenset[str] = frozenset({"compiled", "cuda-compiled"})
"""Those that take minutes to prepare: nobody gets them who does not ask."""

PACKAGES: dict[EngineName, str] = {"openvino": "openvino", "onnxruntime": "onnxruntime"}


NO_GPU = "The engines cuda and cuda-compiled need an NVIDIA GPU that torch can use, and here is none: choose auto, or eager."
NO_COMPILER = "The engine compiled needs a C++ compiler (g++ or clang++). Install one, or choose eager."


def installed() -> list[EngineName]:
    """The engines that this machine has."""
    there = [name for name in NAMES if find_spec(PACKAGES.get(name, "torch")) is not None]
    able = {"compiled": compiler() is not None} | dict.fromkeys(GPU, torch.cuda.is_available())
    return [name for name in there if able.get(name, True)]


def compiler() -> str | None:
    """The C++ compiler that torch would call; None if there is none."""
    return next((path for name in ("g++", "clang++", "c++") if (path := shutil.which(name)) is not None), None)


def precisions(name: EngineName) -> list[Precision]:
    """What an engine computes in on this machine without a loss to speak of, the fastest first."""
    match name:
        case "onnxruntime":
            return ["float32"]
        case "openvino":
            from inceptions.deploy.engines import openvino

            able = openvino.precisions()
            return [precision for precision in ("bf16", "float32") if precision in able]
        case "cuda" | "cuda-compiled":
            from inceptions.deploy.engines import cuda

            return cuda.precisions()
        case _:
            return ["bf16", "float32"] if fast_bf16() else ["float32"]


def make(
    name: EngineName,
    graph: Graph,
    *,
    precision: Precision,
    batch: int,
    threads: int | None,
    cache: Path | None,
    device: str = "auto",
) -> Engine:
    """Make a graph ready to run on an engine.

    Args:
        name: one of `NAMES`.
        graph: rewritten for it.
        precision: what it shall compute in.
        batch: how many images will usually come at once.
        threads: how many to use; the engine's own number if None.
        cache: folder for what it compiles.
        device: which GPU, of an engine that computes on one.

    Raises:
        MachineError: it is not installed, or does not compute in this precision here.
        UsageError: it knows no such precision.
    """
    match name:
        case "eager":
            from inceptions.deploy.engines import eager

            return eager.engine(graph, precision=precision, batch=batch, threads=threads)
        case "compiled":
            from inceptions.deploy.engines import compiled

            return compiled.engine(graph, precision=precision, batch=batch, threads=threads, cache=cache)
        case "openvino":
            from inceptions.deploy.engines import openvino

            return openvino.engine(graph, precision=precision, batch=batch, threads=threads)
        case "onnxruntime":
            from inceptions.deploy.engines import onnxruntime

            return onnxruntime.engine(graph, precision=precision, batch=batch, threads=threads)
        case "cuda" | "cuda-compiled":
            from inceptions.deploy.engines import cuda

            return cuda.engine(graph, name=name, precision=precision, batch=batch, device=device)


def named(engine: str, precision: str, device: str = "auto") -> list[EngineName]:
    """The engines that somebody means who asks for an engine and a precision.

    Args:
        engine: one of `NAMES`; "auto" means all that are there, but for those of `SLOW`.
        precision: one of `Precision`, or "auto".
        device: "cpu" means those of the processor, "cuda" (or "cuda:1", …) those of the GPU, "auto" both.

    Raises:
        UsageError: no such name, or one that does not go with the other.
        MachineError: the engine is not installed, or none computes in this precision on this machine.
    """
    if engine not in ("auto", *NAMES):
        raise unknown("engine", engine, ("auto", *NAMES))
    if precision not in ("auto", *get_args(Precision)):
        raise unknown("precision", precision, ("auto", *get_args(Precision)))
    kind = device.partition(":")[0]
    if kind not in ("auto", "cpu", "cuda"):
        raise UsageError(f"The engines compute on the CPU or on an NVIDIA GPU, not on {device}: leave one of them out.")
    if engine != "auto" and kind != "auto" and (engine in GPU) != (kind == "cuda"):
        where = "a GPU" if engine in GPU else "the CPU"
        raise UsageError(f"The engine {engine} computes on {where}, not on {device}: leave one of them out.")
    there = installed()
    if engine == "compiled" and "compiled" not in there:
        raise MachineError(NO_COMPILER)
    if "cuda" not in there and (engine in GPU or kind == "cuda"):
        raise MachineError(NO_GPU)
    if engine != "auto" and engine not in there:
        raise MachineError(f"The engine {engine} is not installed: pip install 'inceptions[{engine}]', or choose eager.")
    names = [name for name in there if name == engine or (engine == "auto" and name not in SLOW)]
    names = [name for name in names if kind == "auto" or (name in GPU) == (kind == "cuda")]
    if precision == "int8":
        names = [name for name in names if name in PACKAGES]
        if not names:
            raise MachineError("int8 needs OpenVINO or ONNX Runtime: pip install 'inceptions[openvino]', or choose bf16.")
    elif precision != "auto":
        names = [name for name in names if precision in precisions(name)]
        if not names:
            what = "No engine computes" if engine == "auto" else f"{engine} does not compute"
            raise MachineError(f"{what} these networks in {precision} on this machine: leave the precision to it (auto).")
    return names
