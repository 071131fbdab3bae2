"""From a network to an engine that runs it: lowered, rewritten, quantised where that was asked for, made ready.

A network has its weights once, an engine has them once more, in its own layout and precision. What lies between the two is kept
as small as it can be: many a machine that runs these networks has little memory.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from inceptions.data import normalise
from inceptions.deploy.choosing import Candidate, Images
from inceptions.deploy.engines import catalogue
from inceptions.deploy.engines.engine import Engine
from inceptions.deploy.graph import Array, Graph, Op, reading
from inceptions.deploy.keeping import trim
from inceptions.deploy.rewrites import rewrite
from inceptions.deploy.rewrites.done import Done
from inceptions.deploy.rewrites.fold_norm import fold_norm
from inceptions.deploy.rewrites.fold_scale import fold_scale
from inceptions.errors import UsageError
from inceptions.network import Network
from inceptions.weights import Preprocess
from inceptions.weights.published.cache import home

AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What every engine for one network is made with.

    The fields that are not explained here are the arguments of `inceptions.deploy.compile.compile`.

    Attributes:
        source: the network; for pixels where `preprocess` is known.
        notes: what was done to it, as sentences.
    """

    source: Graph
    notes: tuple[str, ...] = ()
    batch: int
    preprocess: Preprocess | None
    threads: int | None
    images: Images | None
    device: str = "auto"

    @property
    def forms(self) -> tuple[bool, ...]:
        """The forms of input that it may be asked about: normalised images (False), pixels (True)."""
        return (False,) if self.preprocess is None or self.preprocess.channels == "L" else (False, True)

    @property
    def from_pixels(self) -> bool:
        """Whether bytes are what it will be asked about, and so what it is measured with."""
        return self.preprocess is not None and True in self.forms and self.preprocess.sampling == "antialiased"

    def folded(self) -> Preparation:
        """The same with batch norms and residuals' factors folded, and with weights of its own.

        The network may then be let go of. Whatever becomes of it, engines compute with the weights that it has now.
        """
        graph, normed = fold_norm(self.source)
        graph, scaled = fold_scale(graph)
        shared = set(self.source.ops)
        own = graph.with_ops(_copied(op) if op in shared else op for op in graph.ops)
        return replace(self, source=own, notes=tuple(_told(done) for done in (normed, scaled) if done.count))

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
        """The network for pixels or for normalised images, before the rewrites of an engine."""
        return self.source if pixels else _without_pixels(self.source)

    def engine(self, candidate: Candidate, *, pixels: bool) -> tuple[Engine, list[str]]:
        """Make a candidate ready to run, and say what was done to the graph.

        Raises:
            MachineError: it is not there, or cannot run this.
            DataError: too few images to calibrate int8 with.
        """
        graph, done = rewrite(
            self.graph(pixels=pixels), engine=candidate.engine, precision=candidate.precision, batch=self.batch
        )
        notes = [*self.notes, *(_told(what) for what in done)]
        if candidate.precision == "int8":
            return self._quantised(graph, candidate, notes, pixels=pixels)
        made = catalogue.make(
            candidate.engine,
            graph,
            precision=candidate.precision,
            batch=self.batch,
            threads=self.threads,
            cache=home() / "engines",
            device=self.device,
        )
        if deleted := trim(home() / "engines"):
            notes.append(deleted)
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


def answers(
    network: Network, images: Images, heads: tuple[str, ...], *, preprocess: Preprocess | None = None
) -> dict[str, Array]:
    """What a network says in float32, as its layers compute it, to normalised images; or to pixels, given `preprocess`."""
    training = network.training
    network.eval()
    parts: list[dict[str, Array]] = []
    try:
        with torch.inference_mode():
            for start in range(0, len(images), AT_ONCE):
                piece = images[start : start + AT_ONCE]
                if preprocess is not None:
                    piece = normalised(piece, preprocess)
                x = torch.from_numpy(piece).contiguous(memory_format=torch.channels_last)
                found = {"main": network(x)} if heads == ("main",) else network.heads(x)
                parts.append({head: found[head].float().numpy() for head in heads})
    finally:
        network.train(training)
    return {head: np.concatenate([part[head] for part in parts]) for head in heads}


def _told(done: Done) -> str:
    """What a rewrite did, as a sentence."""
    return f"{done.note[0].upper()}{done.note[1:]}."


def _without_pixels(graph: Graph) -> Graph:
    """The same for what its pixels would become."""
    if not graph.pixels:
        return graph
    first, *others = graph.ops
    return graph.with_ops(reading(op, {first.name: graph.input}) for op in others)


def _copied(op: Op) -> Op:
    """An op whose arrays are its own."""
    values = {entry.name: getattr(op, entry.name) for entry in fields(op)}
    own: dict[str, Any] = {name: value.copy() for name, value in values.items() if isinstance(value, np.ndarray)}
    return replace(op, **own) if own else op


def normalised(images: Images, preprocess: Preprocess) -> Array:
    """Images `[batch, height, width, 3]` as the network's input `[batch, channels, height, width]`."""
    shown = torch.from_numpy(np.require(images, requirements="W")).permute(0, 3, 1, 2)
    array: Array = normalise(shown, preprocess).contiguous().numpy()
    return array
