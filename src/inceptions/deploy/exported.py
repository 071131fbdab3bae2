"""Networks that `inceptions export` wrote down, opened again. Nothing here needs torch, except for files of torch's own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inceptions.deploy.about import About
from inceptions.deploy.engines.engine import Engine, Precision
from inceptions.deploy.graph import Array
from inceptions.deploy.onnx_metadata import read_metadata
from inceptions.errors import UsageError, WeightsError
from inceptions.weights.card import Card
from inceptions.weights.preprocess import Preprocess

Runner = Literal["onnxruntime", "openvino", "torch"]
RUNNERS: dict[str, tuple[Runner, ...]] = {".onnx": ("onnxruntime", "openvino"), ".xml": ("openvino",), ".pt2": ("torch",)}
"""What can run a file, by its ending; the first that is installed does."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported network, ready to answer.

    Attributes:
        about: what its file says.
        engine: what runs it.
        path: the file.
    """

    about: About
    engine: Engine
    path: Path

    @property
    def card(self) -> Card:
        """Classes, preprocessing, calibration, provenance."""
        return self.about.card

    def run(self, pixels: NDArray[np.uint8] | NDArray[np.float32]) -> dict[str, Array]:
        """Logits of every head, `[batch, classes]`.

        Args:
            pixels: RGB, 0 to 255, `[batch, height, width, 3]`, as `inceptions.data.showing` makes them.

        Raises:
            UsageError: they do not have the size the file was exported for.
            WeightsError: what comes out is not what the file says.
        """
        height, width = self.card.preprocess.size
        if pixels.ndim != 4 or pixels.shape[1:] != (height, width, 3):
            raise UsageError(
                f"{self.path} takes images of {height}×{width} pixels in RGB, [batch, {height}, {width}, 3], "
                f"not {list(pixels.shape)}."
            )
        found = self.engine.run(entering(pixels, self.card.preprocess, pixels=self.about.pixels))
        expected = dict.fromkeys(self.about.heads, (len(pixels), self.card.options.num_classes))
        if (shapes := {head: logits.shape for head, logits in found.items()}) != expected:
            raise WeightsError(f"{self.path} answers {shapes}, and says of itself {expected}. Export it again.")
        return found


def entering(
    images: NDArray[np.uint8] | NDArray[np.float32], preprocess: Preprocess, *, pixels: bool
) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Images as an exported network takes them.

    Args:
        images: RGB, 0 to 255, `[batch, height, width, 3]`.
        preprocess: says the order of the channels, their means and deviations.
        pixels: whether the network begins with pixels (`About.pixels`).

    Returns:
        uint8, `[batch, height, width, channels]`, or float32, `[batch, channels, height, width]`.
    """
    if preprocess.channels == "L":  # the integers of Pillow's `convert("L")`
        red, green, blue = np.moveaxis(images.astype(np.int32), 3, 0)
        images = ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype(np.uint8)[..., None]
    if pixels:
        return images
    if preprocess.channels == "BGR":
        images = images[..., ::-1]
    scale = (1 / (255 * np.array(preprocess.std, np.float64))).astype(np.float32)
    shift = (np.array(preprocess.mean, np.float64) / np.array(preprocess.std, np.float64)).astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(images.astype(np.float32) * scale - shift, 3, 1))


def is_exported(path: Path) -> bool:
    """Whether a file's name is that of an exported network."""
    return path.suffix in RUNNERS


def open_exported(
    path: Path,
    *,
    engine: Runner | Literal["auto"] = "auto",
    precision: Precision | Literal["auto"] = "auto",
    batch: int = 1,
    threads: int | None = None,
    cache: Path | None = None,
) -> Exported:
    """Open a file of `inceptions export`.

    Args:
        path: `.onnx`, `.xml` (OpenVINO) or `.pt2` (torch.export).
        engine: what is to run it; the one whose format it is if "auto". An ONNX file can be run by OpenVINO too.
        precision: what to compute in; what it was exported for, as far as this machine can, if "auto".
        batch: how many images come at once, as a rule.
        threads: as many as the machine has cores if None.
        cache: folder for what an engine prepares.

    Raises:
        WeightsError: nothing is there, it cannot be read, or it was not exported by inceptions.
        UsageError: the engine does not run this kind of file.
        MachineError: the engine is missing, or does not run on this machine.
    """
    if not path.is_file():
        raise WeightsError(f"There is no file {path}.")
    if not is_exported(path):
        raise UsageError(f"{path} is no exported network by its name: it ends in none of {', '.join(RUNNERS)}.")
    able = RUNNERS[path.suffix]
    if engine != "auto" and engine not in able:
        raise UsageError(f"{path} is run by {' or '.join(able)}, not by {engine}.")
    match next((one for one in able if find_spec(one)), able[0]) if engine == "auto" else engine:
        case "torch":
            from inceptions.deploy.engines import torch_exported

            about, ready = torch_exported.open_file(path)
            if precision not in ("auto", about.precision):
                raise UsageError(f"{path} was exported in {about.precision}: export it again with --precision {precision}.")
            return Exported(about, ready, path)
        case "openvino":
            from inceptions.deploy.engines import openvino

            model = openvino.read_model(path)
            about = About.from_metadata(read_metadata(path) if path.suffix == ".onnx" else openvino.metadata(model), path)
            wanted = about.precision if precision == "auto" else precision
            if wanted != about.precision and "int8" in (wanted, about.precision):
                raise UsageError(f"{path} was exported in {about.precision}: export it again with --precision {wanted}.")
            if precision == "auto" and wanted not in openvino.precisions():
                wanted = "float32"  # it holds the same numbers, and answers at least as exactly
            return Exported(about, openvino.engine(model, precision=wanted, batch=batch, threads=threads, cache=cache), path)
        case "onnxruntime":
            from inceptions.deploy.engines import onnxruntime

            about = About.from_metadata(read_metadata(path), path)
            if precision not in ("auto", about.precision):
                # It knows no bf16, so ONNX is not exported in it.
                again = f"export it again with --precision {precision}"
                instead = "let OpenVINO run it (--engine openvino)" if precision == "bf16" else again
                raise UsageError(f"ONNX Runtime computes {path} in what it was exported in, {about.precision}: {instead}.")
            return Exported(about, onnxruntime.engine(path, precision=about.precision, batch=batch, threads=threads), path)
