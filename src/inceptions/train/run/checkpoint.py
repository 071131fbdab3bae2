"""Checkpoints: everything a run needs to go on as if it had never stopped.

A checkpoint is a safetensors file with JSON in its metadata, never a pickle. Tensors: `model/…`, `average/…` and `optimiser/…`.
Metadata: the `Counters` and a checksum, since a file that lost a page in a power cut still parses.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from inceptions.errors import DivergedError, WeightsError
from inceptions.files import replacing
from inceptions.network import Network
from inceptions.train.optim.average import Average
from inceptions.train.optim.optimiser import restore_state, state_tensors
from inceptions.weights.store import check_header, load_state, save_tensors

FORMAT = "inceptions checkpoint 1"
KEPT = 2


@dataclass(slots=True, kw_only=True)
class Best:
    """The epoch whose weights are kept."""

    epoch: int
    accuracy: float
    loss: float

    def beaten_by(self, accuracy: float, loss: float) -> bool:
        """Higher accuracy wins; of two equal ones, the lower loss."""
        return (accuracy, -loss) > (self.accuracy, -self.loss)


@dataclass(slots=True, kw_only=True)
class Counters:
    """Where a run is.

    Attributes:
        epoch: epochs that are trained and validated.
        batch: batches of the current epoch that are done.
        step: updates done.
        seen: images of the current epoch that are done; the next two are sums over them.
        correct: how many of them the main head answered rightly.
        loss_sum: sum of their losses.
        presented: images trained on since the run began.
        training_seconds: time spent on them.
        waited: how much of that went into waiting for images.
        epoch_seconds: time spent on the images of the current epoch; the next one is the part of it that was waiting.
        seconds: time of everything since the run began.
        best: the best epoch so far.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seen: int = 0
    correct: int = 0
    loss_sum: float = 0.0
    presented: int = 0
    training_seconds: float = 0.0
    waited: float = 0.0
    epoch_seconds: float = 0.0
    epoch_waited: float = 0.0
    seconds: float = 0.0
    best: Best | None = None

    @property
    def images_per_second(self) -> float:
        """Training images a second since the run began; validation and checkpoints not counted."""
        return self.presented / self.training_seconds if self.training_seconds else 0.0

    @property
    def data_wait(self) -> float:
        """Share of the training time since the run began that went into waiting for images."""
        return self.waited / self.training_seconds if self.training_seconds else 0.0

    def begin_epoch(self) -> None:
        """Forget what was counted in an epoch."""
        self.batch = self.seen = self.correct = 0
        self.loss_sum = self.epoch_seconds = self.epoch_waited = 0.0

    @classmethod
    def from_json(cls, text: str) -> Counters:
        """The inverse of `json.dumps(asdict(counters))`."""
        values = json.loads(text)
        if set(values) != {entry.name for entry in fields(cls)}:
            raise ValueError("other counters than this version has")
        best = values.pop("best")
        return cls(**values, best=None if best is None else Best(**best))


@dataclass(slots=True, eq=False)
class State:
    """All that changes during a run."""

    network: Network
    optimiser: Optimizer
    average: Average | None
    counters: Counters
    scaler: GradScaler | None = None

    @property
    def result(self) -> Network:
        """The network that is validated and saved."""
        return self.average.network if self.average else self.network


def save(folder: Path, state: State) -> Path:
    """Write a checkpoint and remove all but the newest `KEPT`.

    Returns:
        The file.

    Raises:
        MachineError: it cannot be written; the older checkpoints are as they were.
        DivergedError: the weights are not finite; the older checkpoints are as they were.
    """
    tensors = {f"model/{name}": tensor for name, tensor in state.network.state_dict().items()}
    if state.average:
        tensors |= {f"average/{name}": tensor for name, tensor in state.average.network.state_dict().items()}
    tensors |= {f"optimiser/{name}": tensor for name, tensor in state_tensors(state.optimiser, state.network).items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise DivergedError(
                f"Training diverged: {name} is not finite after step {state.counters.step}. The last good checkpoint is kept; "
                "try a lower optim.lr or a lower optim.clip."
            )
    metadata = {
        "format": FORMAT,
        "counters": json.dumps(asdict(state.counters)),
        "average_updates": str(state.average.updates if state.average else 0),
        "checksum": str(checksum(tensors)),
        **({"scaler": json.dumps(state.scaler.state_dict())} if state.scaler else {}),
    }
    path = folder / f"step-{state.counters.step:08d}.safetensors"
    with replacing(path) as temporary:
        save_tensors(temporary, tensors, metadata)
    for old in found(folder)[KEPT:]:
        old.unlink()
    return path


def found(folder: Path) -> list[Path]:
    """The checkpoints in a folder, newest first."""
    return sorted(folder.glob("step-*.safetensors"), reverse=True)


def checksum(tensors: Mapping[str, Tensor]) -> int:
    """CRC-32 over the bytes of all tensors, in the order of their names."""
    value = 0
    for _, tensor in sorted(tensors.items()):
        value = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, value)
    return value


def restore_newest(folder: Path, state: State, say: Callable[[str], None], *, optimiser: bool = True) -> Path | None:
    """Put the newest checkpoint that can be read into `state`; damaged ones are named, skipped and removed.

    Returns:
        The checkpoint. Without one, `state` is as it was: the run had not come to its first checkpoint.

    Raises:
        WeightsError: there are checkpoints, and none can be used.
    """
    damaged: list[Path] = []
    for path in found(folder):
        try:
            restore(path, state, optimiser=optimiser)
        except WeightsError as error:
            say(f"{error} Going back to the checkpoint before it.")
            damaged.append(path)
            continue
        for newer in damaged:
            newer.unlink()
        return path
    if damaged:
        raise WeightsError(
            f"None of the {len(damaged)} checkpoints in {folder} can be used. Start a new run in another folder."
        )
    return None


def restore(path: Path, state: State, *, optimiser: bool = True) -> None:
    """Put a checkpoint into a state that was made for the same network, and has made no step.

    Args:
        path: the checkpoint.
        state: where it goes. An average that the checkpoint does not have begins with the weights.
        optimiser: whether the optimiser is of the same kind; if not, it stays as it is.

    Raises:
        WeightsError: the file is damaged or belongs to something else; `state` may then hold a part of it.
    """
    check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        if metadata.get("format") != FORMAT:
            raise WeightsError(f"{path} is not a checkpoint of this version.")
        if checksum(tensors) != int(metadata["checksum"]):
            raise WeightsError(f"{path} is damaged: its checksum is wrong.")
        counters = Counters.from_json(metadata["counters"])
        updates = int(metadata["average_updates"])
        scaler = json.loads(metadata.get("scaler", "null"))
    except WeightsError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} cannot be read ({error}).") from error
    load_state(state.network, _part(tensors, "model/"), str(path))
    if state.average:
        load_state(state.average.network, _part(tensors, "average/") or _part(tensors, "model/"), str(path))
        state.average.updates = updates
    if optimiser:
        restore_state(state.optimiser, state.network, _part(tensors, "optimiser/"))
    if state.scaler is not None and scaler is not None:
        state.scaler.load_state_dict(scaler)
    state.counters = counters


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
