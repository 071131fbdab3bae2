"""What has been computed, one small file for each seed of each arm, so that nothing is computed twice.

A file belongs to the code that made it: after a change of the experiment, of what it is made of, or of torch, it is made
again. Better words for a claim change nothing.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch

from inceptions.claims import augmentation, images, lab, networks, timing, training
from inceptions.claims.claim import Claim, Record, Size, digest
from inceptions.errors import UsageError
from inceptions.files import write_text

MANIFEST = "claims.json"
CELLS = "cells"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all cells of a folder share.

    Attributes:
        data: "digits" or a folder.
        seed: the base of all seeds.
        full: at the papers' sizes.
    """

    data: str
    seed: int
    full: bool

    def size(self, claim: Claim) -> Size:
        """Of a claim's experiment."""
        return claim.full if self.full else claim.small


@dataclass(frozen=True)
class Cell:
    """Some arms of one claim with one seed: what one process does in one go."""

    claim: Claim
    arms: tuple[str, ...]
    index: int

    def path(self, folder: Path) -> Path:
        """Its file."""
        name = "all" if self.claim.together else f"arm-{self.claim.arms.index(self.arms[0]) + 1}"
        return folder / CELLS / self.claim.id / f"{name}-{self.index:03d}.json"


def cells(claim: Claim, seeds: int) -> list[Cell]:
    """All that a claim needs, the first seeds first."""
    if claim.trial is None:
        return []
    groups = [claim.arms] if claim.together else [(arm,) for arm in claim.arms]
    return [Cell(claim, arms, index) for index in range(seeds) for arms in groups]


def keep(folder: Path, cell: Cell, settings: Settings, records: Mapping[str, Record]) -> None:
    """Write a cell's records."""
    content = {
        "fingerprint": fingerprint(cell.claim, settings),
        "records": {arm: asdict(record) for arm, record in records.items()},
    }
    write_text(cell.path(folder), json.dumps(content) + "\n")


def kept(folder: Path, cell: Cell, settings: Settings) -> dict[str, Record] | None:
    """A cell's records if they are there and made by this code."""
    try:
        content = json.loads(cell.path(folder).read_text(encoding="utf-8"))
        if content["fingerprint"] != fingerprint(cell.claim, settings):
            return None
        found = {}
        for arm in cell.arms:
            given = content["records"][arm]
            curves = {name: [(float(x), float(y)) for x, y in curve] for name, curve in given["curves"].items()}
            found[arm] = Record(**{**given, "curves": curves})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def fingerprint(claim: Claim, settings: Settings) -> str:
    """A digest of the code and the settings that a claim's records depend on."""
    assert claim.trial is not None
    return digest(_sources(inspect.getmodule(_unwrapped(claim))), claim.arms, settings, settings.size(claim), torch.__version__)


def claim_folder(folder: Path, settings: Settings) -> None:
    """Make a folder that of these settings, or see that it is.

    Raises:
        UsageError: it holds the results of other settings.
        MachineError: it cannot be written.
    """
    manifest, wanted = folder / MANIFEST, asdict(settings)
    if not manifest.is_file():
        write_text(manifest, json.dumps(wanted, indent=2) + "\n")
        return
    if read_settings(folder) != settings:
        raise UsageError(
            f"{folder} holds claims that were run with other settings ({manifest.name} names their data, seed and size); "
            "name another folder with --run."
        )


def read_settings(folder: Path) -> Settings:
    """What a folder's claims were run with.

    Raises:
        UsageError: it is no such folder.
    """
    try:
        return Settings(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise UsageError(
            f"{folder} holds no claims that were run: `inceptions claims run --all --run {folder}` makes it."
        ) from None


def _unwrapped(claim: Claim) -> object:
    """The experiment's own function, also behind `each`."""
    trial = claim.trial
    inside = inspect.getclosurevars(trial).nonlocals if inspect.isfunction(trial) else {}
    return inside.get("run", trial)


@cache
def _sources(module: object) -> str:
    made_of = (module, augmentation, images, lab, networks, timing, training)
    paths = [Path(inspect.getfile(one)) for one in made_of if inspect.ismodule(one)]
    return digest(*(_meaning(path.read_text(encoding="utf-8")) for path in paths))


def _meaning(source: str) -> str:
    """What a file computes: without its layout, its comments, its docstrings, and the words of a claim."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_words(one)]  # type: ignore[attr-defined]  # it has one
    return ast.dump(tree)


def _is_words(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Assign(targets=[ast.Name(id="CLAIM")]):
            return True
        case _:
            return False
