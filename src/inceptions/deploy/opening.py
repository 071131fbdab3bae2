"""Anything that answers for images, opened by its name: weights on torch or on an engine, and files that were exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from inceptions.data.showing import Pixels
from inceptions.errors import UsageError, unknown
from inceptions.evaluate.answerer import Answerer
from inceptions.predict.predictor import BATCH, Predictor
from inceptions.weights.card import Card

if TYPE_CHECKING:
    from inceptions.deploy.engines.engine import Precision
    from inceptions.deploy.exported import Exported
    from inceptions.network import Network

EngineName = Literal["auto", "eager", "compiled", "openvino", "onnxruntime", "cuda", "cuda-compiled"]
PRECISIONS: dict[str, Precision | Literal["auto"]] = {
    "auto": "auto",
    "fp32": "float32",
    "float32": "float32",
    "bf16": "bf16",
    "fp16": "fp16",
    "int8": "int8",
}
"""What precisions are called, here and by PyTorch's users."""


def load(
    path: str | Path,
    *,
    device: str = "auto",
    engine: str | None = None,
    precision: str = "auto",
    batch: int = 1,
    every_head: bool = False,
    scaled_decoding: bool = False,
    threads: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Predictor:
    """A predictor from weights, or from a file that was exported from them.

    Args:
        path: `weights.safetensors`, or the run folder that holds it; "hf:owner/name" on the Hugging Face Hub; a published
            checkpoint by its full name ("inception_v3.torchvision_in1k", see `inceptions models --weights`); or a file of
            `inceptions export`, which is run without torch.
        device: where torch computes: "cpu", "cuda", …; "auto" takes a GPU if there is one. Of engines "cpu" means those of the
            processor, "cuda" those of the GPU, "auto" both.
        engine: what computes: "eager", "compiled", "openvino" or "onnxruntime", or on a GPU "cuda" or "cuda-compiled"; "auto"
            takes what is fastest here and answers alike. None computes weights on torch as they are, and an exported file by
            the engine it was written for.
        precision: "fp32", "bf16", "fp16" or "int8"; "auto" leaves it to the engine.
        batch: how many images come at once, as a rule.
        every_head: whether the auxiliary heads will be asked. An engine prepares for those that are.
        scaled_decoding: as for `Predictor`.
        threads: how many an engine uses; its own number if None.
        say: told what was found where an engine was chosen or measured, a sentence at a time.

    Raises:
        WeightsError: there is no such file, or it is not one that can be read.
        UsageError: no name of a device, an engine or a precision, or no address on the Hub.
        MachineError: the machine has no such device or engine, or the weights cannot be fetched.
    """
    opened, card = answerer(
        path,
        device=device,
        engine=engine,
        precision=precision,
        batch=batch,
        every_head=every_head,
        threads=threads,
        say=say,
    )
    return Predictor(opened, card, device=device, scaled_decoding=scaled_decoding)


def answerer(
    path: str | Path,
    *,
    device: str = "auto",
    engine: str | None = None,
    precision: str = "auto",
    batch: int = 1,
    every_head: bool = False,
    threads: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Network | Answerer, Card]:
    """What answers, and its card: the network itself where nothing else was asked for. Arguments and errors are `load`'s."""
    if engine is not None and engine not in get_args(EngineName):
        raise unknown("engine", engine, get_args(EngineName))
    if precision not in PRECISIONS:
        raise unknown("precision", precision, ("auto", "fp32", "bf16", "fp16", "int8"))
    wanted = PRECISIONS[precision]
    if is_exported(path):
        return _opened(Path(path), device, engine, wanted, batch, threads, say)
    from inceptions.weights.source import load_model  # torch, which exported files do without

    model, card = load_model(path)
    if engine is None and wanted == "auto":
        return model, card
    if wanted == "int8":
        raise UsageError(
            f"int8 is calibrated on images: `inceptions export {path} --to onnx --precision int8 --images PHOTOS/` does it, "
            "and compares the answers; then name the file it wrote."
        )
    from inceptions.deploy.compile import compile

    heads = tuple(head.name for head in model.architecture.heads) if every_head else ("main",)
    compiled = compile(
        model,
        engine=engine or "auto",
        precision=wanted,
        batch=batch,
        size=card.preprocess.size,
        preprocess=card.preprocess,
        heads=heads,
        threads=threads,
        device=device,
    )
    for note in compiled.notes:
        say(note)
    return compiled, card


def opener(
    *, engine: str | None, precision: str, device: str, every_head: bool, say: Callable[[str], None], batch: int = BATCH
) -> Callable[[str], tuple[Network | Answerer, Card]]:
    """How `inceptions evaluate` opens its models: as `answerer`, but the precision of torch as it is stays torch's business."""

    def opened(name: str) -> tuple[Network | Answerer, Card]:
        plain = engine is None and not is_exported(name)
        if plain and precision == "int8":
            raise UsageError(f"For {name} torch is asked as it is, which computes in no int8: name an exported file.")
        wanted = "auto" if plain else precision
        found, card = answerer(
            name, device=device, engine=engine, precision=wanted, batch=batch, every_head=every_head, say=say
        )
        require_main(name, found)
        return found, card

    return opened


def require_main(name: str | Path, opened: Network | Answerer) -> None:
    """Refuse what answers by auxiliary heads only.

    Raises:
        UsageError: it does; says by which.
    """
    if isinstance(opened, Answerer) and "main" not in opened.heads:
        raise UsageError(
            f"{name} answers by {', '.join(opened.heads)} only, and the main head is asked here: export it with --heads main."
        )


def is_exported(path: str | Path) -> bool:
    """Whether a file was written by `inceptions export`. An ONNX file of somebody else's is weights like any other."""
    from inceptions.deploy import exported

    path = Path(path)
    if not exported.is_exported(path) or not path.is_file():
        return False
    if path.suffix != ".onnx":
        return True
    from inceptions.deploy.about import CARD
    from inceptions.deploy.onnx_metadata import read_metadata

    return CARD in read_metadata(path)


def refuse_exported(path: str | Path, why: str) -> None:
    """Refuse an exported file where its network's inside is needed.

    Raises:
        UsageError: it is one; says why that will not do.
    """
    if is_exported(path):
        raise UsageError(f"{path} is an exported file: it answers, but {why}. Name the weights that it was made of.")


def _opened(
    path: Path,
    device: str,
    engine: str | None,
    precision: Precision | Literal["auto"],
    batch: int,
    threads: int | None,
    say: Callable[[str], None],
) -> tuple[Answerer, Card]:
    from inceptions.deploy.exported import Runner, open_exported
    from inceptions.deploy.keeping import trim
    from inceptions.weights.published.folder import home

    if device not in ("auto", "cpu"):
        raise UsageError(f"{path} is an exported file, which computes on the CPU: leave out --device, or name weights.")
    if engine in ("eager", "compiled", "cuda", "cuda-compiled"):
        raise UsageError(f"{path} is an exported file, and {engine} is for weights: leave out --engine, or name weights.")
    runner = cast("Runner | Literal['auto']", engine or "auto")
    cache = home() / "engines"
    opened = open_exported(path, engine=runner, precision=precision, batch=batch, threads=threads, cache=cache)
    if told := trim(cache):
        say(told)
    return _File(opened), opened.card


class _File:
    """An exported file, asked as everything is."""

    def __init__(self, exported: Exported) -> None:
        self.heads = exported.about.heads
        self.computed_in = f"{exported.engine.precision}, {exported.engine.name}"
        self._exported = exported

    def pixels(self, images: Pixels) -> dict[str, NDArray[np.float32]]:
        return self._exported.run(images)
