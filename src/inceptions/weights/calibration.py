"""How sure a network is, made true on images it did not learn from; kept in the weight file's card."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

from inceptions.errors import WeightsError
from inceptions.weights.card import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Temperature and threshold of the main head, for images shown as the weight file says (one crop).

    Attributes:
        temperature: the logits are divided by it before the softmax (Guo et al. 2017). The likeliest class stays the same.
        threshold: an answer of a smaller probability is not sure; None if no threshold gives the wanted precision.
        precision_wanted: share of the sure answers that are to be right.
        precision: the share of the sure answers that were right; None without a threshold.
        coverage: share of all answers that were sure.
        images: how many it was fitted on.
        loss: mean cross-entropy on them in nats, before and after.
        calibration_error: expected calibration error (15 bins) on them, before and after.
    """

    temperature: float
    threshold: float | None
    precision_wanted: float
    precision: float | None
    coverage: float
    images: int
    loss: tuple[float, float]
    calibration_error: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the card."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, card: Card) -> Self | None:
        """The calibration that a card holds; None if it has none.

        Raises:
            WeightsError: it holds one that means nothing.
        """
        if card.calibration is None:
            return None
        try:
            values = dict(card.calibration)
            loss, error = values.pop("loss"), values.pop("calibration_error")
            found = cls(**values, loss=(loss[0], loss[1]), calibration_error=(error[0], error[1]))
            sound = math.isfinite(found.temperature) and found.temperature > 0
            sound = sound and (found.threshold is None or 0 <= found.threshold <= 1)
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise WeightsError(f"The weights' calibration cannot be read ({error!r}). Fit it again: --calibrate.") from error
        if not sound:
            raise WeightsError(f"The weights' calibration means nothing: {dict(card.calibration)}. Fit it again: --calibrate.")
        return found
