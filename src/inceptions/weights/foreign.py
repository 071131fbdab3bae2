"""Files of other families as ours: recognised, asked about what they do not say, checked tensor by tensor."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from inceptions.architecture import Architecture, declare
from inceptions.errors import UsageError, WeightsError
from inceptions.weights.card import Card
from inceptions.weights.classes import BACKGROUND, numbered, outputs
from inceptions.weights.containers import read
from inceptions.weights.families.names import Fit, Pair, Translation
from inceptions.weights.matching import shapes
from inceptions.weights.opened import Opened
from inceptions.weights.preprocess import Preprocess
from inceptions.weights.published.checkpoint import Published
from inceptions.weights.recognise import Recognised, recognise
from inceptions.weights.report import Report, listed
from inceptions.weights.unsaid import find_classes, find_preprocess, identify

BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class _Rest:
    """Names in a file that did not become tensors of ours."""

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()


def open_foreign(
    path: Path,
    *,
    known: Published | None = None,
    group: str | None = None,
    variant: str | None = None,
    preprocess: str | Preprocess | None = None,
    classes: str | None = None,
    background: Literal["drop", "keep"] = "drop",
    partial: bool = False,
    trunk: bool = False,
) -> Opened:
    """Read a file of another family.

    Args:
        path: the file.
        known: the published checkpoint that it is, if that is known; it is found out by its checksum otherwise.
        group: which of the dictionaries in a training checkpoint.
        variant: of the network, where names and shapes do not tell.
        preprocess: how images are shown to it: a style or a file (`styles.preprocess_of`).
        classes: what its outputs are called (`classes.read_classes`).
        background: what becomes of the first of 1001 outputs, and of those of the 2015 graph that stand for nothing.
        partial: accept a file without some of the trunk's tensors, which ends at the last complete tap and has no classifier,
            and one with tensors that have no place, which are left out.
        trunk: only the trunk counts: classes whose names are not known are numbered.

    Raises:
        WeightsError: the file cannot be read, is no Inception, or does not hold what its network needs.
        UsageError: it does not say what must be known; says what to add.
        MachineError: a package is missing that reads it.
    """
    file = read(path)
    found = recognise(file, group=group, variant=variant)
    if found.classes == 1 and not trunk:
        raise WeightsError(
            f"{path} has a single output, the answer of a sigmoid to one question; the classifiers here choose between "
            "classes, and would always be sure of their only one. Train a classifier on its trunk: "
            "inceptions train PHOTOS/ --weights FILE."
        )
    tensors, converted = _floats(found, path)
    architecture, fit, rest = _fitted(found, tensors, path, partial)
    digest = _digest(path)
    identified = known or identify(path, digest, found)
    shown, why, asked = find_preprocess(found, file.container, identified, preprocess, path)
    names, questions = find_classes(found, identified, classes, path)
    if trunk and questions:
        names, questions = numbered(found.classes or 0), []
    if asked or questions:
        raise UsageError(_question(path, found, architecture, [*asked, *questions]))
    assert shown is not None
    assert names is not None
    result, notes = fit.tensors, list(found.notes)
    if rest.missing:
        names = ()
        notes.append(
            f"complete up to {architecture.options.until}, without a classifier: it gives features, or a start for training; "
            f"{len(rest.behind)} tensors behind that are left out"
        )
    elif found.classes is None:
        names = ()
        notes.append("no classifier in the file: it gives features, or a start for training")
    result, names, architecture = _without_background(result, names, architecture, background, notes)
    _check_finite(result, path)
    if shown.num_channels != architecture.options.in_channels:
        raise UsageError(
            f"{path} takes images of {architecture.options.in_channels} channels, but the preprocessing gives "
            f"{shown.num_channels}: describe it in a file and add --preprocess FILE."
        )
    source = {"file": path.name, "sha256": digest, "family": found.member.family, "container": file.container}
    card = Card(
        architecture=architecture.name,
        variant=architecture.variant,
        options=architecture.options,
        classes=names,
        preprocess=shown,
        provenance={"source": source | ({"published": identified.full_name} if identified else {})},
        licence=identified.licence if identified else None,
    )
    report = Report(
        file=path.name,
        container=file.container,
        family=found.member.family,
        card=card,
        why=found.why,
        preprocess_why=why,
        used=len(fit.used),
        missing=rest.missing,
        unexpected=rest.unexpected,
        ignored=found.ignored,
        implied=len(fit.implied),
        converted=converted,
        notes=tuple(notes),
    )
    return Opened(result, card, report)


def _floats(found: Recognised, path: Path) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Every weight as float32, and how many had another type."""
    tensors: dict[str, Tensor] = {}
    converted: dict[str, int] = {}
    known = {pair.theirs for pair in found.member.map().pairs if "num_batches" not in pair.ours}
    for name, tensor in found.tensors.items():
        if name in known and not tensor.is_floating_point():
            raise WeightsError(f"{path}: {name} holds {str(tensor.dtype).removeprefix('torch.')}, quantised perhaps: not read.")
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            kind = str(tensor.dtype).removeprefix("torch.")
            converted[kind] = converted.get(kind, 0) + 1
            tensor = tensor.to(torch.float32)
        tensors[name] = tensor
    return tensors, converted


def _fitted(found: Recognised, tensors: Mapping[str, Tensor], path: Path, partial: bool) -> tuple[Architecture, Fit, _Rest]:
    """The network as far as the file has it, its tensors, and what is missing, has no place or lies behind the cut."""
    whole = found.architecture()
    pairs = found.member.map().pairs
    # Of a classifier either all is there, or nothing, or a part of it is missing.
    headless = not any(pair.theirs in tensors for pair in pairs if pair.ours.startswith("main."))
    ours = shapes(whole.full_name, whole.options)
    if headless:
        ours = {name: tensor for name, tensor in ours.items() if not name.startswith("main.")}
    translation = Translation(tuple(pair for pair in pairs if pair.ours in ours))
    fit = translation.fit(tensors, ours)
    if wrong := [one for one in fit.misshapen if found.classes is not None or not one[0].ours.startswith("main.")]:
        raise WeightsError(_misshapen(path, found, wrong))
    unexpected = tuple(name for name in fit.unexpected if name not in found.left_out)
    until = _last_complete(whole, translation, tensors)
    if fit.missing and (until is None or not partial):
        raise WeightsError(
            f"{path} is {found.member.called} ({found.network}), but {listed('tensors are missing', fit.missing)}. "
            + (f"Add --partial to convert it up to {until}, without a classifier." if until else "No part of it is complete.")
        )
    if unexpected and not partial:
        raise WeightsError(
            f"{path} is {found.member.called} ({found.network}), but {listed('tensors have no place in it', unexpected)}. "
            "Add --partial to leave them out."
        )
    if not fit.missing:
        return whole, fit, _Rest(unexpected=unexpected)
    cut = found.architecture(until)
    kept = {name: one for name, one in shapes(cut.full_name, cut.options).items() if not name.startswith("main.")}
    shorter = Translation(tuple(pair for pair in pairs if pair.ours in kept)).fit(tensors, kept)
    behind = tuple(name for name in fit.used if name not in set(shorter.used))
    return cut, shorter, _Rest(missing=fit.missing, unexpected=unexpected, behind=behind)


def _last_complete(architecture: Architecture, translation: Translation, tensors: Mapping[str, Tensor]) -> str | None:
    """The last tap that the file has everything for, from the image on; None if there is none."""
    absent = {
        pair.ours.partition(".")[0] for pair in translation.pairs if pair.otherwise is None and pair.theirs not in tensors
    }
    complete = list(takewhile(lambda tap: tap not in absent, architecture.taps))
    return complete[-1] if complete else None


def _misshapen(path: Path, found: Recognised, wrong: list[tuple[Pair, tuple[int, ...], tuple[int, ...]]]) -> str:
    pair, theirs, ours = wrong[0]
    ratios = {round(a[-1] / b[0], 2) for one, a, b in wrong if one.ours.endswith((".conv.bias", ".bn.bias"))}
    reason = ""
    if len(ratios) == 1 and ratios != {1.0}:
        reason = f" All its layers are {ratios.pop():g} times as wide: a network with a width multiplier, which is not read."
    return (
        f"{path} has the names of {found.member.called}, but not its shapes: {len(wrong)} tensors differ, the first is "
        f"{pair.theirs}, {list(theirs)} instead of our {list(ours)}.{reason}"
    )


def _digest(path: Path) -> str:
    """SHA-256 of the file, or of the index of one in several parts."""
    target = path if path.is_file() else path.with_name(f"{path.name}.index")
    digest = hashlib.sha256()
    with target.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _question(path: Path, found: Recognised, architecture: Architecture, questions: list[str]) -> str:
    outputs = "without a classifier" if found.classes is None else f"with {found.classes} outputs"
    return (
        f"{path} is {found.member.called} ({architecture.full_name}, {outputs}), but does not say "
        f"{'; nor '.join(questions)}. (`inceptions convert` has these options; from Python they are arguments of "
        "`inceptions.weights.open_any`.)"
    )


def _without_background(
    tensors: dict[str, Tensor],
    names: tuple[str, ...],
    architecture: Architecture,
    background: Literal["drop", "keep"],
    notes: list[str],
) -> tuple[dict[str, Tensor], tuple[str, ...], Architecture]:
    """Leave out the outputs that stand for nothing."""
    empty = [i for i, name in enumerate(names) if name == BACKGROUND or name.startswith("nothing ")]
    if not empty:
        return tensors, names, architecture
    if background == "keep":
        notes.append(f"{len(empty)} outputs that stand for nothing are kept")
        return tensors, names, architecture
    kept = [i for i in range(len(names)) if i not in empty]
    what = "output 0, the background, is" if empty == [0] else f"{len(empty)} outputs that stand for nothing are"
    notes.append(f"{what} left out (--background keep)")
    options = replace(architecture.options, num_classes=len(kept))
    names = tuple(names[i] for i in kept)
    return outputs(tensors, architecture, kept), names, declare(architecture.name, architecture.variant, options)


def _check_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"{path} holds values that are not finite (our {name}): it is damaged, or its training diverged."
            )
        if name.endswith(".running_var") and bool((tensor < 0).any()):
            raise WeightsError(f"{path} holds a negative variance (our {name}): it is damaged.")
