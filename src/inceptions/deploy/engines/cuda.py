"""An NVIDIA GPU through torch: the channels of a pixel side by side, and all launches of a batch recorded once (CUDA graph).

`cuda-compiled` lets torch.compile write the kernels between and around the convolutions first, which takes minutes.

All that needs the GPU itself is in `Gpu`.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inceptions.deploy.engines.compiled import NEARLY, first_line, quiet
from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.engines.module import module
from inceptions.deploy.graph import Array, Graph
from inceptions.errors import MachineError, UsageError
from inceptions.network.device import choose_device

TYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Pieces of a call that the GPU may be behind: while it computes one, the next is laid ready.
AHEAD = 1

# Torch's own number: libraries prepare themselves in the first call, and cuDNN tries its algorithms.
WARM_UP = 3

Name = Literal["cuda", "cuda-compiled"]
Call = Callable[[Tensor], tuple[Tensor, ...]]

# What torch.compile's mode "max-autotune-no-cudagraphs" stands for, without its tables of what it tried.
SETTINGS: dict[str, Any] = {"max_autotune": True, "coordinate_descent_tuning": True, "autotune_num_choices_displayed": 0}

# While one batch is recorded, nothing else may run on any GPU of the process (torch's notes on CUDA, "CUDA Graphs"). Taken
# before `_SETTINGS`.
_TURN = Lock()
_SETTINGS = Lock()


@dataclass(frozen=True, slots=True)
class Recorded:
    """The work for one batch, to be done again with other images.

    Attributes:
        images: what it reads; fill in others.
        logits: what it writes, a tensor a head.
        replay: does it.
    """

    images: Tensor
    logits: tuple[Tensor, ...]
    replay: Callable[[], None]


class Gpu:
    """A GPU and a stream of work on it: all that cannot be done without one.

    Attributes:
        device: the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @contextmanager
    def working(self) -> Iterator[None]:
        """What is computed in the block is computed there, in order. The other methods are to be called in one."""
        # What a process records first in inference mode, it can in some versions of torch record in that alone from then on.
        with torch.inference_mode(False), torch.no_grad(), torch.cuda.stream(self._stream):
            yield

    def host(self, *shape: int, dtype: torch.dtype) -> Tensor:
        """Memory of the processor that copies to and from the GPU need not wait for, to be filled.

        Torch keeps it when it is freed, and gives it away again when no copy from or to it is on its way.
        """
        return torch.empty(shape, dtype=dtype, pin_memory=True)

    def record(self, call: Call, images: Tensor) -> Recorded:
        """Record what a call does for some images."""
        for _ in range(WARM_UP):
            call(images)
        recorded = torch.cuda.CUDAGraph()
        # Other threads, which may copy meanwhile, shall not make it fail.
        with torch.cuda.graph(recorded, stream=self._stream, capture_error_mode="thread_local"):
            logits = call(images)
        return Recorded(images, logits, recorded.replay)

    def mark(self) -> Callable[[], None]:
        """What waits until all is done that was asked for so far."""
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(self._stream)
        return event.synchronize


class Cuda:
    """A graph on a GPU. See `Engine`.

    Batches of the size it was made for are recorded, and those that are nearly full are computed as whole ones. What is left
    over of others is computed call by call. All engines of a process take turns.

    Attributes:
        gpu: where it computes.
        recorded: a whole batch.
    """

    def __init__(self, graph: Graph, precision: Precision, batch: int, gpu: Gpu, name: Name = "cuda") -> None:
        self.name: str = name
        self.precision = precision
        self.gpu = gpu
        self._batch = batch
        self._heads = tuple(graph.outputs)
        channels, height, width = graph.shape
        shape = (batch, height, width, channels) if graph.pixels else (batch, channels, height, width)
        with gpu.working():
            # As on the other engines, vectors are float32 in every precision.
            made = module(graph, dtype=TYPES[precision], vectors=torch.float32).to(gpu.device)
            images = torch.zeros(shape, dtype=torch.uint8 if graph.pixels else torch.float32, device=gpu.device)
            self._rest: Call = made
            # Kept, because what is recorded reads its weights where they are.
            self._whole: Call = made if name == "cuda" else _compiled(made, images, precision)
            with _TURN, exact(precision, search=True):
                self.recorded = gpu.record(self._whole, images)
                gpu.mark()()

    def run(self, images: NDArray[np.float32] | NDArray[np.uint8]) -> dict[str, Array]:
        """Logits by head. See `Engine.run`."""
        given = torch.from_numpy(np.require(images, requirements=["C", "W"]))
        with _explained(), _TURN, self.gpu.working():
            found = [self.gpu.host(len(given), logits.shape[1], dtype=logits.dtype) for logits in self.recorded.logits]
            asked: deque[Callable[[], None]] = deque()
            for start in range(0, len(given), self._batch):
                piece = given[start : start + self._batch]
                for whole, part in zip(found, self._answers(piece), strict=True):
                    whole[start : start + len(piece)].copy_(part[: len(piece)], non_blocking=True)
                asked.append(self.gpu.mark())
                if len(asked) > AHEAD:
                    asked.popleft()()
            asked[-1]()
            # Copied, because pinned memory is scarce and answers may be kept.
            return {head: logits.numpy().copy() for head, logits in zip(self._heads, found, strict=True)}

    def _answers(self, piece: Tensor) -> tuple[Tensor, ...]:
        """Logits for at most a batch of images, on their way; behind them there may be others."""
        sent = self.gpu.host(*piece.shape, dtype=piece.dtype).copy_(piece)
        if len(piece) >= NEARLY * self._batch:
            self.recorded.images[: len(piece)].copy_(sent, non_blocking=True)
            self.recorded.replay()
            return self.recorded.logits
        with exact(self.precision):
            return self._rest(sent.to(self.gpu.device, non_blocking=True))


def engine(
    graph: Graph,
    *,
    name: Name = "cuda",
    precision: Precision = "float32",
    batch: int = 1,
    device: str = "auto",
) -> Cuda:
    """Make a graph ready to run on a GPU.

    Args:
        graph: rewritten for this engine (`rewrite(graph, engine="cuda")`).
        name: "cuda", or "cuda-compiled" for torch.compile's kernels.
        precision: "float32", "bf16" or "fp16".
        batch: how many images come at once; others are divided into as many.
        device: "cuda", or one of several as "cuda:1"; "auto" takes torch's current one.

    Raises:
        MachineError: there is no GPU, it has too little memory, or torch cannot compile the network.
        UsageError: another precision, or a device that is no GPU.
    """
    if precision not in TYPES:
        raise UsageError(f"The engine {name} computes in {' or '.join(TYPES)}, not in {precision}.")
    from inceptions.deploy.engines.catalogue import NO_GPU

    if not torch.cuda.is_available():
        raise MachineError(NO_GPU)
    chosen = choose_device("cuda" if device == "auto" else device)
    if chosen.type != "cuda":
        raise UsageError(f"The engine {name} computes on a GPU, not on {device}: leave one of them out.")
    index = torch.cuda.current_device() if chosen.index is None else chosen.index
    with _explained():
        return Cuda(graph, precision, batch, Gpu(torch.device("cuda", index)), name)


def precisions() -> list[Precision]:
    """What the current GPU computes in hardware, the fastest first."""
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return ["bf16", "fp16", "float32"] if bf16 else ["fp16", "float32"]


@contextmanager
def exact(precision: Precision, *, search: bool = False) -> Iterator[None]:
    """Let GPUs multiply float32 as float32 what is launched in the block, where torch would round it to 10 bits (TF32).

    These settings are the whole process's, so they are changed for as short as can be and put back. A recorded batch needs none
    of them: its kernels were chosen when it was recorded. Torch does not tell a default from what somebody has set, so after a
    block in float32 the precision of convolutions counts as set. In other precisions only the classifier is float32.

    Args:
        precision: what is computed in.
        search: whether cuDNN tries its algorithms and takes the fastest.
    """
    rounding = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    owners = rounding if precision == "float32" else rounding[1:]
    with _SETTINGS:
        before = [owner.fp32_precision for owner in owners]
        searched = torch.backends.cudnn.benchmark
        try:
            for owner in owners:
                owner.fp32_precision = "ieee"
            torch.backends.cudnn.benchmark = search
            yield
        finally:
            torch.backends.cudnn.benchmark = searched
            for owner, value in zip(owners, before, strict=True):
                owner.fp32_precision = value


def _compiled(call: Call, images: Tensor, precision: Precision) -> Call:
    """What torch.compile makes of it for this many images, compiled."""
    made: Call = torch.compile(call, dynamic=False, options=dict(SETTINGS))
    try:
        with quiet(), warnings.catch_warnings(), exact(precision, search=True):
            warnings.simplefilter("ignore")
            made(images)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever torch's compiler, Triton or the one for C stumbles over
        raise MachineError(f"torch could not compile the network ({first_line(error)}). Choose the engine cuda.") from error
    return made


@contextmanager
def _explained() -> Iterator[None]:
    """What torch has to say about a GPU, as errors of ours."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MachineError("The GPU has too little memory left for these images: ask for fewer at once (batch).") from error
    except RuntimeError as error:
        raise MachineError(f"The GPU could not compute this network ({first_line(error)}). Choose another engine.") from error
