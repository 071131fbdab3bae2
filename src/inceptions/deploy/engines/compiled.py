"""torch.compile ahead of time: the graph as C++ around oneDNN's convolutions, with weights laid out for them, kept on the disk.

It takes minutes the first time and milliseconds from then on.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from inceptions.deploy.engines import eager
from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.engines.module import module
from inceptions.deploy.engines.threads import limited
from inceptions.deploy.fingerprint import fingerprint
from inceptions.deploy.graph import Array, Graph
from inceptions.errors import MachineError, UsageError
from inceptions.files import explained, replacing
from inceptions.network.hardware import instructions, keep_memory

ENDING = ".pt2"
# A batch that is so full is filled up with blank images: the engine eager takes about a quarter longer for each.
NEARLY = 0.75
SETTINGS: dict[str, Any] = {"freezing": True}


class Compiled:
    """A compiled graph, for batches of one size; what is left over of others is computed by the engine eager. See `Engine`."""

    name = "compiled"

    def __init__(self, path: Path, graph: Graph, precision: Precision, batch: int, threads: int | None) -> None:
        keep_memory()
        self.precision = precision
        self._graph = graph
        self._batch = batch
        self._threads = threads
        self._heads = tuple(graph.outputs)
        self._lock = Lock()
        with quiet():
            self._call: Callable[[Tensor], tuple[Tensor, ...]] = torch._inductor.aoti_load_package(str(path))
        self._rest: eager.Eager | None = None

    def run(self, images: NDArray[np.float32] | NDArray[np.uint8]) -> dict[str, Array]:
        """Logits by head. See `Engine.run`."""
        count, over = len(images), len(images) % self._batch
        if over >= NEARLY * self._batch:
            blank = np.zeros((self._batch - over, *images.shape[1:]), images.dtype)
            return {head: logits[:count] for head, logits in self.run(np.concatenate([images, blank])).items()}
        whole = count - over
        with self._lock:
            parts = [self._exactly(images[i : i + self._batch]) for i in range(0, whole, self._batch)]
            if whole < len(images):
                if self._rest is None:
                    self._rest = eager.engine(self._graph, precision=self.precision, threads=self._threads)
                parts.append(self._rest.run(images[whole:]))
        return {head: np.concatenate([part[head] for part in parts]) for head in self._heads}

    def _exactly(self, images: NDArray[np.float32] | NDArray[np.uint8]) -> dict[str, Array]:
        with torch.inference_mode(), limited(self._threads):
            logits = self._call(torch.from_numpy(np.require(images, requirements=["C", "W"])))
        return {head: values.numpy() for head, values in zip(self._heads, logits, strict=True)}


def engine(
    graph: Graph, *, precision: Precision = "float32", batch: int = 1, threads: int | None = None, cache: Path | None = None
) -> Compiled:
    """Compile a graph, or take what was compiled of the same before.

    Args:
        graph: rewritten for this engine (`rewrite(graph, engine="compiled")`).
        precision: "float32", or "bf16" where the processor multiplies it.
        batch: how many images come at once; others are divided into as many, and the rest computed without the compiler.
        threads: how many to use; torch's own number if None.
        cache: folder to keep what was compiled in, under a name made of its content; nothing is kept if None.

    Raises:
        MachineError: there is no C++ compiler, or it failed.
        UsageError: another precision.
    """
    if precision not in eager.TYPES:
        raise UsageError(f"The engine compiled computes in {' or '.join(eager.TYPES)}, not in {precision}.")
    if cache is None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"graph{ENDING}"
            _compile(graph, precision, batch, path)
            return Compiled(path, graph, precision, batch, threads)
    path = cache / f"{_key(graph, precision, batch)}{ENDING}"
    with contextlib.suppress(OSError):
        os.utime(path)  # what is used stays longest
    if not path.exists():
        with explained(path):
            cache.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                with replacing(path) as temporary:
                    _compile(graph, precision, batch, temporary)
    return Compiled(path, graph, precision, batch, threads)


def _key(graph: Graph, precision: Precision, batch: int) -> str:
    """What the compiled code depends on. Code for one processor may not run on another."""
    parts = (fingerprint(graph), precision, batch, torch.__version__, sorted(instructions()), sorted(SETTINGS.items()))
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _compile(graph: Graph, precision: Precision, batch: int, path: Path) -> None:
    channels, height, width = graph.shape
    example = (
        torch.zeros((batch, height, width, channels), dtype=torch.uint8)
        if graph.pixels
        else torch.zeros((batch, channels, height, width))
    )
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), quiet():
        package = str(Path(folder) / f"graph{ENDING}")
        try:
            program = torch.export.export(module(graph, dtype=eager.TYPES[precision]), (example,))
            torch._inductor.aoti_compile_and_package(program, package_path=package, inductor_configs=dict(SETTINGS))
        except Exception as error:  # whatever torch's compiler or the one for C++ stumbles over
            from inceptions.deploy.engines.catalogue import NO_COMPILER, compiler

            if compiler() is None:
                raise MachineError(NO_COMPILER) from error
            raise MachineError(
                f"torch could not compile the network ({first_line(error)}). Choose the engine eager."
            ) from error
        path.write_bytes(Path(package).read_bytes())


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Torch's compiler tells its developers how it goes; users asked for an answer."""
    level = logging.getLogger("torch").level
    logging.getLogger("torch").setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.getLogger("torch").setLevel(level)


def first_line(error: Exception) -> str:
    """What an error of torch's says, without what it advises its developers."""
    return next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)
