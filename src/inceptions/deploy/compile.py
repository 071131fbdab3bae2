"""A network made as fast as this machine allows, with the same answers: one call."""

from __future__ import annotations

from threading import Lock
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from inceptions.data.showing import Pixels
from inceptions.deploy.choosing import Candidate, Choice, Images, choose, keep, kept_at, recall, smooth
from inceptions.deploy.engines import catalogue
from inceptions.deploy.engines.engine import Engine, Precision
from inceptions.deploy.graph import Array
from inceptions.deploy.lower import lower
from inceptions.deploy.preparing import Preparation, answers, normalised
from inceptions.errors import UsageError
from inceptions.network import Network
from inceptions.network.device import choose_device
from inceptions.weights import Preprocess

COMPARED = 4
"""Images of nothing that answers are compared on where no others are given."""


class Compiled:
    """A network on an engine. May be called from several threads: calls are answered one after the other.

    Attributes:
        engine: the engine's name.
        precision: what its convolutions compute in.
        heads: names of the heads that answer, in depth order; the last is "main" unless it was left out.
        computed_in: precision and engine, for people.
        notes: what was done, measured and found, as sentences. What is done to make the engine ready for the other form of
            input is told once that is asked for.
    """

    def __init__(self, candidate: Candidate, preparation: Preparation) -> None:
        self.engine = candidate.engine
        self.precision: Precision = candidate.precision
        self.heads = tuple(preparation.source.outputs)
        self.computed_in = f"{self.precision}, {self.engine}"
        self.notes: list[str] = []
        self._candidate = candidate
        self._preprocess = preparation.preprocess
        self._shape = preparation.source.shape
        self._preparation: Preparation | None = preparation
        self._lock = Lock()
        self._engines: dict[bool, Engine] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Logits `[batch, classes]` of the main head, float32.

        Args:
            x: normalised images, `[batch, channels, height, width]`, any number of them.

        Raises:
            UsageError: images of another size than it was compiled for, or the main head was left out.
        """
        if "main" not in self.heads:
            raise UsageError(f"Only {', '.join(self.heads)} were compiled: ask with logits(…), or compile the head main too.")
        return self.logits(x)["main"]

    def logits(self, x: Tensor) -> dict[str, Tensor]:
        """Logits `[batch, classes]` of every head that was compiled, float32, in depth order.

        Args:
            x: normalised images, `[batch, channels, height, width]`, any number of them.

        Raises:
            UsageError: images of another size than it was compiled for.
        """
        # One image may take three thousandths of a second: every call of torch's around it shows.
        images = np.ascontiguousarray((x if x.dtype == torch.float32 else x.float()).numpy(force=True))
        return {head: torch.from_numpy(values) for head, values in self._run(images, pixels=False).items()}

    def pixels(self, images: Pixels) -> dict[str, Array]:
        """Logits of images as they are shown to the network, before any normalisation.

        Args:
            images: uint8 (or float32, where the preprocessing does not round), `[batch, height, width, 3]`, RGB.

        Returns:
            float32, `[batch, classes]`, by the name of the head.

        Raises:
            UsageError: it was compiled without a preprocessing, or for another size.
        """
        preprocess = self._preprocess
        if preprocess is None:
            raise UsageError("It was compiled without a preprocessing: pass compile(…, preprocess=…) to show it pixels.")
        if images.dtype == np.uint8 and preprocess.channels != "L":
            return self._run(images, pixels=True)
        return self._run(normalised(images, preprocess), pixels=False)

    def ready(self, *, pixels: bool) -> Engine:
        """The engine for one form of input, made when it is first asked for."""
        with self._lock:
            if pixels not in self._engines:
                assert self._preparation is not None
                self._engines[pixels], notes = self._preparation.engine(self._candidate, pixels=pixels)
                self.notes += [note for note in notes if note not in self.notes]
                if len(self._engines) == len(self._preparation.forms):
                    self._preparation = None  # with its weights, unless the engine reads them where they are
            return self._engines[pixels]

    def _run(self, images: Images, *, pixels: bool) -> dict[str, Array]:
        channels, height, width = self._shape
        expected = (height, width, channels) if pixels else (channels, height, width)
        if images.ndim != 4 or images.shape[1:] != expected or not len(images):
            raise UsageError(f"It was compiled for images [batch, {', '.join(map(str, expected))}], not {list(images.shape)}.")
        return self.ready(pixels=pixels).run(images)


def compile(
    model: Network,
    *,
    engine: str = "auto",
    precision: Precision | Literal["auto"] = "auto",
    batch: int = 1,
    size: tuple[int, int] | None = None,
    preprocess: Preprocess | None = None,
    images: Images | None = None,
    heads: tuple[str, ...] = ("main",),
    threads: int | None = None,
    device: str = "auto",
) -> Compiled:
    """Make a network ready to answer as fast as this machine can, with the answers it gives now.

    What was measured is kept in the cache folder, for the same weights on the same machine.

    Args:
        model: in training or evaluation; it is compiled as in evaluation, with the weights it has now.
        engine: "openvino", "eager", "onnxruntime" or "compiled", or on a GPU "cuda" or "cuda-compiled"; "auto" measures those
            that are there, but for the compiled ones, which take minutes to prepare.
        precision: "float32", "bf16", "fp16" (on a GPU) or "int8"; "auto" takes what is fastest here, as a rule bf16, and
            float32 where that would change the answers. It never takes int8.
        batch: how many images will usually come at once; others work too.
        size: (height, width) of the images; what `preprocess` or else the architecture says if None.
        preprocess: what images go through before the network, for `Compiled.pixels`.
        images: of the network's own kind, to compare answers on and to calibrate int8 with: `[images, height, width, 3]` as
            `Compiled.pixels` takes them, or without `preprocess` float32 `[images, channels, height, width]`, normalised.
        heads: whose logits will be asked for.
        threads: how many to use; the engine's own number if None.
        device: "cpu" for the engines of the processor, "cuda" for those of the GPU, "cuda:1" for those of the second one;
            "auto" for both.

    Returns:
        What answers. Its `notes` say what was done. An engine or a precision that would change the answers is not taken, even
        where it was asked for by name: the next precision is, at last float32, and `notes` say why.

    Raises:
        UsageError: an unknown name, or options that do not go together.
        MachineError: the engine is not installed or cannot do it, or no engine gives the right answers.
    """
    if device != "auto":
        choose_device(device)
    rounds = candidates(engine, precision, device)
    if batch < 1 or (threads is not None and threads < 1):
        raise UsageError(f"batch and threads are at least 1, not {batch} and {threads}.")
    if precision == "int8" and images is None:
        raise UsageError("int8 is calibrated on images of the network's own kind: pass some hundred of them as images=….")
    if (where := next(model.parameters()).device).type != "cpu":
        raise UsageError(
            f"Engines, those of a GPU too, are made of a network on the CPU, and this one is on {where}: move it (.cpu())."
        )
    preparation = Preparation(
        source=lower(model, size=size, heads=heads, preprocess=preprocess),
        batch=batch,
        preprocess=preprocess,
        threads=threads,
        images=images,
        device=device,
    )
    pixels = preparation.from_pixels
    path = kept_at(preparation.graph(pixels=pixels), (rounds, batch, threads, device), images)
    choice = recall(path)
    if choice is not None:
        taken = Compiled(choice.taken, preparation.folded())
    else:
        shown = preparation.given(pixels=pixels)
        if shown is None:
            shown = smooth(preparation.source.shape, COMPARED, pixels=pixels)
        # Before the weights are copied, which then take the place of what the network needed to answer.
        expected = answers(model, shown, tuple(preparation.source.outputs), preprocess=preprocess if pixels else None)
        preparation = preparation.folded()
        ready: dict[Candidate, Compiled] = {}

        def make(candidate: Candidate) -> Engine:
            ready[candidate] = Compiled(candidate, preparation)
            return ready[candidate].ready(pixels=pixels)

        choice = choose(rounds, make, shown, expected, batch=batch, meaningful=images is not None)
        keep(path, choice)
        taken = ready[choice.taken]
    taken.notes += _told(choice)
    return taken


def candidates(engine: str, precision: str, device: str = "auto") -> list[list[Candidate]]:
    """What to measure: what was asked for first, float32 if that gives other answers.

    Raises:
        UsageError: an unknown name, or options that do not go together.
        MachineError: the engine is not installed, or does not compute in this precision.
    """
    names = catalogue.named(engine, precision, device)
    if precision == "int8":
        return [[Candidate(names[0], one)] for one in ("int8", *catalogue.precisions(names[0]))]
    able = {name: catalogue.precisions(name) for name in names}
    if precision == "auto":
        # Of sixteen bits what an engine is fastest in: an older GPU has no bf16.
        first = [Candidate(name, able[name][0]) for name in names if able[name][0] != "float32"]
    else:
        first = [Candidate(name, one) for name in names for one in able[name] if one == precision and one != "float32"]
    groups = [first, [Candidate(name, "float32") for name in names if "float32" in able[name]]]
    return [group for group in groups if group]


def _told(choice: Choice) -> list[str]:
    """What was found, as sentences."""
    told = [f"Taken: {choice.taken}."]
    told += [f"Measured {one}." for one in choice.judged if one.images_per_second is not None]
    if choice.doubtful:
        told.append(
            f"The machine was busy ({choice.load:.1f} processes for each core): it will be measured again when it is not."
        )
    told += [f"Not taken: {one.engine} in {one.precision}: {one.refused}." for one in choice.judged if one.refused]
    return told
