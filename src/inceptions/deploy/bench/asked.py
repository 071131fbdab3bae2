"""What is to be measured, and what of that is refused before minutes of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

from inceptions.deploy.engines import catalogue
from inceptions.deploy.engines.engine import Precision
from inceptions.errors import UsageError, unknown
from inceptions.train.progress import Reporter

PEERS = ("torchvision", "timm", "torch-compile", "openvino", "onnxruntime", "keras")
COMPILED = "torch-compile"
PRECISIONS: dict[str, Precision] = {"float32": "float32", "fp32": "float32", "bf16": "bf16", "int8": "int8"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be measured; the fields are the arguments of `bench`."""

    against: Sequence[str]
    batches: Sequence[int]
    precisions: Sequence[Precision]
    engines: Sequence[str]
    threads: int | None
    rounds: int
    seconds: float | None
    memory: bool
    report: Reporter
    remarks: list[str] = field(default_factory=list)

    @property
    def computed(self) -> list[Precision]:
        """The precisions whose ceilings are measured: the first row is always float32."""
        return list(dict.fromkeys(("float32", *self.floating)))

    @property
    def floating(self) -> list[Precision]:
        """Those that torch computes in."""
        return [one for one in self.precisions if one != "int8"]

    @property
    def peers(self) -> list[str]:
        """Those of the peers that are installed."""
        return [name for name in self.against if _there(name)]

    def remark(self, sentence: str) -> None:
        """Keep what has to be known to read the figures, once."""
        if sentence not in self.remarks:
            self.remarks.append(sentence)


def read_precisions(names: Sequence[str]) -> list[Precision]:
    """Precisions by the names that people give them.

    Raises:
        UsageError: an unknown one, or none.
    """
    for name in names:
        if name not in PRECISIONS:
            raise unknown("precision", name, PRECISIONS)
    if not names:
        raise UsageError("Which precision? float32, bf16, or both.")
    return list(dict.fromkeys(PRECISIONS[name] for name in names))


def check(asked: Asked) -> None:
    """Refuse before minutes of work what cannot be measured."""
    for name in asked.against:
        if name not in PEERS:
            raise unknown("peer", name, PEERS)
    for engine in asked.engines:
        catalogue.named(engine, "auto")
    if not asked.engines or not asked.batches or min(asked.batches) < 1:
        raise UsageError("At least one engine and one batch of at least 1 image are needed.")
    if asked.rounds < 1 or (asked.threads is not None and asked.threads < 1):
        raise UsageError("Rounds and threads are at least 1.")
    for name in asked.against:
        if not _there(name):
            asked.remark(missing := f"{name}: not installed: pip install {name}.")
            asked.report.say(missing)


def _there(peer: str) -> bool:
    return peer == COMPILED or find_spec(peer) is not None
