"""Weights and activations in eight bits, calibrated on real images; layers that hurt stay as they were.

After training: no weight is trained again. Weights have a scale a channel, activations one a tensor, found on the images. How
often the likeliest class stays the same is measured on other images; as long as that is too seldom, the layers whose results
changed most are computed in floating point again, and the rest is quantised anew.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inceptions.deploy.engines import onnxruntime, openvino
from inceptions.deploy.engines.engine import Engine
from inceptions.deploy.extras import needed
from inceptions.deploy.graph import Array, Conv, Dense, Graph, inputs
from inceptions.deploy.onnx_graph import FIRST_STEP, to_onnx
from inceptions.errors import DataError, WeightsError

if TYPE_CHECKING:
    from openvino import Model

    Content: TypeAlias = Model | bytes

Images = NDArray[np.uint8] | NDArray[np.float32]

TOLERANCE = 0.02
"""Share of the images whose likeliest class may change."""

FEWEST_IMAGES = 16
MOST_CALIBRATION = 300
AT_ONCE = 8

# Layers that go back to floating point, round by round: shares of all. Beyond the last one little is left to gain.
ROUNDS = (0.0, 0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantised:
    """A quantised network.

    Attributes:
        content: what its engine takes: a model of OpenVINO's, or the content of an ONNX file.
        agreement: share of the images whose likeliest class is that of float32, of every head.
        images: how many images that was measured on; none of them was calibrated with.
        calibrated: how many images it was calibrated on.
        layers: how many layers there are with weights.
        kept: names of those that were not quantised, because they hurt.
    """

    content: Content
    agreement: dict[str, float]
    images: int
    calibrated: int
    layers: int
    kept: tuple[str, ...]

    def text(self) -> str:
        """What was done, as a line."""
        worst = min(self.agreement.values())
        kept = f"; {len(self.kept)} of {self.layers} layers stay in floating point" if self.kept else ""
        return f"int8 agrees with float32 on {worst:.1%} of {self.images} images{kept} (calibrated on {self.calibrated} others)"


def quantise(
    graph: Graph,
    images: Images,
    *,
    engine: Literal["openvino", "onnxruntime"] = "openvino",
    tolerance: float = TOLERANCE,
    threads: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Quantised:
    """Quantise a graph for an engine.

    Args:
        graph: in float32. Rewrites that merge convolutions make the engines slower in eight bits.
        images: what the graph takes, at least 16, of the kind it is for. Every second one is calibrated with (300 at most), the
            others are what the result is judged by.
        engine: what is to run it.
        tolerance: share of the images whose likeliest class may change.
        threads: as many as the machine has cores if None.
        say: is told what happens, as a sentence.

    Raises:
        DataError: too few images.
        WeightsError: it loses more than `tolerance`, even with two fifths of its layers in floating point.
        MachineError: a package is missing.
    """
    if len(images) < FEWEST_IMAGES:
        raise DataError(
            f"{len(images)} images are too few to quantise with: half of them are calibrated with, half are judged by. Give at "
            f"least {FEWEST_IMAGES}, better some hundreds, of the kind the network is for."
        )
    calibration, judged = images[::2][:MOST_CALIBRATION], images[1::2]
    make = _OPENVINO if engine == "openvino" else _ONNXRUNTIME
    layers = [op.name for op in graph.ops if isinstance(op, Conv | Dense)]
    exact = make.engine(graph, "float32", threads)
    wanted = {head: logits.argmax(axis=1) for head, logits in _run(exact, judged).items()}
    ranking: list[str] = []
    best = 0.0
    for share in ROUNDS:
        kept = tuple(ranking[: round(share * len(layers))])
        content = make.quantise(graph, calibration, kept)
        found = _run(make.engine(content, "int8", threads), judged)
        agreement = {head: float((logits.argmax(axis=1) == wanted[head]).mean()) for head, logits in found.items()}
        result = Quantised(
            content=content,
            agreement=agreement,
            images=len(judged),
            calibrated=len(calibration),
            layers=len(layers),
            kept=kept,
        )
        say(result.text())
        worst = min(agreement.values())
        if worst >= 1 - tolerance:
            return result
        best = max(best, worst)
        ranking = ranking or _ranking(graph, content, layers, calibration[:AT_ONCE], make, threads)
    raise WeightsError(
        f"In int8 the network agrees with itself in float32 on {best:.1%} of {len(judged)} images at best, less than the "
        f"{1 - tolerance:.1%} asked for. Give more images of the kind it is for, or use bf16."
    )


def _ranking(
    graph: Graph, content: Content, layers: Sequence[str], images: Images, make: _Maker, threads: int | None
) -> list[str]:
    """The layers in order of the noise that their own quantisation adds to their results, the noisiest first.

    The noise of a layer is the mean squared difference to float32, as a share of the result's variance; what has come in with
    the layer's input counts as somebody else's.
    """
    exact, coarse = make.inside(graph, layers, images, threads), make.inside(content, layers, images, threads)
    noise = {
        name: float(np.mean((coarse[name] - exact[name]) ** 2) / (np.var(exact[name]) + 1e-12))
        for name in layers
        if name in exact and name in coarse
    }
    before = _layers_before(graph)
    own = {name: share - max((noise.get(one, 0.0) for one in before[name]), default=0.0) for name, share in noise.items()}
    return sorted(own, key=lambda name: -own[name])


def _layers_before(graph: Graph) -> dict[str, set[str]]:
    """For each layer with weights the nearest ones that its input comes from."""
    sources: dict[str, set[str]] = {graph.input: set()}
    found: dict[str, set[str]] = {}
    for op in graph.ops:
        come = set().union(*(sources[name] for name in inputs(op)))
        if isinstance(op, Conv | Dense):
            found[op.name] = come
            come = {op.name}
        sources[op.name] = come
    return found


def _run(engine: Engine, images: Images) -> dict[str, Array]:
    parts = [engine.run(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)]
    return {head: np.concatenate([part[head] for part in parts]) for head in parts[0]}


@dataclass(frozen=True, slots=True)
class _Maker:
    """How one engine's networks are quantised, run and looked into."""

    quantise: Callable[[Graph, Images, tuple[str, ...]], Content]
    engine: Callable[[Graph | Content, Literal["float32", "int8"], int | None], Engine]
    inside: Callable[[Graph | Content, Sequence[str], Images, int | None], dict[str, Array]]


def quiet_nncf() -> ModuleType:
    """NNCF, which tells nobody that it is used.

    Raises:
        MachineError: it is not installed.
    """
    # Before it is imported: it would tell its makers, and nobody was asked.
    os.environ.setdefault("NNCF_CI", "1")
    nncf = needed("nncf", openvino.EXTRA)
    nncf.set_log_level(logging.ERROR)
    return nncf


def _with_nncf(graph: Graph, images: Images, kept: tuple[str, ...]) -> Content:
    nncf = quiet_nncf()
    ranges = needed("nncf.quantization.range_estimator", openvino.EXTRA).RangeEstimatorParametersSet
    model = openvino.read_model(graph)
    openvino.fold_constants(model)  # then NNCF sees the biases, and takes the mean error off them
    stay = [node.get_friendly_name() for layer, node in _nodes(model).items() if layer in kept]
    with silence():
        quantised: Content = nncf.quantize(
            model,
            nncf.Dataset([images[number : number + 1] for number in range(len(images))]),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(names=stay) if stay else None,
            # By itself it takes the mean of the images' ranges, and cuts off what a lively image has beyond it: of 200 images
            # one had a logit wrong by 0.6 of the largest (BN-Inception), which is 0.04 with the whole range.
            advanced_parameters=nncf.AdvancedQuantizationParameters(activations_range_estimator_params=ranges.MINMAX),
        )
    return quantised


def _nodes(model: Model) -> dict[str, Any]:
    """A model's layers with weights, by the names that they have in the graph."""
    kinds = ("Convolution", "GroupConvolution", "MatMul")
    # What reads ONNX gives the bias a node of its own; what writes it, a ReLU.
    return {
        node.get_friendly_name().removesuffix("/WithoutBiases").removesuffix(FIRST_STEP): node
        for node in model.get_ordered_ops()
        if node.get_type_name() in kinds
    }


def _openvino_inside(source: Graph | Content, layers: Sequence[str], images: Images, threads: int | None) -> dict[str, Array]:
    model = openvino.read_model(source).clone()
    nodes = _nodes(model)
    seen = [name for name in layers if name in nodes]
    heads = len(model.outputs)
    model.add_outputs([nodes[name].output(0) for name in seen])
    for number, output in enumerate(model.outputs):
        output.get_tensor().set_names({str(number)})
    found = openvino.engine(model, precision="float32", threads=threads).run(images)
    return {name: found[str(heads + number)] for number, name in enumerate(seen)}


def _with_onnxruntime(graph: Graph, images: Images, kept: tuple[str, ...]) -> Content:
    quantization = needed("onnxruntime.quantization", onnxruntime.EXTRA)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.left: Iterator[dict[str, Images]] = iter(
                {graph.input: images[number : number + 1]} for number in range(len(images))
            )

        def get_next(self) -> dict[str, Images] | None:
            return next(self.left, None)

    stay = _way_to(graph, kept)
    with tempfile.TemporaryDirectory() as folder, silence():
        path = Path(folder) / "int8.onnx"
        quantization.quantize_static(
            to_onnx(graph),
            str(path),
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=[name for op in stay for name in (op, op + FIRST_STEP)],
        )
        return path.read_bytes()


def _way_to(graph: Graph, layers: Sequence[str]) -> set[str]:
    """Layers, and the ops from the nearest layers with weights to them: ONNX Runtime rounds a value where it is made."""
    found: set[str] = set()
    waiting = [(name, True) for name in layers]
    while waiting:
        name, beyond = waiting.pop()
        if name != graph.input and name not in found:
            found.add(name)
            op = graph.made_by[name]
            if beyond or not isinstance(op, Conv | Dense):
                waiting += [(one, False) for one in inputs(op)]
    return found


def _onnxruntime_inside(
    source: Graph | Content, layers: Sequence[str], images: Images, threads: int | None
) -> dict[str, Array]:
    onnx = needed("onnx", onnxruntime.EXTRA)
    model = onnx.load_from_string(to_onnx(source).SerializeToString() if isinstance(source, Graph) else source)
    made = {node.name: node.output[0] for node in model.graph.node if node.op_type in ("Conv", "Gemm")}
    names = {layer: made.get(layer) or made.get(layer + FIRST_STEP) for layer in layers}
    seen = {layer: value for layer, value in names.items() if value}
    present = {output.name for output in model.graph.output}
    for value in seen.values():
        if value not in present:
            model.graph.output.append(onnx.helper.make_tensor_value_info(value, 1, None))
    found = onnxruntime.engine(model.SerializeToString(), threads=threads).run(images)
    return {layer: found[value] for layer, value in seen.items()}


_OPENVINO = _Maker(
    _with_nncf,
    lambda source, precision, threads: openvino.engine(source, precision=precision, batch=AT_ONCE, threads=threads),
    _openvino_inside,
)
_ONNXRUNTIME = _Maker(
    _with_onnxruntime,
    lambda source, precision, threads: onnxruntime.engine(source, precision=precision, batch=AT_ONCE, threads=threads),
    _onnxruntime_inside,
)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep libraries from drawing progress bars and giving advice between the answers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
