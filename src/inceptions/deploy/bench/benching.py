"""A whole measurement: networks, batches, precisions, ours and the peers, with the same weights and images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import torch

from inceptions.architecture import cost
from inceptions.deploy.bench import roofline, systems
from inceptions.deploy.bench.asked import COMPILED, Asked, check, read_precisions
from inceptions.deploy.bench.ceilings import Ceilings
from inceptions.deploy.bench.memory import Files
from inceptions.deploy.bench.rows import Bench, Row
from inceptions.deploy.bench.subjects import Subject, subjects
from inceptions.deploy.bench.systems import System
from inceptions.deploy.bench.turns import in_turn, ratio
from inceptions.deploy.bench.unmodified import Unmodified, packages, theirs, to_onnx, unmodified
from inceptions.deploy.choosing import smooth
from inceptions.deploy.compile import candidates, compile
from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.graph import Array
from inceptions.errors import MachineError, UsageError, WeightsError
from inceptions.network.hardware import keep_memory, processor
from inceptions.train.progress import Reporter, Silent

NOTHINGS = 4
"""Images of nothing that answers are compared on, if none are given and a batch is not more."""


def bench(
    models: Sequence[str] = ("googlenet",),
    *,
    against: Sequence[str] = ("torchvision", "timm", "openvino", "onnxruntime"),
    batches: Sequence[int] = (1, 16),
    precisions: Sequence[str] = ("float32", "bf16"),
    engines: Sequence[str] = ("auto",),
    size: tuple[int, int] | None = None,
    threads: int | None = None,
    rounds: int = 9,
    seconds: float | None = None,
    weights: str | Path | None = None,
    images: Path | None = None,
    picture: Path | None = None,
    memory: bool = False,
    report: Reporter | None = None,
) -> Bench:
    """Measure networks in turn with what people run otherwise.

    The first row is always the network as people run it: torchvision's or timm's, eager, float32. Ratios and answers are
    compared with that one.

    Args:
        models: networks, "name" or "name/variant".
        against: peers, of `PEERS`; what is not installed is remarked upon and left out.
        batches: images at once.
        precisions: "float32", "bf16", and "int8", which is calibrated on a part of `images`.
        engines: ours, as `compile` knows them.
        size: (height, width) of the images; as published if None.
        threads: of every system; its own number if None.
        rounds: how many.
        seconds: no round of a network and batch begins later than this, behind the third.
        weights: real ones, instead of `models`.
        images: folder to compare answers on.
        picture: PNG of the roofline at the last floating precision and the largest batch.
        memory: measure the peak memory of each system too, in a process of its own.
        report: told what happens.

    Raises:
        UsageError: an unknown name, or numbers out of range.
        DataError: no image can be read.
        WeightsError: the weights cannot be read.
        MachineError: an engine is not installed.
    """
    asked = Asked(
        against=against,
        batches=batches,
        precisions=read_precisions(precisions),
        engines=engines,
        threads=threads,
        rounds=rounds,
        seconds=seconds,
        memory=memory,
        report=report or Silent(),
    )
    check(asked)
    calibrate = "int8" in asked.precisions
    if calibrate and images is None:
        raise UsageError("int8 is calibrated on photographs, and judged by others: name a folder of them with --images.")
    if picture is not None:
        candidates(asked.engines[0], asked.computed[-1], "cpu")  # what is drawn is the processor's roof
    keep_memory()
    with asked.report:
        found = list(subjects(models, size, weights, images, calibrate))
        ceilings = Ceilings(threads)
        asked.report.say("measuring the machine's ceilings")
        ceilings.measure(asked.computed)
        # Shares are of the best of all measurements, so rows are made when there are no more.
        measured = [one for subject in found for one in _measure(subject, asked, ceilings)]
        rows = [row for one in measured for row in _rows(one, ceilings)]
        if picture is not None:
            roofline.draw([_roofline(subject, asked) for subject in found], ceilings, picture)
            asked.remark(f"Roofline: {picture}. " + ROOFLINE)
        if images is None:
            nothing = "Weights are random and images are none of anything" if weights is None else "Images are none of anything"
            asked.remark(f"{nothing}, so equal top-1 says little: --weights FILE --images FOLDER compares real answers.")
        asked.remark(ceilings.text())
        if any(on_gpu for one in measured for _, _, on_gpu in one.systems):
            asked.remark("The ceilings are the processor's, so there is no share of them for what computes on a GPU.")
        about = f"{processor()}, {threads or torch.get_num_threads()} threads"
        asked.remark(f"{about}, {_versions()}. Ratio: to the first row, median of the rounds' and 95 % bootstrap interval.")
    return Bench(rows=tuple(rows), remarks=tuple(asked.remarks))


ROOFLINE = (
    "Each module is timed alone on our engine; its intensity counts input, weights and output once. What is lost is the time "
    "beyond what the roof allows, as a share of all modules' time."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The systems of one network and batch.

    Attributes:
        subject: the network.
        batch: images at once.
        systems: their names, their precisions and whether they compute on a GPU, in the order of the table; the first is what
            the others are compared with.
        seconds: of a call, a number for each round, by the system's place.
        apart: by the system's place, the largest difference of a logit and the share of images of the same class.
        compared: how many images.
        peaks: by the system's place, bytes of memory at most; None where that was not measured.
    """

    subject: Subject
    batch: int
    systems: list[tuple[str, Precision, bool]]
    seconds: list[list[float]]
    apart: list[tuple[float | None, float]]
    compared: int
    peaks: list[int | None]


def _measure(subject: Subject, asked: Asked, ceilings: Ceilings) -> Iterator[Measured]:
    """A network at every batch."""
    name = subject.network.architecture.full_name
    whose = unmodified(subject.network)
    if whose.remark:
        asked.remark(f"{name}: {whose.remark}")
    shape = (subject.network.architecture.options.in_channels, *subject.size)
    content = b""
    if not {"openvino", "onnxruntime"}.isdisjoint(asked.peers):
        asked.report.say(f"{name}: exporting {whose.owner}'s network to ONNX")
        try:
            content = to_onnx(whose.module, shape)
        except MachineError as error:
            asked.remark(f"{name}: neither OpenVINO nor ONNX Runtime was measured. {error}")
    for batch in asked.batches:
        asked.report.say(f"{name}, batch {batch}: preparing")
        images = subject.images
        if images is None:
            images = np.asarray(smooth(shape, max(batch, NOTHINGS), pixels=False), dtype=np.float32)
        once = images[np.arange(batch) % len(images)]
        made = list(_systems(subject, whose, content, once, asked))
        calls = {str(place): partial(one.run, once) for place, one in enumerate(made)}
        where = f"{name}, batch {batch}: round"
        taken = in_turn(
            calls,
            rounds=asked.rounds,
            seconds=asked.seconds,
            tell=lambda done, where=where: asked.report.show(where, done, asked.rounds),  # type: ignore[misc]
        )
        asked.report.say(f"{name}, batch {batch}: comparing the answers for {len(images)} images")
        expected = made[0].answers(images, batch)
        apart = []
        for one in made:
            right = expected if one.reference is None else one.answers(images, batch, one.reference)
            apart.append(difference(right, one.answers(images, batch)))
        yield Measured(
            subject=subject,
            batch=batch,
            systems=[(one.name, one.precision, one.on_gpu) for one in made],
            seconds=list(taken.values()),
            apart=apart,
            compared=len(images),
            peaks=_peaks(subject, content, made, batch, asked),
        )
        ceilings.measure(asked.computed)


def _peaks(subject: Subject, content: bytes, made: Sequence[System], batch: int, asked: Asked) -> list[int | None]:
    if not asked.memory:
        return [None] * len(made)
    found = []
    with Files(subject.network, subject.size, content) as files:
        for number, one in enumerate(made):
            asked.report.show(f"{subject.network.architecture.full_name}, batch {batch}: memory", number, len(made))
            found.append(None if one.alone is None else files.peak(one.alone, batch))
    asked.remark(
        "Peak memory: of a fresh process from the weight file to its third batch, libraries included (VmHWM); not of int8 and "
        "Keras."
    )
    return found


def difference(expected: Array, found: Array) -> tuple[float | None, float]:
    """Largest difference of a logit (None if one is not a number), and the share of images with the same likeliest class."""
    apart = float(np.abs(found - expected).max())
    return apart if np.isfinite(apart) else None, float((found.argmax(axis=1) == expected.argmax(axis=1)).mean())


def _systems(subject: Subject, whose: Unmodified, content: bytes, example: Array, asked: Asked) -> Iterator[System]:
    """What is there of what was asked for; the network as people run it first."""
    network, threads, batch = subject.network, asked.threads, len(example)
    name = network.architecture.full_name
    yield systems.eager(whose.owner, whose.module, "float32", last=False, threads=threads)
    for package in packages(network):
        if package in asked.peers:
            module = whose.module if package == whose.owner else theirs(network, package)
            if package != whose.owner:
                yield systems.eager(package, module, "float32", last=False, threads=threads)
            for precision in asked.floating:
                yield systems.eager(package, module, precision, last=True, threads=threads)
    for precision in asked.floating if COMPILED in asked.peers else ():
        asked.report.say(f"{name}, batch {batch}: torch.compile in {precision}, which takes minutes")
        try:
            yield systems.frozen(whose.owner, whose.module, precision, example, threads)
        except MachineError as error:
            asked.remark(str(error))
    if content and "onnxruntime" in asked.peers:
        if "bf16" in asked.precisions:
            asked.remark("onnxruntime computes no bf16 on a CPU: float32 only.")
        yield systems.onnxruntime(whose.owner, content, threads)
    for precision in asked.precisions if content and "openvino" in asked.peers else ():
        try:
            yield systems.openvino(whose.owner, content, precision, example, threads, subject.calibration)
        except MachineError as error:
            asked.remark(str(error))
    if "keras" in asked.peers:
        try:
            if (found := systems.keras(network, subject.size, threads)) is None:
                asked.remark(f"keras has no network like {name}.")
            else:
                yield found
        except (MachineError, WeightsError) as error:
            asked.remark(f"{name}: Keras was not measured. {error}")
    for engine in asked.engines:
        for precision in asked.precisions:
            try:
                known = subject.calibration if precision == "int8" else subject.images
                made, notes = systems.ours(network, engine, precision, batch, subject.size, threads, known)
            except MachineError as error:
                asked.remark(str(error))
                continue
            if made.precision != precision:
                why = "; ".join(note for note in notes if note.startswith("Not taken"))
                asked.remark(
                    f"{name}, batch {batch}: {engine} was asked for {precision}, and computes in {made.precision}. {why}"
                )
            yield made


def _rows(one: Measured, ceilings: Ceilings) -> Iterator[Row]:
    architecture = one.subject.network.architecture
    macs = cost(architecture, one.subject.size).macs
    columns = zip(one.systems, one.seconds, one.apart, one.peaks, strict=True)
    for (system, precision, on_gpu), times, (apart, same), peak in columns:
        found = ratio(times, one.seconds[0])
        rate = one.batch / median(times)
        yield Row(
            system=system,
            model=architecture.full_name,
            precision=precision,
            batch=one.batch,
            images_per_second=rate,
            ratio=found.median,
            low=found.low,
            high=found.high,
            max_abs_diff=apart,
            top1_agreement=same,
            compared=one.compared,
            gflops=2 * macs * rate / 1e9,
            ceiling_share=None if precision == "int8" or on_gpu else 2 * macs * rate / ceilings.flops[precision],
            peak_memory=peak,
        )


def _roofline(subject: Subject, asked: Asked) -> roofline.Roofline:
    """The modules on the engine that the whole network runs on."""
    precision, batch, network = asked.computed[-1], max(asked.batches), subject.network
    made = compile(
        network,
        engine=asked.engines[0],
        precision=precision,
        batch=batch,
        size=subject.size,
        threads=asked.threads,
        images=subject.images,
        device="cpu",
    )
    where = f"{network.architecture.full_name}: timing modules"
    return roofline.measure(
        network,
        made.engine,
        made.precision,
        batch,
        subject.size,
        threads=asked.threads,
        tell=lambda done, of: asked.report.show(where, done, of),
    )


def _versions() -> str:
    names = ("torch", "torchvision", "timm", "openvino", "onnxruntime", "keras")
    return ", ".join(f"{name} {version(name)}" for name in names if find_spec(name) is not None)
