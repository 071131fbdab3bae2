"""Which network a file of weights holds, from the names and shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from inceptions.architecture import Architecture, Options, declare
from inceptions.errors import UsageError, unknown
from inceptions.weights.containers import Checkpoint
from inceptions.weights.families.members import MEMBERS, Member
from inceptions.weights.families.names import Pair, arrange
from inceptions.weights.matching import Match, Tensors, best_match, complete, misshapen, outputs_of, pairs_of, shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What a file is.

    Attributes:
        member: the family's entry for the network.
        network: "name/variant" here.
        tensors: under the names that the member's map knows.
        classes: outputs of the classifier; None without one.
        aux: whether all auxiliary heads are there and have as many outputs.
        in_channels: of the images.
        group: which of the file's dictionaries it is.
        why: what it was recognised by.
        notes: what else there is to say.
        ignored: names in the file that are no weights of a network (state of an optimiser, counters).
        left_out: names of auxiliary heads that cannot come along.
    """

    member: Member
    network: str
    tensors: dict[str, Tensor]
    classes: int | None
    aux: bool
    in_channels: int
    group: str
    why: tuple[str, ...]
    notes: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def architecture(self, until: str | None = None) -> Architecture:
        """The network as the file has it; without a classifier it has the published number of classes."""
        options = Options(num_classes=self.classes, aux=self.aux, in_channels=self.in_channels, until=until)
        return declare(self.network, None, options)


def recognise(file: Checkpoint, *, group: str | None = None, variant: str | None = None) -> Recognised:
    """Find out which network the tensors of a file belong to.

    Args:
        file: as it was read.
        group: which of its dictionaries; the one that holds a network, averaged weights first, if None.
        variant: of the network, where names and shapes do not tell.

    Raises:
        WeightsError: it holds no network of the family, or one with other widths.
        UsageError: no such group or variant, or several variants fit.
    """
    match = best_match(file, group=group, variant=variant)
    member = match.member
    notes = match.notes
    tensors = {name.removeprefix(match.prefix): tensor for name, tensor in match.tensors.items()}
    if match.prefix:
        notes.append(f"names begin with {match.prefix!r}, which is left out")
    heads = {head.name: pairs_of(member, head.name) for head in member.declare().heads}
    classes = outputs_of(tensors, heads["main"])
    if classes is None:
        classes = _adopt(tensors, member, heads["main"], notes)
    aux, unfit = _auxiliary(tensors, heads, classes, notes)
    # With the counters, which a head may have or not.
    of_unfit = (pair.theirs for pair in member.map().pairs if pair.ours.partition(".")[0] in unfit)
    network, why = _variant(match, variant)
    whole = len([pair for pair in member.map().pairs if pair.otherwise is None])
    found = sum(pair.otherwise is None and pair.theirs in tensors for pair in member.map().pairs)
    reasons = [f"names of {member.called}" if file.container != "onnx" else "order and shapes of its layers"]
    reasons.append(f"{found} of {whole} tensors")
    if len(heads) > 1:
        auxiliary = [name for name in heads if name != "main" and complete(tensors, heads[name])]
        reasons.append(f"auxiliary heads: {', '.join(auxiliary) or 'none'}")
    reasons += ["no classifier" if classes is None else f"{classes} outputs", *why]
    return Recognised(
        member=member,
        network=network,
        tensors=tensors,
        classes=classes,
        aux=aux,
        in_channels=_channels(tensors, member),
        group=match.group,
        why=tuple(reasons),
        notes=tuple(notes),
        ignored=match.ignored,
        left_out=tuple(name for name in of_unfit if name in tensors),
    )


def _adopt(tensors: dict[str, Tensor], member: Member, pairs: list[Pair], notes: list[str]) -> int | None:
    """Take a classifier under another name for the main one, if there is exactly one that fits: its outputs."""
    known = {pair.theirs for pair in member.map().pairs}
    weight, bias = (next(pair for pair in pairs if pair.ours.endswith(f".logits.linear.{kind}")) for kind in ("weight", "bias"))
    features = shapes(member.network, Options(aux=member.aux))[weight.ours].shape[1]
    found = []
    matrices = [name for name, tensor in tensors.items() if name not in known and tensor.ndim in (2, 4) and "conv" not in name]
    for name in matrices:
        matrix = arrange(tensors[name], weight.layout, ())
        stem = re.split(r"[./](?=[^./]*$)", name)[0]
        vector = next(
            (
                other
                for other in tensors
                if other != name and other.startswith(stem) and other not in known and tensors[other].shape == matrix.shape[:1]
            ),
            None,
        )
        if matrix.shape[1:].numel() == features and vector is not None:
            found.append((name, vector))
    if len(found) != 1 or len(matrices) != 1:
        return None
    (name, vector) = found[0]
    tensors[weight.theirs], tensors[bias.theirs] = tensors.pop(name), tensors.pop(vector)
    notes.append(f"{name} and {vector} are taken to be its classifier")
    return tensors[bias.theirs].numel()


def _auxiliary(
    tensors: Tensors, heads: Mapping[str, list[Pair]], classes: int | None, notes: list[str]
) -> tuple[bool, tuple[str, ...]]:
    """Whether the auxiliary heads can come along, and the names of those that are there and cannot."""
    there = {name: pairs for name, pairs in heads.items() if name != "main" and any(pair.theirs in tensors for pair in pairs)}
    wrong = {name: outputs_of(tensors, pairs) for name, pairs in there.items() if outputs_of(tensors, pairs) != classes}
    if there and not wrong and len(there) == len(heads) - 1:
        return True, ()
    for name, count in wrong.items():
        what = f"has {count} outputs, not {classes}" if count is not None else "is not complete"
        notes.append(f"the auxiliary head {name} {what}: left out")
    if there and not wrong:
        notes.append(f"of the auxiliary heads only {', '.join(there)} is there: left out")
    if len(heads) > 1 and not there:
        notes.append("there are no auxiliary heads")
    return False, tuple(there)


def _variant(match: Match, asked: str | None) -> tuple[str, tuple[str, ...]]:
    """The network with its variant, and why it is that one."""
    member = match.member
    name, _, own = member.network.partition("/")
    if asked is not None:
        asked = asked.removeprefix(f"{name}/")
        if asked != own and asked not in member.alike:
            raise unknown(f"variant of {name} with these tensors", asked, dict.fromkeys((own, *member.alike)))
        return f"{name}/{asked}", ("--variant",) if asked != own else ()
    if member.family == "inceptions":
        fitting = [
            one.network
            for one in MEMBERS
            if one.family == "inceptions"
            and one.network.startswith(f"{name}/")
            and {pair.theirs for pair in one.map().pairs if not pair.ours.startswith("aux")}
            == {pair.theirs for pair in member.map().pairs if not pair.ours.startswith("aux")}
            and not misshapen(match.tensors, one)
        ]
        if len(fitting) > 1:
            kinds = ", ".join(one.partition("/")[2] for one in fitting)
            raise UsageError(
                f"These are tensors of {name}, but several variants have the same: add --variant with one of {kinds}."
            )
    return member.network, ("the family's rule for average pools",) if member.alike and name == "inception_v3" else ()


def _channels(tensors: Tensors, member: Member) -> int:
    first = next(pair for pair in member.map().pairs if pair.theirs in tensors or pair.otherwise is None)
    if first.theirs not in tensors or first.layout == "hwim" or tensors[first.theirs].ndim != 4:
        return 3
    weight = tensors[first.theirs]
    return weight.shape[2 if first.layout == "hwio" else 1]
