"""What an exported file says about itself: its network's card, and what goes in and comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, get_args

from inceptions.deploy.engines.engine import Precision
from inceptions.errors import WeightsError
from inceptions.weights.card import Card

CARD, EXPORT = "inceptions", "inceptions_export"
"""Names of the two entries in a file's metadata, JSON both; the first is the card as in our weight files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The description of an exported network.

    Attributes:
        card: architecture, classes, preprocessing, provenance, licence, calibration.
        precision: what its weights are kept in and what it is to be computed in.
        pixels: whether it takes uint8 pixels `[batch, height, width, channels]` (RGB, or one of luminance), as the card's
            preprocessing shows them after resizing and cropping. Otherwise it takes float32 `[batch, channels, height, width]`
            in the preprocessing's order and scale: (pixel / 255 - mean) / std.
        heads: whose logits come out, in this order.
    """

    card: Card
    precision: Precision
    pixels: bool
    heads: tuple[str, ...]

    def to_metadata(self) -> dict[str, str]:
        """The entries for a file's metadata."""
        height, width = self.card.preprocess.size
        channels = self.card.preprocess.num_channels
        entry = (
            ["uint8", ["batch", height, width, channels]] if self.pixels else ["float32", ["batch", channels, height, width]]
        )
        values = {
            "precision": self.precision,
            "pixels": self.pixels,
            "heads": list(self.heads),
            # For people who run the file with something else.
            "input": entry,
            "shown": f"{self.card.preprocess.describe()}; {self.card.preprocess.scale()}",
        }
        return {CARD: self.card.to_json(), EXPORT: json.dumps(values, ensure_ascii=False, separators=(",", ":"))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], where: Path) -> Self:
        """The inverse of `to_metadata`.

        Raises:
            WeightsError: the entries are missing, or mean nothing.
        """
        if CARD not in metadata or EXPORT not in metadata:
            raise WeightsError(
                f"{where} was not exported by inceptions: it does not say what its classes are and how images are shown to it. "
                "Export the weights it was made of with `inceptions export`."
            )
        card = Card.from_json(metadata[CARD], str(where))
        try:
            values = json.loads(metadata[EXPORT])
            precision, pixels, heads = values["precision"], values["pixels"], tuple(values["heads"])
            named = isinstance(values["heads"], list) and all(isinstance(head, str) for head in heads)
            if precision not in get_args(Precision) or not isinstance(pixels, bool) or not heads or not named:
                raise ValueError(f"{precision!r}, {pixels!r}, {heads!r}")
        except (ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{where} does not say how it is run ({error}). Export it again.") from error
        return cls(card=card, precision=precision, pixels=pixels, heads=heads)
