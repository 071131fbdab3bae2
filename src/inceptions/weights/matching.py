"""Which family's names the tensors of a file have: every family tried, the one that finds most of its own taken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial

from torch import Tensor

from inceptions.architecture import Options, declare, names, variants
from inceptions.errors import WeightsError, unknown
from inceptions.network import from_architecture
from inceptions.weights.containers import Checkpoint
from inceptions.weights.families import onnx
from inceptions.weights.families.members import MEMBERS, Member
from inceptions.weights.families.names import Pair, arrange
from inceptions.weights.suspects import seems

Tensors = Mapping[str, Tensor]

# Of a network's own tensors, how many must be there by name for the rest to be worth explaining.
ENOUGH = 0.5
AVERAGED = re.compile(r"ema|averag|shadow|swa", re.IGNORECASE)
# Numbers in a graph's constant that can be no weights of a layer.
FEW = 4
SHADOW = "/ExponentialMovingAverage"
# What TensorFlow's trainers keep beside the weights.
BOOKKEEPING = re.compile(r"(^|/)(global_step|learning_rate|save_counter|beta[12]_power|_CHECKPOINTABLE_OBJECT_GRAPH)(/|$)")


@dataclass(slots=True)
class Match:
    """A family's names in a file.

    Attributes:
        member: whose names, of which network.
        prefix: what stands before them.
        group: which of the file's dictionaries has them.
        tensors: of that, as the member prepares them.
        share: how many of the trunk's tensors are there, 0 to 1.
        ignored: names of what is no weight.
        notes: what there is to say.
    """

    member: Member
    prefix: str
    group: str
    tensors: Tensors
    share: float
    ignored: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def best_match(file: Checkpoint, *, group: str | None, variant: str | None) -> Match:
    """The family and the network that a file's tensors are closest to.

    Raises:
        WeightsError: they are not close to any.
        UsageError: there is no such group.
    """
    found = _onnx(file, variant) if file.container == "onnx" else None
    return found or _best(file, group)


@cache
def shapes(architecture: str, options: Options) -> dict[str, Tensor]:
    """The state dict of a network, without memory for its values."""
    return from_architecture(declare(architecture, None, options), device="meta").state_dict()


def _best(file: Checkpoint, group: str | None) -> Match:
    groups = dict(_groups(file))
    if group is not None and group not in groups:
        raise unknown(f"group in {file.path}", group, [name or "(the whole file)" for name in groups])
    asked = groups if group is None else {group: groups[group]}
    matches = [one for name, (tensors, ignored) in asked.items() for one in _matches(name, tensors, ignored)]
    share = max((one.share for one in matches), default=0.0)
    if share < ENOUGH:
        raise _refusal(file, matches, asked)
    # Groups that hold about as much of a network: averaged weights are what their trainers evaluate and publish.
    close = [one for one in matches if one.share > 0.9 * share]
    found = list(dict.fromkeys(one.group for one in close))
    averaged = [name for name in found if AVERAGED.search(name)]
    chosen = (averaged or [one.group for one in close if one.share == share])[0]
    best = max(one.share for one in close if one.group == chosen)
    ties = [one for one in close if one.group == chosen and one.share == best]
    match = _first(ties, file)
    if len(groups) > 1:
        others = ", ".join(repr(name) for name in groups if name != chosen)
        reason = "averaged weights" if chosen in averaged and len(found) > 1 else "a network"
        match.notes.append(f"taken from {chosen!r}, which holds {reason}; also there: {others}")
    return match


def _groups(file: Checkpoint) -> Iterator[tuple[str, tuple[Tensors, tuple[str, ...]]]]:
    """Every dictionary of tensors in a file without what is no weight, averaged ones of TensorFlow as one of their own."""
    if file.container != "tensorflow":
        for name, tensors in file.groups.items():
            # Among a graph's constants are sizes, axes and means of its operations.
            small = (one for one, tensor in tensors.items() if not tensor.is_floating_point() or tensor.numel() <= FEW)
            beside = tuple(small) if file.container == "graphdef" else ()
            known = set(beside)
            yield name, ({one: tensor for one, tensor in tensors.items() if one not in known}, beside)
        return
    for name, tensors in file.groups.items():
        slots = {one for one in tensors if one.rpartition("/")[0] in tensors or BOOKKEEPING.search(one)}
        raw = {one: tensor for one, tensor in tensors.items() if one not in slots}
        shadows = {one.removesuffix(SHADOW): tensors[one] for one in slots if one.endswith(SHADOW)}
        if not shadows:
            yield name, (raw, tuple(sorted(slots)))
            continue
        used = {one + SHADOW for one in shadows}
        yield "raw", (raw, tuple(sorted(slots)))
        yield "ema", ({**raw, **shadows}, tuple(sorted((slots - used) | set(shadows))))


def _matches(group: str, tensors: Tensors, ignored: tuple[str, ...]) -> Iterator[Match]:
    prepared: dict[object, Tensors] = {}
    for member in MEMBERS:
        if member.prepare not in prepared:
            prepared[member.prepare] = member.prepare(tensors)
        ready = prepared[member.prepare]
        heads = tuple(f"{head.name}." for head in member.declare().heads)
        trunk = [pair for pair in member.map().pairs if pair.otherwise is None and not pair.ours.startswith(heads)]
        best = Match(member, "", group, ready, 0.0, ignored)
        for prefix in _prefixes(ready, trunk):
            share = sum(prefix + pair.theirs in ready for pair in trunk) / len(trunk)
            if share > best.share:
                best = Match(member, prefix, group, ready, share, ignored)
        if best.share:
            yield best


def _prefixes(tensors: Tensors, trunk: list[Pair]) -> list[str]:
    """What may stand before a family's names ("module.", "backbone."): seen on the first, the middle and the last of them."""
    found: dict[str, None] = {"": None}
    for pair in (trunk[0], trunk[len(trunk) // 2], trunk[-1]):
        for name in tensors:
            before = name.removesuffix(pair.theirs)
            if before != name and before[-1:] in ("", ".", "/"):
                found[before] = None
    return sorted(found, key=len)[:8]


def _first(ties: list[Match], file: Checkpoint) -> Match:
    """Of families with the same names the one that published such a file: shapes first, then classes, container, order."""

    def rank(match: Match) -> tuple[int, bool, bool]:
        tensors = {name.removeprefix(match.prefix): tensor for name, tensor in match.tensors.items()}
        classes = outputs_of(tensors, pairs_of(match.member, "main"))
        outputs = match.member.outputs
        return (
            len(misshapen(tensors, match.member)),
            classes is not None and classes not in outputs,
            match.member.container != file.container,
        )

    return min(ties, key=rank)


def misshapen(tensors: Tensors, member: Member) -> list[Pair]:
    """Whatever is in a file with another shape than the published network's, but for classifiers."""
    ours = shapes(member.network, Options(aux=member.aux))
    found = []
    for pair in member.map().pairs:
        if pair.theirs in tensors and ".logits." not in pair.ours:
            shape = tuple(ours[pair.ours].shape)
            if arrange(tensors[pair.theirs], pair.layout, shape).shape != shape:
                found.append(pair)
    return found


def _refusal(file: Checkpoint, matches: list[Match], groups: Mapping[str, tuple[Tensors, tuple[str, ...]]]) -> WeightsError:
    every = [name for tensors, _ in groups.values() for name in tensors]
    if not every:
        return WeightsError(f"{file.path} holds no tensors.")
    best = max(matches, key=lambda one: one.share, default=None)
    what = seems(every)
    if best is not None and best.share > 0.1 and what is None:
        return WeightsError(
            f"{file.path} has some names of {best.member.called}, but only {best.share:.0%} of its trunk's tensors: "
            "too few to be that network."
        )
    guess = f"it seems to hold {what}" if what else f"no network of the family has tensors as {every[0]!r}"
    return WeightsError(f"{file.path} is not an Inception: {guess}. `inceptions models` lists the networks that are read.")


def _onnx(file: Checkpoint, variant: str | None) -> Match | None:
    nodes = file.metadata.get("nodes", ())
    found = onnx.layers(file.tensors, nodes)
    candidates = []
    for name in names():
        for kind in variants(name):
            options = Options(aux=False)
            architecture = declare(name, kind, options)
            if onnx.fits(architecture, shapes(architecture.full_name, options), found):
                candidates.append((onnx.disagreement(architecture, nodes), architecture))
    if not candidates:
        return None
    fewest = min(count for count, _ in candidates)
    alike = tuple(one.variant for _, one in candidates)
    best = next(one for count, one in candidates if count == fewest)
    if variant in alike:
        best = next(one for _, one in candidates if one.variant == variant)
    member = Member(
        family="onnx",
        network=best.full_name,
        translate=partial(onnx.ordered, found=found),
        outputs=(),
        container="onnx",
        alike=alike,
    )
    match = Match(member, "", "", found, 1.0, tuple(sorted(name for name in file.tensors if file.tensors[name].ndim == 0)))
    same = [one.variant for count, one in candidates if count == fewest]
    if len(same) > 1 and variant is None:
        match.notes.append(f"taken to be {best.full_name}; its layers are those of {', '.join(same[1:])} too (--variant)")
    return match


def pairs_of(member: Member, head: str) -> list[Pair]:
    """What a family must have of a head."""
    return [pair for pair in member.map().pairs if pair.ours.startswith(f"{head}.") and pair.otherwise is None]


def complete(tensors: Tensors, pairs: list[Pair]) -> bool:
    """Whether all of it is there."""
    return all(pair.theirs in tensors for pair in pairs)


def outputs_of(tensors: Tensors, pairs: list[Pair]) -> int | None:
    """How many classes a head's classifier has; None if it is not there."""
    bias = next(pair for pair in pairs if pair.ours.endswith(".logits.linear.bias"))
    return tensors[bias.theirs].numel() if complete(tensors, pairs) else None
