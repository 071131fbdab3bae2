"""What became of a foreign file, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inceptions.weights.card import Card

SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a foreign file, tensor by tensor.

    Attributes:
        file: its name.
        container: its format.
        family: whose names it has.
        card: what is known of the result.
        why: what the network was recognised by.
        preprocess_why: where the preprocessing is known from.
        used: how many of its tensors were used, each exactly once.
        missing: its names of tensors that should be there.
        unexpected: names of tensors that have no place in the network.
        ignored: names of what is no weight of a network: state of an optimiser, counters.
        implied: how many of our tensors it leaves out because they are always the same (scales of 1, counters).
        converted: how many tensors had another type, by its name.
        notes: whatever else there is to say.
    """

    file: str
    container: str
    family: str
    card: Card
    why: tuple[str, ...]
    preprocess_why: str
    used: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    implied: int = 0
    converted: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `classes` is their number."""
        return {
            "family": self.family,
            "architecture": self.card.architecture,
            "variant": self.card.variant,
            "classes": len(self.card.classes),
            "preprocess": self.card.preprocess.to_dict(),
            "used": self.used,
            "missing": list(self.missing),
            "unexpected": list(self.unexpected),
            "file": self.file,
            "container": self.container,
            "until": self.card.options.until,
            "why": list(self.why),
            "preprocess_why": self.preprocess_why,
            "ignored": len(self.ignored),
            "implied": self.implied,
            "converted": dict(self.converted),
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """The same for people."""
        card = self.card
        until = f", up to {card.options.until}" if card.options.until else ""
        classes = f"{len(card.classes)}: {card.classes[0]}, {card.classes[-1]}" if card.classes else "none (features only)"
        if len(card.classes) > 2:
            classes = f"{len(card.classes)}: {', '.join(card.classes[:SHOWN])}, … {card.classes[-1]}"
        rows = [
            ("network", f"{card.architecture}/{card.variant}{until}, from {self.family} ({self.container})"),
            ("why", "; ".join(self.why)),
            ("classes", classes),
            ("images", f"{card.preprocess.describe()}, {card.preprocess.channels} ({self.preprocess_why})"),
            ("values", card.preprocess.scale()),
            (
                "tensors",
                f"{self.used} used, each once; {listed('missing', self.missing)}; {listed('unexpected', self.unexpected)}",
            ),
        ]
        if self.ignored:
            rows.append(("", f"{len(self.ignored)} that are no weights ignored (first: {self.ignored[0]})"))
        if self.implied:
            rows.append(("", f"{self.implied} of ours are implied (scales of 1, counters of 0)"))
        for kind, count in self.converted.items():
            rows.append(("", f"{count} converted from {kind} to float32"))
        rows += [("note", note) for note in self.notes]
        return "\n".join(f"{name:<9} {value}" for name, value in rows)


def listed(word: str, names: tuple[str, ...]) -> str:
    """How many there are, and the first of them."""
    if not names:
        return f"none {word}"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {word} ({', '.join(names[:SHOWN])}{more})"
