"""Which engine and precision: measured on this machine, kept for the next time, and never at the cost of answers."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import numpy as np

from inceptions.deploy.agreement import agreement
from inceptions.deploy.engines.catalogue import EngineName
from inceptions.deploy.engines.engine import Engine, Precision
from inceptions.deploy.fingerprint import fingerprint
from inceptions.deploy.graph import Array, Graph
from inceptions.errors import InceptionsError, MachineError
from inceptions.files import write_text
from inceptions.network.hardware import processor
from inceptions.weights.published.cache import home

SECONDS = 0.6
ROUNDS = 5

BUSY = 0.5
"""Processes that want each core, in the mean of the last minute, from which on a machine's figures may be chance."""

Images = Array | np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine in a precision."""

    engine: EngineName
    precision: Precision

    def __str__(self) -> str:
        """As notes say it."""
        return f"{self.engine} in {self.precision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came out for a candidate.

    Attributes:
        engine: its engine.
        precision: its precision.
        images_per_second: median of the rounds; None if it was not measured.
        difference: largest difference of a logit from float32, as a share of the largest.
        top1: share of the images with the same likeliest class.
        refused: why it was not taken, as a part of a sentence; "" if its answers are right.
    """

    engine: EngineName
    precision: Precision
    images_per_second: float | None
    difference: float
    top1: float
    refused: str = ""

    def __str__(self) -> str:
        """One line for people."""
        speed = "" if self.images_per_second is None else f"{self.images_per_second:.1f} images/s, "
        verdict = self.refused or "agrees with float32"
        return f"{self.engine} in {self.precision}: {speed}{verdict} (logits within {self.difference:.1g} of the largest)"


@dataclass(frozen=True, slots=True)
class Choice:
    """The candidate that was taken, and what was found out about all.

    Attributes:
        taken: the candidate.
        judged: all that were looked at.
        load: of each core when they were measured, `load()`.
    """

    taken: Candidate
    judged: tuple[Judged, ...]
    load: float = 0.0

    @property
    def doubtful(self) -> bool:
        """Whether something else ran while several were compared."""
        return self.load > BUSY and sum(one.images_per_second is not None for one in self.judged) > 1


def choose(
    rounds: Sequence[Sequence[Candidate]],
    make: Callable[[Candidate], Engine],
    images: Images,
    expected: dict[str, Array],
    *,
    batch: int,
    meaningful: bool,
) -> Choice:
    """Take the fastest candidate whose answers are right.

    Args:
        rounds: candidates in groups; a group is only looked at if none of those before it has a right answer.
        make: makes one ready.
        images: what they are compared on.
        expected: what float32 says of these.
        batch: how many images a measured call gets.
        meaningful: as in `fault`.

    Raises:
        MachineError: no candidate gives the right answers.
    """
    seen: list[Judged] = []
    busy = load()
    for group in rounds:
        engines: dict[Candidate, Engine] = {}
        for one in group:
            try:
                engines[one] = make(one)
            except InceptionsError as error:
                seen.append(_refused(one, str(error)))
        rates = measured(engines, repeated(images, batch))
        for one in sorted(engines, key=lambda one: -rates[one]):
            found = agreement(expected, asked(engines[one], images, batch))
            refused = found.fault(one.precision, meaningful=meaningful)
            seen.append(
                Judged(
                    engine=one.engine,
                    precision=one.precision,
                    images_per_second=rates[one],
                    difference=found.difference,
                    top1=found.top1,
                    refused=refused,
                )
            )
        if right := [one for one in seen if not one.refused]:
            best = max(right, key=lambda one: one.images_per_second or 0)
            return Choice(Candidate(best.engine, best.precision), tuple(seen), busy)
    told = "; ".join(f"{one.engine} in {one.precision}: {one.refused}" for one in seen)
    raise MachineError(f"No engine of this machine gives the network's answers ({told}). Use the network without one.")


def load() -> float:
    """Processes that want each core, in the mean of the last minute; 0 where the system does not say."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0


def _refused(one: Candidate, why: str) -> Judged:
    return Judged(
        engine=one.engine,
        precision=one.precision,
        images_per_second=None,
        difference=float("inf"),
        top1=0.0,
        refused=why.rstrip("."),
    )


def measured(engines: dict[Candidate, Engine], images: Images) -> dict[Candidate, float]:
    """Images per second of each, in turn, so that a machine whose speed drifts drifts for all."""
    seconds: dict[Candidate, list[float]] = {one: [] for one in engines}
    for engine in engines.values():
        engine.run(images)
    start = time.perf_counter()
    for number in range(ROUNDS):
        for one, engine in engines.items():
            before = time.perf_counter()
            engine.run(images)
            seconds[one].append(time.perf_counter() - before)
        # Three rounds are enough for what is slow.
        if number > 1 and time.perf_counter() - start > SECONDS * len(engines):
            break
    return {one: len(images) / median(times) for one, times in seconds.items()}


def asked(engine: Engine, images: Images, batch: int) -> dict[str, Array]:
    """An engine's answers, in batches as it will usually get them: others may take it another way, and more memory."""
    parts = [engine.run(repeated(images[start : start + batch], batch)) for start in range(0, len(images), batch)]
    return {head: np.concatenate([part[head] for part in parts])[: len(images)] for head in parts[0]}


def repeated(images: Images, number: int) -> Images:
    """That many images, the same again if there are fewer."""
    if len(images) == number:
        return images
    return images[np.arange(number) % len(images)]


def smooth(shape: tuple[int, int, int], number: int, *, pixels: bool) -> Images:
    """Images of nothing, as smooth as photographs: some light and dark, at the scale of the whole.

    Args:
        shape: (channels, height, width).
        number: how many.
        pixels: uint8 `[number, height, width, channels]` instead of float32 `[number, channels, height, width]`.
    """
    channels, height, width = shape
    random = np.random.default_rng(0)
    made = np.zeros((number, channels, height, width))
    rows, columns = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None, :]
    for waves in (1, 2, 4, 8, 16):
        phase, size = random.uniform(0, 2 * np.pi, (2, number, channels, 1, 1)), random.normal(0, 1, (number, channels, 1, 1))
        made += size * np.sin(2 * np.pi * waves * rows + phase[0]) * np.sin(2 * np.pi * waves * columns + phase[1]) / waves**0.5
    if pixels:
        return np.ascontiguousarray(np.clip(128 + 50 * made, 0, 255).transpose(0, 2, 3, 1), dtype=np.uint8)
    return made.astype(np.float32)


def machine() -> str:
    """What else a measurement depends on: the processor, the GPUs and the libraries."""
    import torch

    parts = [platform.machine(), processor(), f"{torch.get_num_threads()} threads", platform.python_version()]
    parts += [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    for name in ("inceptions", "torch", "openvino", "onnxruntime"):
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            parts.append(f"no {name}")
    return ", ".join(parts)


def kept_at(graph: Graph, asked: object, images: Images | None) -> Path:
    """Where a choice is kept: under the digest of all it depends on."""
    digest = hashlib.blake2b(repr((fingerprint(graph), asked, machine())).encode(), digest_size=16)
    if images is not None:
        digest.update(np.ascontiguousarray(images).data)
    return home() / "engines" / f"{digest.hexdigest()}.json"


def recall(path: Path) -> Choice | None:
    """The choice that was kept in a file; None if there is none, it cannot be read, or it was made on a busy machine that is
    quiet now.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        judged = tuple(Judged(**one) for one in kept["judged"])
        choice = Choice(Candidate(**kept["taken"]), judged, float(kept["load"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if choice.doubtful and load() <= BUSY else choice


def keep(path: Path, choice: Choice) -> None:
    """Keep a choice for the next time; that it cannot be kept is no reason to fail."""
    content = {"taken": asdict(choice.taken), "judged": [asdict(one) for one in choice.judged], "load": choice.load}
    try:
        write_text(path, json.dumps(content, indent=1))
    except MachineError:
        return
