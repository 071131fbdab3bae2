"""Predictions kept on the disk, so that a model that is asked the same again, or joined by others, costs nothing.

An entry is named by a hash of all that decides the numbers: tensors, architecture, preprocessing, protocol, precision, kind of
device, version of torch, and the images' names, sizes and times of change. Whoever changes an image without changing these must
say `--no-cache`.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from inceptions.data import Files, Images
from inceptions.errors import MachineError
from inceptions.evaluate.answerer import Answerer
from inceptions.evaluate.answers import Predictions, ask, merged
from inceptions.evaluate.contenders import Contender
from inceptions.evaluate.protocol import Protocol
from inceptions.files import replacing
from inceptions.network import Network
from inceptions.train.machine import choose_device, choose_precision, choose_workers
from inceptions.train.progress import Reporter, Silent
from inceptions.train.team import Team
from inceptions.weights import Card
from inceptions.weights.published.cache import home
from inceptions.weights.store import save_tensors

FORMAT = 1
LARGEST = 2 * 2**30
"""Bytes of predictions that are kept; those that were not used for longest go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks networks about images, or remembers what they said.

    Attributes:
        workers: as for `ask`.
        device: as for `ask`.
        precision: as for `ask`.
        batch_size: as for `ask`.
        reporter: where progress goes.
        cache: where predictions are kept; None keeps none.
        team: the processes that share the images, if this is one of several; all get all answers.
    """

    workers: int | str = "auto"
    device: str = "auto"
    precision: str = "auto"
    batch_size: int = 64
    reporter: Reporter = field(default_factory=Silent)
    cache: Path | None = None
    team: Team | None = None

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes."""
        return self.team is None or self.team.leads

    @property
    def computed_in(self) -> str:
        """The precision, chosen."""
        return choose_precision(self.precision, choose_device(self.device))

    def computing(self, one: Contender) -> str:
        """What a model is computed in: the precision, and the engine if it is not torch."""
        return one.asked.computed_in if isinstance(one.asked, Answerer) else self.computed_in

    def ask(self, network: Network | Answerer, card: Card, images: Images, *, protocol: Protocol, heads: bool) -> Predictions:
        """What a network says to images; as `answers.ask`. What engines say is not kept."""
        choose_workers(self.workers, choose_device(self.device))  # what means nothing is refused, asked or remembered
        file = None
        if self.cache is not None and isinstance(images, Files) and not isinstance(network, Answerer):
            name = fingerprint(network, card, images, protocol, self.computed_in, choose_device(self.device).type)
            file = self.cache / f"{name}.safetensors"
            kept = read(file) if self.team is None else self.team.lead(partial(read, file))
            if kept is not None and (not heads or len(kept.heads) == len(network.architecture.heads)):
                return kept
        asked = partial(
            ask,
            network,
            card.preprocess,
            images,
            protocol=protocol,
            heads=heads,
            batch_size=self.batch_size,
            workers=self.workers,
            device=self.device,
            precision=self.precision,
            reporter=self.reporter,
        )
        team = self.team
        found = asked() if team is None else merged(images, team.gathered(partial(asked, member=team.member)))
        if file is not None and self.leads:
            try:
                write(file, found)
            except (MachineError, OSError) as error:  # the answers count, not whether they can be kept
                self.reporter.say(f"The predictions are not kept: {error}")
        return found


def default_cache() -> Path:
    """The user's folder for predictions."""
    return home() / "predictions"


def fingerprint(network: Network, card: Card, images: Files, protocol: Protocol, precision: str, device: str) -> str:
    """A hash of all that decides what a network says to images."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {list(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    for file in images.files:
        state = os.stat_result((0,) * 10)
        with suppress(OSError):  # one that is gone is an unreadable one
            state = (images.root / file).stat()
        digest.update(f"{file}\0{state.st_size} {state.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    rest = [
        FORMAT,
        *(card.architecture, card.variant, asdict(card.options), card.preprocess.to_dict(), protocol.to_dict()),
        *(precision, device, torch.__version__),
    ]
    digest.update(json.dumps(rest, sort_keys=True).encode())
    return digest.hexdigest()[:32]


def read(file: Path) -> Predictions | None:
    """Kept predictions; None if there are none, or none that can be read."""
    try:
        with safe_open(file, framework="np") as kept:
            said = kept.metadata()
            skipped = tuple((int(image), str(reason)) for image, reason in json.loads(said["skipped"]))
            heads = {name: kept.get_tensor(name) for name in json.loads(said["heads"])}
            indices = tuple(kept.get_tensor("indices").tolist())
        os.utime(file)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    if any(len(rows) != len(indices) for rows in heads.values()):
        return None
    return Predictions(heads=heads, indices=indices, skipped=skipped)


def write(file: Path, found: Predictions) -> None:
    """Keep predictions, and give up the oldest ones if there are too many.

    Raises:
        MachineError: they cannot be written.
    """
    tensors = {name: torch.from_numpy(rows) for name, rows in found.heads.items()}
    said = {"heads": json.dumps(list(found.heads)), "skipped": json.dumps(found.skipped)}
    with replacing(file) as temporary:
        save_tensors(temporary, {**tensors, "indices": torch.tensor(found.indices)}, said)
    kept = sorted(file.parent.glob("*.safetensors"), key=lambda one: one.stat().st_mtime_ns, reverse=True)
    size = 0
    for one in kept:
        size += one.stat().st_size
        if size > LARGEST and one != file:
            one.unlink(missing_ok=True)
