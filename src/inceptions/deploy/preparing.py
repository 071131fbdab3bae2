"""From a network to an engine that runs it: lowered, rewritten, quantised where that was asked for, made ready."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from inceptions.data import normalise
from inceptions.deploy.choosing import Candidate, Images
from inceptions.deploy.engines import catalogue
from inceptions.deploy.engines.engine import Engine
from inceptions.deploy.graph import Array, Graph
from inceptions.deploy.keeping import trim
from inceptions.deploy.lower import lower
from inceptions.deploy.rewrites import rewrite
from inceptions.errors import UsageError
from inceptions.network import Network
from inceptions.weights import Preprocess
from inceptions.weights.published.cache import home

AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What every engine for one network is made with; the fields are the arguments of `inceptions.deploy.compile.compile`."""

    network: Network
    heads: tuple[str, ...]
    batch: int
    size: tuple[int, int] | None
    preprocess: Preprocess | None
    threads: int | None
    images: Images | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""
        declared = self.network.architecture
        height, width = self.size or (declared.input_size if self.preprocess is None else self.preprocess.size)
        return declared.options.in_channels, height, width

    @property
    def from_pixels(self) -> bool:
        """Whether bytes are what it will be asked about, and so what it is measured with."""
        known = self.preprocess
        return known is not None and known.channels != "L" and known.sampling == "antialiased"

    def given(self, *, pixels: bool) -> Images | None:
        """The images it was given to compare on, as the network for pixels or for normalised images takes them.

        Raises:
            UsageError: they are not bytes, and it is the network for pixels.
        """
        if self.images is None or self.preprocess is None:
            return self.images
        if not pixels:
            return normalised(self.images, self.preprocess)
        if self.images.dtype != np.uint8:
            raise UsageError(f"images=… must be uint8 [images, height, width, 3] as it is shown them, not {self.images.dtype}.")
        return self.images

    def graph(self, *, pixels: bool) -> Graph:
        """The network for pixels or for normalised images; nothing is rewritten yet."""
        preprocess = self.preprocess if pixels else None
        return lower(self.network, size=self.shape[1:], heads=self.heads, preprocess=preprocess)

    def engine(self, candidate: Candidate, *, pixels: bool) -> tuple[Engine, list[str]]:
        """Make a candidate ready to run, and say what was done to the graph.

        Raises:
            MachineError: it is not there, or cannot run this.
            DataError: too few images to calibrate int8 with.
        """
        graph, done = rewrite(
            self.graph(pixels=pixels), engine=candidate.engine, precision=candidate.precision, batch=self.batch
        )
        notes = [f"{what.note[0].upper()}{what.note[1:]}." for what in done]
        if candidate.precision == "int8":
            return self._quantised(graph, candidate, notes, pixels=pixels)
        made = catalogue.make(
            candidate.engine,
            graph,
            precision=candidate.precision,
            batch=self.batch,
            threads=self.threads,
            cache=home() / "engines",
        )
        if told := trim(home() / "engines"):
            notes.append(told)
        return made, notes

    def _quantised(self, graph: Graph, candidate: Candidate, notes: list[str], *, pixels: bool) -> tuple[Engine, list[str]]:
        from inceptions.deploy.engines import onnxruntime, openvino
        from inceptions.deploy.quantise import quantise

        images = self.given(pixels=pixels)
        assert images is not None
        assert candidate.engine in ("openvino", "onnxruntime")
        made = quantise(graph, images, engine=candidate.engine, threads=self.threads)
        worst = min(made.agreement.values())
        notes.append(f"Calibrated on {made.calibrated} images; {worst:.1%} of {made.images} others keep their class.")
        if made.kept:
            notes.append(f"{len(made.kept)} of {made.layers} layers stay in floating point, because eight bits hurt there.")
        room = openvino if candidate.engine == "openvino" else onnxruntime
        engine: Engine = room.engine(made.content, precision="int8", batch=self.batch, threads=self.threads)
        return engine, notes

    def answers(self, images: Images, *, pixels: bool) -> dict[str, Array]:
        """What the network itself says in float32, as its layers compute it, to pixels or to normalised images."""
        network = self.network
        training = network.training
        network.eval()
        parts: list[dict[str, Array]] = []
        try:
            with torch.inference_mode():
                for start in range(0, len(images), AT_ONCE):
                    piece = images[start : start + AT_ONCE]
                    if pixels:
                        assert self.preprocess is not None
                        piece = normalised(piece, self.preprocess)
                    x = torch.from_numpy(piece).contiguous(memory_format=torch.channels_last)
                    found = {"main": network(x)} if self.heads == ("main",) else network.heads(x)
                    parts.append({head: found[head].float().numpy() for head in self.heads})
        finally:
            network.train(training)
        return {head: np.concatenate([part[head] for part in parts]) for head in self.heads}


def normalised(images: Images, preprocess: Preprocess) -> Array:
    """Images `[batch, height, width, 3]` as the network's input `[batch, channels, height, width]`."""
    shown = torch.from_numpy(np.require(images, requirements="W")).permute(0, 3, 1, 2)
    array: Array = normalise(shown, preprocess).contiguous().numpy()
    return array
