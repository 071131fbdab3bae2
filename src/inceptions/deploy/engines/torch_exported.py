"""A file of torch.export's: a program of torch's own operators, without the code of the network."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inceptions.deploy.about import CARD, EXPORT, About
from inceptions.deploy.engines import torch_archive
from inceptions.deploy.engines.engine import Engine, Precision
from inceptions.deploy.graph import Array, Graph
from inceptions.errors import WeightsError

DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
EXAMPLES = 2
"""Images that the program is made with; any other number would do but 1, which torch takes for a constant."""


def program(graph: Graph, precision: Precision) -> torch.export.ExportedProgram:
    """A graph as a program for any number of images; it returns a tuple with the logits of every head."""
    from inceptions.deploy.engines.module import module

    channels, height, width = graph.shape
    shape, kind = ((height, width, channels), torch.uint8) if graph.pixels else ((channels, height, width), torch.float32)
    example = torch.zeros((EXAMPLES, *shape), dtype=kind)
    batch = {0: torch.export.Dim("batch", min=1, max=2**16)}
    made = module(graph, dtype=DTYPES[precision])
    for weight in (*made.parameters(), *made.buffers()):
        # The file's writer takes a weight with its channels last for a part of something larger.
        weight.data = weight.data.contiguous()
    return torch.export.export(made, (example,), dynamic_shapes=(batch,))


def open_file(path: Path) -> tuple[About, Engine]:
    """A `.pt2` file's description, and the engine that runs it.

    Raises:
        WeightsError: it cannot be read, or was not exported by inceptions.
    """
    said: dict[str, Any] = {CARD: "", EXPORT: ""}
    try:
        torch_archive.check(path)
        loaded = torch.export.load(str(path), extra_files=said)
    except ValueError as error:
        raise WeightsError(f"{path} is no file that inceptions exported, or is damaged: {error}. Export it again.") from error
    except Exception as error:  # whatever torch's reader stumbles over
        raise WeightsError(f"{path} is no file of torch.export, or is damaged ({type(error).__name__}).") from error
    texts = {key: text.decode() if isinstance(text, bytes) else text for key, text in said.items()}
    about = About.from_metadata({key: text for key, text in texts.items() if text}, path)
    return about, _TorchExported(loaded.module(), about)


class _TorchExported:
    """A loaded program."""

    name = "torch"

    def __init__(self, module: torch.nn.Module, about: About) -> None:
        self.precision = about.precision
        self._module = module
        self._heads = about.heads
        self._lock = threading.Lock()

    def run(self, images: NDArray[np.float32] | NDArray[np.uint8]) -> dict[str, Array]:
        """See `Engine.run`."""
        with self._lock, torch.inference_mode():
            logits = self._module(torch.from_numpy(np.require(images, requirements=["C", "W"])))
        return {head: values.numpy() for head, values in zip(self._heads, logits, strict=True)}
