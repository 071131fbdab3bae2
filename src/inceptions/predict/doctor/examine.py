"""All checks of a weight file, in the order in which one failure makes the next ones pointless."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inceptions.errors import WeightsError
from inceptions.network import from_architecture
from inceptions.predict.doctor.findings import Checkup, Finding
from inceptions.predict.doctor.fingerprint import fingerprint, judged
from inceptions.predict.doctor.photographs import activity, outputs, photographs, run, show
from inceptions.predict.doctor.tensors import batch_norm, classifier, filters, numbers
from inceptions.weights import Opened, open_any
from inceptions.weights.open import is_ours
from inceptions.weights.source import resolve
from inceptions.weights.store import load_state


def examine(weights: str | Path, images: Sequence[Path] = (), *, preprocess: str | None = None) -> Checkup:
    """Say whether a weight file can be right: its numbers, its filters, its statistics, and what it does with photographs.

    Of a foreign file from which tensors are missing, the network is examined as far as it goes.

    Args:
        weights: whatever `inceptions.load` takes.
        images: photographs like those it was trained on; two that come with scikit-learn if there are none.
        preprocess: how images are shown to a foreign file that does not say so, by the name of a style.

    Raises:
        UsageError: a foreign file does not say how images are shown to it.
        WeightsError: the file cannot be read, holds no Inception, or does not fit the network it names.
        ImageError: one of the images cannot be read.
        MachineError: it cannot be fetched.
    """
    shown = photographs(images)  # a wrong name among them is better known before a large file is read
    path, known = resolve(weights)
    foreign = {} if is_ours(path) else {"known": known, "partial": True, "classes": "numbered"}
    opened = open_any(path, preprocess=preprocess, **foreign)
    state, card = opened.tensors, opened.card
    architecture = card.declare()
    found = [*_complete(opened), numbers(state)]
    if found[-1].level != "fail":
        model = from_architecture(architecture, device="cpu", seed=0)
        # Without a classifier in the file, a fresh one lets the trunk run.
        own = {} if card.classes else {name: one for name, one in model.state_dict().items() if name.startswith("main.")}
        load_state(model, {**own, **state}, str(path))
        model.eval()
        found += [filters(state, architecture), batch_norm(state)]
        found.append(classifier(state) if card.classes else Finding("classifier", "note", "The file has none."))
        channels = architecture.options.in_channels
        if channels == card.preprocess.num_channels:
            pixels = show(shown, card.preprocess)
            logits, largest = run(model, card.preprocess, pixels)
            found.append(activity(largest))
            found += [outputs(logits)] if card.classes else []
            found.append(judged(fingerprint(model, card.preprocess, pixels)))
        else:
            says = f"Not run: its input has {channels} channels, its preprocessing makes {card.preprocess.num_channels}."
            found.append(Finding("outputs", "note", says))
    return Checkup(file=str(path), network=architecture.full_name, classes=len(card.classes), findings=tuple(found))


def raise_if_broken(checkup: Checkup) -> None:
    """Turn failed checks into an exit code.

    Raises:
        WeightsError: names them.
    """
    if checkup.broken:
        raise WeightsError(f"{checkup.file} is broken: {', '.join(checkup.broken)}.")


def _complete(opened: Opened) -> list[Finding]:
    """What a foreign file lacks or has too much; nothing to say of one that is whole."""
    report = opened.report
    if report is None or not (report.missing or report.unexpected):
        return []
    lacks = [f"{len(report.missing)} are missing (first: {report.missing[0]})"] if report.missing else []
    surplus = [f"{len(report.unexpected)} have no place (first: {report.unexpected[0]})"] if report.unexpected else []
    until = opened.card.options.until
    seen = f"; examined up to {until}" if until else ""
    details = {"missing": list(report.missing), "unexpected": list(report.unexpected)}
    return [Finding("tensors", "warn", f"Of {report.family}'s tensors {', '.join(lacks + surplus)}{seen}.", details)]
