"""Back to where weights came from: our files in the names, the layout and the container of another family."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from inceptions.errors import UsageError, WeightsError, unknown
from inceptions.weights.card import Card
from inceptions.weights.containers import Container, write
from inceptions.weights.families.members import MEMBERS, Member
from inceptions.weights.families.names import Translation
from inceptions.weights.store import BEST_WEIGHTS

FAMILIES = tuple(dict.fromkeys(one.family for one in MEMBERS if one.family not in ("inceptions", "graph_2015")))

# By the end of a file's name; anything else is what the family itself writes.
ENDINGS: dict[str, Container] = {
    ".pth": "pytorch",
    ".pt": "pytorch",
    ".bin": "pytorch",
    ".safetensors": "safetensors",
    ".h5": "keras",
    ".keras": "keras",
    ".ckpt": "tensorflow",
    ".caffemodel": "caffe",
    ".npz": "numpy",
}


def write_home(path: Path, tensors: Mapping[str, Tensor], card: Card, family: str) -> dict[str, Tensor]:
    """Write weights as another family keeps them.

    Args:
        path: the file; its ending says in which container: `.pth`, `.safetensors`, `.h5`, `.keras`, `.ckpt`, `.caffemodel`,
            `.npz`.
        tensors: of ours.
        card: what they are.
        family: one of `FAMILIES`.

    Returns:
        What was written, by their names.

    Raises:
        UsageError: there is no such family, or it has no such network.
        WeightsError: it cannot hold these weights.
        MachineError: the file cannot be written, or a package is missing that writes it.
    """
    member = _member(card, family)
    architecture = card.declare()
    heads = {head.name for head in architecture.heads[:-1]}
    if heads and not member.aux:
        tensors = {name: tensor for name, tensor in tensors.items() if name.partition(".")[0] not in heads}
    if architecture.options.until is not None or (architecture.options.width, architecture.options.depth) != (1, 1):
        raise WeightsError(
            f"{family} keeps whole networks of the published width and depth; this is {architecture.full_name} cut or changed."
        )
    translation = Translation(tuple(pair for pair in member.map().pairs if pair.ours in tensors))
    if homeless := sorted(set(tensors) - {pair.ours for pair in translation.pairs}):
        raise WeightsError(
            f"{family} has no place for {homeless[0]}" + (f" and {len(homeless) - 1} more." if homeless[1:] else ".")
        )
    theirs = dict(member.finish(translation.to_theirs(tensors)))
    write(path, theirs, ENDINGS.get(path.suffix, member.container))
    return theirs


def check_output(output: Path, source: Path, family: str | None) -> None:
    """Refuse a file to write before any work is done: the source itself, a folder, an ending that promises something else.

    Args:
        output: the file to write.
        source: the file that is read, or a run's folder.
        family: whose file it shall be; None for ours.

    Raises:
        UsageError: says which of these it is.
    """
    if output.is_dir():
        raise UsageError(f"{output} is a folder: name the file to write in it.")
    sources = [source, source / BEST_WEIGHTS]
    if output.exists() and any(one.is_file() and one.samefile(output) for one in sources):
        raise UsageError(f"{output} is the file that is read; it would be lost. Write to another name.")
    if family is None and output.suffix in ENDINGS and output.suffix != ".safetensors":
        raise UsageError(
            f"{output} would hold a weight file of ours, which is safetensors: call it "
            f"{output.with_suffix('.safetensors').name}, or name the family to write for with --to."
        )


def left_behind(card: Card, family: str) -> list[str]:
    """What of a weight file of ours another family's file does not hold, as sentences."""
    heads = [head.name for head in card.declare().heads[:-1]]
    lost = [f"{family} has no auxiliary heads: {', '.join(heads)} left out"] if heads and not _member(card, family).aux else []
    return [*lost, f"{family} keeps neither class names nor how images are shown: {card.preprocess.describe()}"]


def check_family(family: str) -> None:
    """Refuse a family that nothing can be written for.

    Raises:
        UsageError: says which there are.
    """
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)


def _member(card: Card, family: str) -> Member:
    check_family(family)
    theirs = [one for one in MEMBERS if one.family == family]
    for one in theirs:
        name, _, variant = one.network.partition("/")
        if name == card.architecture and card.variant == variant:
            return one
        if name == card.architecture and card.variant in one.alike:
            raise UsageError(
                f"{family} has {name}/{variant}. It has the same tensors as {name}/{card.variant} but computes otherwise, so "
                f"that answers would change. If that is wanted, convert the original file with --variant {variant}."
            )
    raise UsageError(
        f"{family} has no {card.architecture}/{card.variant}; it has {', '.join(sorted({one.network for one in theirs}))}."
    )
