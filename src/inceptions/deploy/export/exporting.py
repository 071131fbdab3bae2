"""Weights in, a file for another program out: written beside its place, read again, compared, then named."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inceptions.data.showing import showing
from inceptions.deploy.about import About
from inceptions.deploy.agreement import agreement
from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.export import formats
from inceptions.deploy.export.formats import FORMATS, RUNTIMES, Format
from inceptions.deploy.export.parity import Parity
from inceptions.deploy.exported import entering
from inceptions.deploy.lower import lower
from inceptions.deploy.opening import refuse_exported
from inceptions.deploy.quantise import Quantised, quantise
from inceptions.deploy.rewrites import rewrite
from inceptions.deploy.sample import sample
from inceptions.errors import DataError, UsageError, WeightsError
from inceptions.files import TEMPORARY, explained, place
from inceptions.network import Network
from inceptions.predict.doctor.photographs import photographs
from inceptions.weights import Preprocess, load_model
from inceptions.weights.store import BEST_WEIGHTS

AT_ONCE = 16
MOST_COMPARED = 200
MOST_CALIBRATED = 300

Pixels = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was exported.

    Attributes:
        files: what was written; the one to open is the last.
        format: which of the formats.
        about: what the file says about itself.
        parity: how its answers differ from the network's.
        changes: what was done to the graph, as sentences.
        quantised: what was done for int8; None for the others.
    """

    files: tuple[Path, ...]
    format: Format
    about: About
    parity: Parity
    changes: tuple[str, ...]
    quantised: Quantised | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        card = self.about.card
        return {
            "output": str(self.files[-1]),
            "files": [{"path": str(path), "bytes": path.stat().st_size} for path in self.files],
            "format": self.format,
            "precision": self.about.precision,
            "architecture": card.architecture,
            "variant": card.variant,
            "classes": len(card.classes),
            "heads": list(self.about.heads),
            "preprocessing": "inside" if self.about.pixels else "described",
            "preprocess": card.preprocess.to_dict(),
            "changes": list(self.changes),
            "parity": self.parity.to_dict(),
            "kept": None if self.quantised is None else list(self.quantised.kept),
        }

    def text(self) -> str:
        """For people."""
        card = self.about.card
        size = sum(path.stat().st_size for path in self.files) / 1e6
        pixels = "uint8 pixels, channels last" if self.about.pixels else "float32, channels first, scaled as its metadata says"
        lines = [
            (
                "network",
                f"{card.architecture}/{card.variant}, {len(card.classes)} classes, heads {', '.join(self.about.heads)}",
            ),
            ("takes", "any number of {}×{} images: {}".format(*card.preprocess.size, pixels)),
            *(("changed", change) for change in self.changes),
            *([] if self.quantised is None else [("int8", self.quantised.text())]),
            ("compared", self.parity.text()),
            ("written", f"{' and '.join(map(str, self.files))} ({self.about.precision}, {size:.1f} MB)"),
        ]
        return "\n".join(f"{name:<9} {text}" for name, text in lines)


def export(
    weights: str | Path,
    output: Path,
    *,
    to: Format,
    precision: Precision = "float32",
    with_preprocessing: bool = False,
    images: Path | None = None,
    size: int | None = None,
    heads: Sequence[str] = ("main",),
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Write weights down for another program.

    The file is written beside its place, read again by the runtime it is for, and compared with the network on photographs.
    Only if it answers as the network does it gets its name; an older file of that name is then replaced.

    Args:
        weights: whatever `inceptions.load_model` takes.
        output: the file; its ending is that of the format (`FORMATS`). OpenVINO keeps the weights in a `.bin` beside it.
        to: the format.
        precision: what weights are kept in and computed in.
        with_preprocessing: let the network begin with uint8 pixels and scale them itself.
        images: a folder of photographs to compare with, and for int8 to calibrate with. If None, those of scikit-learn are
            compared with.
        size: height and width of the images, if another than the weights' own.
        heads: whose logits come out.
        say: is told what happens, as a sentence.

    Raises:
        UsageError: options that do not go together.
        DataError: no image can be read, or int8 without images.
        WeightsError: the weights cannot be read, or the file answers otherwise than they do.
        MachineError: a package is missing, or the file cannot be written.
    """
    check_output(output, weights, to)
    formats.check(to, precision, pixels=with_preprocessing)
    if precision == "int8" and images is None:
        raise DataError("int8 is calibrated on images of the kind the network is for: name a folder of them with --images.")
    refuse_exported(weights, "is not exported again")
    network, card = load_model(weights)
    preprocess = card.preprocess if size is None else _resized(card.preprocess, size)
    if with_preprocessing and preprocess.sampling != "antialiased":
        raise UsageError(
            f"{weights} is shown images that are not whole numbers after resizing (sampling {preprocess.sampling!r}), so bytes "
            "would change its answers. Export it without --with-preprocessing."
        )
    provenance = {**card.provenance, "export": {"format": to, "precision": precision}}
    card = replace(card, preprocess=preprocess, provenance=provenance)
    graph = lower(network, size=preprocess.size, heads=heads, preprocess=preprocess if with_preprocessing else None)
    about = About(card=card, precision=precision, pixels=with_preprocessing, heads=tuple(graph.outputs))
    pixels, source = _pixels(preprocess, images, MOST_CALIBRATED + MOST_COMPARED if precision == "int8" else MOST_COMPARED)
    runner = {"onnx": "onnxruntime", "openvino": "openvino"}.get(to, "compiled")
    graph, done = rewrite(graph, engine=runner, precision=precision, batch=AT_ONCE)
    quantised = None
    if precision == "int8":
        say(f"calibrating on {len(pixels[::2])} images")
        entry = entering(pixels, preprocess, pixels=with_preprocessing)
        quantised = quantise(graph, entry, engine="onnxruntime" if to == "onnx" else "openvino", say=say)
        # What was calibrated with proves nothing.
        pixels = pixels[1::2]
    pixels = pixels[:MOST_COMPARED]
    with explained(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        _room(output.parent, network)
        _remove_leftovers(output)
        with tempfile.TemporaryDirectory(
            dir=output.parent, prefix=f".{output.name}.{os.getpid()}.", suffix=TEMPORARY
        ) as folder:
            say(f"writing {output}")
            if to == "safetensors":
                written = formats.write_weights(Path(folder), network, card, precision)
                ask: Callable[..., Any] = partial(formats.weights_answers, heads=about.heads)
            else:
                content = None if quantised is None else quantised.content
                written, ask = formats.write(Path(folder), graph, about, to, content), formats.answers
            say(f"comparing on {len(pixels)} images")
            exact = formats.network_answers(network, card, pixels, about.heads, AT_ONCE)
            found = agreement(exact, ask(written[-1], pixels, at_once=AT_ONCE))
            parity = Parity(agreement=found, source=source, photographs=images is not None, runtime=RUNTIMES[to])
            if fault := parity.fault(precision):
                raise WeightsError(
                    f"{output} was not written: through {RUNTIMES[to]} in {precision}, {fault} ({found.images} {source}). "
                    f"{_instead(to, precision, with_preprocessing)}"
                )
            files = _named(written, output)
    changes = () if to == "safetensors" else tuple(one.note for one in done)
    return Report(files=files, format=to, about=about, parity=parity, changes=changes, quantised=quantised)


def _instead(to: Format, precision: Precision, pixels: bool) -> str:
    """What to do when a file does not answer as the network does."""
    if precision == "bf16" and to != "safetensors" and not pixels:
        # Eight bits hold a byte, and not what it is scaled to.
        return "Export with the preprocessing inside (--with-preprocessing), which bf16 rounds less, or in another precision."
    return "Export in another precision."


def check_output(output: Path, weights: str | Path, to: Format) -> None:
    """Refuse a file to write before any work is done: a folder, a wrong ending, the weights themselves.

    Raises:
        UsageError: says which of these it is.
    """
    if output.is_dir():
        raise UsageError(f"{output} is a folder: name the file to write in it.")
    if output.suffix != FORMATS[to]:
        raise UsageError(f"{output} would hold {to}, whose files end in {FORMATS[to]}: call it {output.stem}{FORMATS[to]}.")
    sources = [Path(weights), Path(weights) / BEST_WEIGHTS]
    for file in (output, output.with_suffix(".bin")) if to == "openvino" else (output,):
        if file.exists() and any(one.is_file() and one.samefile(file) for one in sources):
            raise UsageError(f"{file} is the file that is read; it would be lost. Write to another name.")


def default_output(weights: str | Path, to: Format) -> Path:
    """Where a file goes if nobody says: into the run's folder, or to here, under the weights' name."""
    path = Path(weights)
    if path.is_dir():
        return path / f"weights{FORMATS[to]}"
    name = path.stem if path.is_file() else str(weights).removeprefix("hf:").replace("/", "-")
    return Path(f"{name}{FORMATS[to]}")


def _resized(preprocess: Preprocess, side: int) -> Preprocess:
    """The same way of showing images, at another size."""
    factor = side / min(preprocess.size)
    try:
        return replace(preprocess, size=(side, side), resize_to=round(preprocess.resize_to * factor))
    except WeightsError as error:
        raise UsageError(f"Images cannot be shown at {side}×{side} pixels. {error}") from error


def _pixels(preprocess: Preprocess, folder: Path | None, most: int) -> tuple[Pixels, str]:
    """Images as the network is shown them, `[images, height, width, 3]`, and what they are.

    Of a folder's images, as many as are wanted, evenly spread over their names.
    """
    if folder is None:
        show = showing(preprocess)
        return np.stack([show(image) for image in photographs(())]), "pieces of two photographs"
    return sample(folder, preprocess, most), f"images of {folder}"


def _room(folder: Path, network: Network) -> None:
    """Find out now that the disk is full, because not every library says so when it writes."""
    needed = sum(tensor.nbytes for tensor in network.state_dict().values()) // 2
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _remove_leftovers(output: Path) -> None:
    """Delete what exports to the same name left behind when they were killed."""
    for folder in output.parent.glob(f".{glob.escape(output.name)}.*{TEMPORARY}"):
        process = folder.name.removeprefix(f".{output.name}.").partition(".")[0]
        if folder.is_dir() and not (process.isdecimal() and _runs(int(process))):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's
        return True
    return process != os.getpid()


def _named(written: Sequence[Path], output: Path) -> tuple[Path, ...]:
    """Give files that are complete their names. The one that is opened comes last, so that it never meets another's weights."""
    if len(written) > 1:
        output.unlink(missing_ok=True)
    final = tuple(output.with_suffix(path.suffix) for path in written)
    for temporary, path in zip(written, final, strict=True):
        place(temporary, path)
    return final
