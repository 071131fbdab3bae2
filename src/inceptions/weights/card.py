"""What a weight file says about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from inceptions.architecture.options import Options
from inceptions.errors import InceptionsError, WeightsError
from inceptions.weights.preprocess import Preprocess

if TYPE_CHECKING:
    from inceptions.architecture import Architecture

FORMAT_VERSION = 1
LONGEST_CLASS_NAME = 1000


@dataclass(frozen=True, kw_only=True)
class Card:
    """Everything beside the tensors: which network they belong to, what goes in and what comes out.

    Attributes:
        architecture: name of the network.
        variant: which of the networks of that name.
        options: what it was declared with.
        classes: name of each output, in order; none where the file has no classifier, only features.
        preprocess: from a decoded image to the network's input.
        provenance: where the weights come from (recipe, data, source file, scores): free entries, plain values. No dates, so
            that equal runs write equal files.
        licence: of the weights; None if unknown.
        calibration: temperature and thresholds, when fitted.
    """

    architecture: str
    variant: str
    options: Options
    classes: tuple[str, ...]
    preprocess: Preprocess
    provenance: Mapping[str, Any] = field(default_factory=dict)
    licence: str | None = None
    calibration: Mapping[str, Any] | None = None

    def declare(self) -> Architecture:
        """The network the weights belong to.

        Raises:
            WeightsError: this version knows no such network.
        """
        from inceptions.architecture import declare  # every paper's table: not needed to read a card

        try:
            return declare(self.architecture, self.variant, self.options)
        except InceptionsError as error:
            raise WeightsError(f"The file is for a network this version does not have: {error}") from error

    def to_json(self) -> str:
        """One line of JSON, the same for equal cards."""
        values = {
            "format_version": FORMAT_VERSION,
            "architecture": self.architecture,
            "variant": self.variant,
            "options": asdict(self.options),
            "classes": list(self.classes),
            "preprocess": self.preprocess.to_dict(),
            "provenance": dict(self.provenance),
            "licence": self.licence,
            "calibration": None if self.calibration is None else dict(self.calibration),
        }
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """The inverse of `to_json`; `where` is the file's name for the message.

        Raises:
            WeightsError: it is not JSON, entries are missing or of the wrong kind, or the format is newer than this version.
        """
        try:
            values = json.loads(text)
            version = values["format_version"]
            if version != FORMAT_VERSION:
                raise WeightsError(
                    f"{where} has format version {version!r}; this version of inceptions reads {FORMAT_VERSION}. Upgrade it."
                )
            card = cls(
                architecture=_text(values["architecture"]),
                variant=_text(values["variant"]),
                options=Options(**values["options"]),
                classes=tuple(_text(name) for name in values["classes"]),
                preprocess=Preprocess.from_dict(values["preprocess"]),
                provenance=dict(values["provenance"]),
                licence=values["licence"],
                calibration=values["calibration"],
            )
        except WeightsError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise WeightsError(f"{where} does not describe its network: {type(error).__name__} {error}.") from error
        if card.classes and len(card.classes) != card.options.num_classes:
            raise WeightsError(f"{where} names {len(card.classes)} classes for {card.options.num_classes} outputs.")
        return card


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_CLASS_NAME:
        raise TypeError(f"{str(value)[:40]!r} is not a name")
    return value
