"""The folder of a run: what is in it, whose it is, and what may be written into it."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w

from inceptions.architecture import Options
from inceptions.errors import DataError, UsageError
from inceptions.files import remove_leftovers, write_bytes, write_text
from inceptions.recipe import Recipe, from_table, to_table

RECIPE = "recipe.toml"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
PLOTS = "plots"
REPORT = "report.html"
BEST = "weights.safetensors"
LAST = "weights-last.safetensors"
PACKAGES = ("inceptions", "torch", "torchvision")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of `metrics.jsonl`.

    Attributes:
        epoch: epochs done, counted from 1.
        step: updates done.
        split: which images.
        loss: mean cross-entropy of the main head in nats, without smoothing, so that the two splits can be compared.
        accuracy: share of images answered rightly; for "train" as they were presented, augmented and with dropout.
        lr: learning rate of the last update.
        seconds: since the run began, the time between a stop and a resume not counted.
        data_wait: share of the epoch's training time that went into waiting for images; None for "validation".
    """

    epoch: int
    step: int
    split: Literal["train", "validation"]
    loss: float
    accuracy: float
    lr: float
    seconds: float
    data_wait: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a run is: all that must be the same for it to be resumed. In `recipe.toml` all but the recipe is under `[run]`.

    Attributes:
        recipe: the recipe with every override in it.
        data: what was trained on: a folder, or the name of a built-in source.
        fingerprint: of the names and labels of all images, training and validation.
        images: how many images there are to train and to validate with.
        classes: class names, in the order of the outputs.
        model: name of the network.
        variant: which of the networks of that name.
        options: what the network was declared with.
        precision: "fp32" or "bf16".
        versions: of the packages that decide the numbers. Others may resume the run; its weights may then differ in the last
            bits.
        weights: the file that the run started from; "" if from random weights.
        trunk: a hash of what the run took from it.
        preprocess: what was said about how images are shown to the network of that file; "" if nothing was.
        ignore: the list of images that were left out; "" if none were.
        accepted: what was changed on the way, with `accept_changes`: the step, and each difference.
    """

    recipe: Recipe
    data: str
    fingerprint: str
    images: tuple[int, int]
    classes: tuple[str, ...]
    model: str
    variant: str
    options: Mapping[str, Any]
    precision: str
    versions: Mapping[str, str]
    weights: str = ""
    trunk: str = ""
    preprocess: str = ""
    ignore: str = ""
    accepted: tuple[str, ...] = ()

    def to_toml(self) -> str:
        """The content of `recipe.toml`."""
        run = {
            "data": self.data,
            "fingerprint": self.fingerprint,
            "images": list(self.images),
            "classes": list(self.classes),
            "model": self.model,
            "variant": self.variant,
            "precision": self.precision,
            "options": {key: value for key, value in self.options.items() if value is not None},
            "versions": dict(self.versions),
            **({"weights": self.weights, "trunk": self.trunk} if self.weights else {}),
            **({"preprocess": self.preprocess} if self.preprocess else {}),
            **({"ignore": self.ignore} if self.ignore else {}),
            **({"accepted": list(self.accepted)} if self.accepted else {}),
        }
        return tomli_w.dumps({**to_table(self.recipe), "run": run})

    @classmethod
    def from_toml(cls, text: str, where: Path) -> Self:
        """The inverse of `to_toml`; `where` is for the message.

        Raises:
            UsageError: the file is damaged, or was changed into something that is no recipe.
        """
        try:
            table = tomllib.loads(text)
            run = table.pop("run")
            if not isinstance(run["data"], str):
                raise TypeError("data is no name")
            Options(**run["options"])
            return cls(
                recipe=from_table(table),
                data=run["data"],
                fingerprint=run["fingerprint"],
                images=(run["images"][0], run["images"][1]),
                classes=tuple(run["classes"]),
                model=run["model"],
                variant=run["variant"],
                options=run["options"],
                precision=run["precision"],
                versions=run["versions"],
                weights=run.get("weights", ""),
                trunk=run.get("trunk", ""),
                preprocess=run.get("preprocess", ""),
                ignore=run.get("ignore", ""),
                accepted=tuple(run.get("accepted", ())),
            )
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
        except (tomllib.TOMLDecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise UsageError(f"{where} does not describe a run ({type(error).__name__}: {error}).") from error

    def differences(self, other: Manifest) -> list[str]:
        """What keeps a run of the `other` manifest from going on as this one, "field: before → now" each."""
        before, now = _flat(self), _flat(other)
        found = []
        for key in dict.fromkeys((*before, *now)):
            if key not in ("data", "fingerprint", "weights", "preprocess", "ignore") and before.get(key) != now.get(key):
                found.append(f"{key}: {before.get(key)} → {now.get(key)}")
        if not found and self.fingerprint != other.fingerprint:
            # A folder may move; what is in it may not change.
            found.append(f"images: other files or labels in {other.data} than there were in {self.data}")
        return found


def _flat(manifest: Manifest) -> dict[str, object]:
    flat: dict[str, object] = {}

    def walk(table: Mapping[str, Any], prefix: str) -> None:
        for key, value in table.items():
            if isinstance(value, Mapping):
                walk(value, f"{prefix}{key}.")
            else:
                flat[prefix + key] = value

    table = tomllib.loads(manifest.to_toml())
    run = table.pop("run")
    for history in ("versions", "accepted"):
        run.pop(history, None)
    walk(table, "")
    walk(run, "")
    return flat


def versions() -> dict[str, str]:
    """The versions of the packages that decide the numbers."""
    return {name: version(name) for name in PACKAGES}


def fingerprint(names: Iterable[str], labels: Iterable[int]) -> str:
    """A short hash of which images there are and what they are labelled."""
    digest = hashlib.sha256()
    for name, label in zip(names, labels, strict=True):
        digest.update(f"{name}\0{label}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


class RunFolder:
    """The folder of one run. Every file in it is replaced as a whole.

    Attributes:
        path: the folder.
        rows: what `metrics.jsonl` says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints are."""
        return self.path / CHECKPOINTS

    @property
    def manifest(self) -> Manifest | None:
        """What the run in this folder is; None if there is none yet.

        Raises:
            UsageError: `recipe.toml` is damaged.
        """
        file = self.path / RECIPE
        if not file.is_file():
            return None
        try:
            return Manifest.from_toml(file.read_text(encoding="utf-8"), file)
        except UnicodeDecodeError as error:
            raise UsageError(f"{file} is damaged: it is not text.") from error

    def give_up(self) -> None:
        """Leave no folder behind for a run that was never begun."""
        with suppress(OSError):  # there is something in it
            self.path.rmdir()

    def claim(self, *, resume: bool) -> None:
        """Make sure that the folder is there, can be written to, and holds a run only if that is to be resumed.

        A run that was killed before it had a folder is resumed from its start.

        Raises:
            UsageError: it holds a run and `resume` is false.
            MachineError: it cannot be written to.
        """
        if not resume and any((self.path / name).exists() for name in (RECIPE, METRICS, CHECKPOINTS, BEST)):
            raise UsageError(
                f"{self.path} already holds a run. Add --resume to go on with it, or name another folder with --run."
            )
        # Whether a file can be written is best asked by writing one: permissions alone do not tell.
        probe = self.path / ".writable"
        write_bytes(probe, b"")
        probe.unlink()
        remove_leftovers(self.path)
        remove_leftovers(self.checkpoints)

    def begin(self, manifest: Manifest) -> None:
        """Write down what the run is, or compare with what was written when it began.

        Raises:
            UsageError: the folder's run is another one; shows what differs.
        """
        before = self.manifest
        if before is None:
            self.write_manifest(manifest)
            return
        if differences := before.differences(manifest):
            shown = "\n  ".join(differences[:12])
            more = f"\n  and {len(differences) - 12} more" if len(differences) > 12 else ""
            raise UsageError(
                f"The run in {self.path} cannot be resumed, it was begun with something else:\n  {shown}{more}\n"
                "Give what it was begun with, start a new run in another folder, or go on with the changes: --accept-changes."
            )

    def write_manifest(self, manifest: Manifest) -> None:
        """Write down what the run is."""
        write_text(self.path / RECIPE, manifest.to_toml())

    def load_rows(self, epochs: int) -> None:
        """Read the history of the first `epochs` back; what is behind them the resumed run will write again.

        Raises:
            DataError: the file was damaged by somebody else's hand.
        """
        file = self.path / METRICS
        self.rows = []
        if not file.is_file():
            return
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                row = Row(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise DataError(f"{file} is damaged in line {number}: {error}. Remove that line to resume.") from error
            if row.epoch <= epochs:
                self.rows.append(row)
        self.write_rows()

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows to the history, on the disk too."""
        self.rows.extend(rows)
        self.write_rows()

    def write_rows(self) -> None:
        """Write the history: a few lines an epoch, so the whole file each time, and never half a line."""
        write_text(self.path / METRICS, "".join(json.dumps(asdict(row)) + "\n" for row in self.rows))


def read_manifest(run: Path) -> Manifest:
    """What the run in a folder is: its recipe, data and network.

    Raises:
        UsageError: there is no run, or its `recipe.toml` is damaged.
    """
    manifest = RunFolder(run).manifest
    if manifest is None:
        raise UsageError(f"There is no run in {run}: it has no {RECIPE}.")
    return manifest
