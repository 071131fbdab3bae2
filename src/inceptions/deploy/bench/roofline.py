"""Where a network's time goes: each module's speed beside what its arithmetic and its memory traffic allow."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inceptions.architecture import cost
from inceptions.deploy.bench.ceilings import Ceilings
from inceptions.deploy.bench.turns import in_turn
from inceptions.deploy.choosing import smooth
from inceptions.deploy.engines import catalogue
from inceptions.deploy.engines.catalogue import EngineName
from inceptions.deploy.engines.engine import Engine, Precision
from inceptions.deploy.graph import GlobalPool, Graph, Op, inputs
from inceptions.deploy.lower import lower
from inceptions.deploy.rewrites import rewrite
from inceptions.deploy.shapes import shapes
from inceptions.files import write_bytes
from inceptions.network import Network

BYTES: dict[Precision, int] = {"float32": 4, "bf16": 2}
ROUNDS = 5
NAMED = 5
# Colours that people with colour blindness can tell apart (Okabe & Ito 2008), and signs that photocopies can.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module of a network and how fast it runs.

    Attributes:
        name: its name; a pool's joins that of the module before it.
        stage: what it is drawn as.
        flops: operations for one batch, two to a multiply-add.
        traffic: bytes for one batch if it reads its input and weights and writes its output once.
        seconds: for one batch, alone.
    """

    name: str
    stage: str
    flops: float
    traffic: float
    seconds: float

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.flops / self.traffic

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.flops / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """A network's modules on an engine."""

    title: str
    precision: Precision
    modules: tuple[Module, ...]


def measure(
    network: Network,
    engine: EngineName,
    precision: Precision,
    batch: int,
    size: tuple[int, int],
    *,
    threads: int | None,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> Roofline:
    """Time every module alone, on an engine and rewritten as the whole network is.

    An engine takes float32 images and gives vectors, so a module is measured with the mean of its output behind it, less what
    the engine takes for the mean of its input.

    Args:
        network: ours, without auxiliary heads.
        engine: what runs it.
        precision: what it computes in.
        batch: images at once.
        size: (height, width) of the images.
        threads: as `compile`.
        tell: told how many modules of how many are measured.
    """
    whole = lower(network, size=size)
    sizes = shapes(whole)
    bill = cost(network.architecture, size)
    macs: dict[str, int] = {}
    params: dict[str, int] = {}
    for node in bill.nodes:
        name = node.name.partition(".")[0]
        macs[name] = macs.get(name, 0) + node.macs
        params[name] = params.get(name, 0) + node.params
    groups = grouped(whole, macs)

    def made(graph: Graph) -> Engine:
        graph, _ = rewrite(graph, engine=engine, precision=precision, batch=batch)
        return catalogue.make(engine, graph, precision=precision, batch=batch, threads=threads, cache=None)

    modules = []
    for number, (names, ops) in enumerate(groups.items()):
        known = {op.name for op in ops}
        (entry,) = {name for op in ops for name in inputs(op)} - known
        shape = sizes[entry]
        assert len(shape) == 3
        last = ops[-1].name
        into = GlobalPool(name="mean", input=last)
        body = ops if len(sizes[last]) == 1 else (*ops, into)
        part = Graph(input=entry, shape=shape, ops=body, outputs={"main": body[-1].name})
        bare = replace(part, ops=(GlobalPool(name="mean", input=entry),), outputs={"main": "mean"})
        images = smooth(shape, batch, pixels=False)
        engines = {"whole": made(part), "bare": made(bare)}
        calls = {what: partial(one.run, images) for what, one in engines.items()}
        times = in_turn(calls, rounds=ROUNDS)
        whole_time, bare_time = median(times["whole"]), median(times["bare"])
        values = (int(np.prod(shape)) + int(np.prod(sizes[last]))) * batch
        modules.append(
            Module(
                name=" + ".join(names),
                stage=stage(names[0]),
                flops=2.0 * batch * sum(macs[name] for name in names),
                traffic=float(BYTES[precision] * (values + sum(params[name] for name in names))),
                # What is taken off is never nearly all of it.
                seconds=max(whole_time - bare_time, whole_time / 4),
            )
        )
        tell(number + 1, len(groups))
    title = f"{network.architecture.full_name}, {size[0]}×{size[1]}, batch {batch}\n{engine}, {precision}"
    return Roofline(title=title, precision=precision, modules=tuple(modules))


def grouped(graph: Graph, macs: dict[str, int]) -> dict[tuple[str, ...], tuple[Op, ...]]:
    """The ops by the modules whose they are; what multiplies nothing (a pool) goes with the module before it."""
    found: list[tuple[list[str], list[Op]]] = []
    for op in graph.ops:
        name = op.name.partition(".")[0]
        if found and (name in found[-1][0] or not macs.get(name)):
            names, ops = found[-1]
            names += [] if name in names else [name]
            ops.append(op)
        else:
            found.append(([name], [op]))
    return {tuple(names): tuple(ops) for names, ops in found}


def stage(name: str) -> str:
    """What a module is drawn as: "inception_4b" as inception_4, "block35_7" as block35, single convolutions as the stem."""
    if name == "main":
        return "classifier"
    if name.startswith("conv"):
        return "single convolutions"
    kind, _, number = name.partition("_")
    return f"{kind}_{number.rstrip('abcdefgh')}" if kind in ("inception", "mixed") else kind


def draw(rooflines: Sequence[Roofline], ceilings: Ceilings, path: Path) -> None:
    """Write the picture as PNG, one panel a network.

    Raises:
        MachineError: the file cannot be written.
    """
    figure = Figure(figsize=(8.2 * len(rooflines), 5.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, one in zip(np.atleast_1d(figure.subplots(1, len(rooflines))), rooflines, strict=True):
        _panel(axes, one, ceilings)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_bytes(path, content.getvalue())


def _panel(axes: Axes, one: Roofline, ceilings: Ceilings) -> None:
    top, bandwidth = ceilings.flops[one.precision], ceilings.bandwidth
    modules = one.modules
    xs = [module.intensity for module in modules]
    span = np.geomspace(min(*xs, top / bandwidth) / 2, max(*xs, top / bandwidth) * 2, 100)
    roof = f"roof: {top / 1e9:,.0f} GFLOP/s, {bandwidth / 1e9:.1f} GB/s"
    axes.plot(span, np.minimum(top, bandwidth * span) / 1e9, "-", color="#000000", linewidth=1.4, label=roof)
    whole = sum(module.seconds for module in modules)
    for number, name in enumerate(dict.fromkeys(module.stage for module in modules)):
        here = [module for module in modules if module.stage == name]
        share = sum(module.seconds for module in here) / whole
        axes.scatter(
            [module.intensity for module in here],
            [module.rate / 1e9 for module in here],
            s=[25 + 900 * module.seconds / whole for module in here],
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            alpha=0.75,
            edgecolors="white",
            label=f"{name} ({share:.0%} of the time)",
        )
    worst = sorted(modules, key=lambda module: lost(module, top, bandwidth), reverse=True)[:NAMED]
    # Beside the panel and in the order of the points, because modules of a kind lie close together and names would overlap.
    for number, module in enumerate(sorted(worst, key=lambda module: -module.rate)):
        text = "\n".join([*module.name.split(" + "), f"{lost(module, top, bandwidth) / whole:.0%} lost"])
        axes.annotate(
            text,
            (module.intensity, module.rate / 1e9),
            xytext=(1.03, 1 - (number + 0.5) / len(worst)),
            textcoords="axes fraction",
            fontsize=8,
            va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": "#777777", "shrinkB": 4},
        )
    axes.set(xscale="log", yscale="log", title=one.title)
    axes.set_xlabel("arithmetic intensity (FLOP per byte read or written)")
    axes.set_ylabel("speed of the module alone (GFLOP/s)")
    axes.grid(which="both", alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False, markerscale=0.6)


def lost(module: Module, top: float, bandwidth: float) -> float:
    """Seconds a batch that a module takes beyond those its place under the roof allows."""
    return max(0.0, module.seconds - module.flops / min(top, bandwidth * module.intensity))
