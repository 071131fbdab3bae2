"""How an image is shown to a network to be judged: once, in 10, 12 or 144 windows, or whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from inceptions.errors import UsageError, unknown
from inceptions.evaluate.crops import default_scales
from inceptions.weights import Preprocess
from inceptions.weights.preprocess import LARGEST_SIDE

Crops = Literal["1", "10", "12", "144", "full"]
Average = Literal["probabilities", "logits"]

WINDOWS = {"10": 10, "12": 12, "144": 36}
"""Windows at each scale, mirror images included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A published way of showing an image.

    Attributes:
        crops: "1" is what the weight file's own preprocessing says. "10", "12" and "144" are windows (`crops.crops`). "full" is
            the whole resized image in its own aspect, for the network as a fully convolutional one.
        scales: shorter sides of the resized image; () for the protocol's own (`sides`).
        size: side of what the network sees; None for the weight file's.
        average: what is averaged over the views of an image, and over models: probabilities, or logits.

    Raises:
        UsageError: values that mean nothing, or nothing together.
    """

    crops: Crops = "1"
    scales: tuple[int, ...] = ()
    size: int | None = None
    average: Average = "probabilities"

    def __post_init__(self) -> None:
        """Refuse what no image could be shown by."""
        for name, kind in {"crops": Crops, "average": Average}.items():
            if getattr(self, name) not in get_args(kind):
                raise unknown(name, str(getattr(self, name)), get_args(kind))
        if self.crops == "1" and self.scales:
            raise UsageError("A single crop is made as the weight file says; scales go with 10, 12, 144 or full crops.")
        sides = (*self.scales, *(() if self.size is None else (self.size,)))
        if any(not 0 < side <= LARGEST_SIDE for side in sides):
            raise UsageError(f"Sizes and scales lie between 1 and {LARGEST_SIDE} pixels, not {min(sides)} to {max(sides)}.")
        if self.crops == "full" and self.size is not None:
            raise UsageError("With full crops the network sees whole images, of no one size: say their scale with --scales.")

    @property
    def single(self) -> bool:
        """Whether an image has one view, so that nothing is averaged."""
        return self.crops == "1" or (self.crops == "full" and len(self.scales) < 2)

    def sized(self, preprocess: Preprocess) -> Preprocess:
        """The preprocessing at the protocol's size: the share of the image that a centre crop shows stays as it is."""
        if self.size is None:
            return preprocess
        to = round(preprocess.resize_to * self.size / max(preprocess.size))
        return replace(preprocess, size=(self.size, self.size), resize_to=to)

    def sides(self, preprocess: Preprocess) -> tuple[int, ...]:
        """The shorter sides of the resized image: those named, GoogLeNet's four for 144 crops, else the first of them.

        A whole image gets the shorter side that the weight file resizes to before its centre crop.

        Args:
            preprocess: of the weights.

        Raises:
            UsageError: windows would not be square, or larger than the resized image.
        """
        preprocess = self.sized(preprocess)
        height, width = preprocess.size
        if height != width:
            raise UsageError(
                f"These weights see {height}×{width} pixels, but windows are squares: name the side of one with --size."
            )
        usual = default_scales(height)
        if self.crops == "full" and preprocess.resize == "shorter_side":
            usual = (preprocess.resize_to,)
        sides = self.scales or (usual if self.crops == "144" else usual[:1])
        if self.crops != "full" and min(sides) < height:
            raise UsageError(
                f"A window of {height} pixels does not fit into an image whose shorter side is {min(sides)}: "
                "name larger --scales or a smaller --size."
            )
        return sides

    def views(self, preprocess: Preprocess) -> int:
        """How many times an image is shown.

        Raises:
            UsageError: as `sides`.
        """
        return 1 if self.crops == "1" else WINDOWS.get(self.crops, 1) * len(self.sides(preprocess))

    def describe(self, preprocess: Preprocess) -> str:
        """In words.

        Raises:
            UsageError: as `sides`.
        """
        sized = self.sized(preprocess)
        if self.crops == "1":
            shown = sized.describe()
            return shown if "crop" in shown else f"{shown}, seen once"
        scales = ", ".join(map(str, self.sides(preprocess)))
        if self.crops == "full":
            said = f"the whole image, its shorter side resized to {scales}"
        else:
            said = f"{self.views(preprocess)} crops of {sized.size[0]}×{sized.size[0]} from a shorter side of {scales}"
        return said if self.single else f"{said}; mean of {self.average}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "scales": list(self.scales)}


def protocols(crops: str, *, scales: str = "", size: int | None = None, average: str = "probabilities") -> list[Protocol]:
    """Protocols as they are named on a command line.

    Args:
        crops: one of "1", "10", "12", "144" and "full", or several with commas between them.
        scales: whole numbers with commas between them; for those of the protocols that have scales. "" for their own.
        size: as for `Protocol`; a whole image has none.
        average: as for `Protocol`.

    Raises:
        UsageError: something that means nothing, or is named twice.
    """
    names = [name.strip() for name in crops.split(",")]
    if len(set(names)) < len(names):
        raise UsageError(f"--crops {crops} names a protocol twice.")
    sides = whole_numbers("--scales", scales)
    several = len(names) > 1
    return [
        Protocol(
            crops=name,  # type: ignore[arg-type]  # Protocol refuses what is none
            scales=() if several and name == "1" else sides,
            size=None if several and name == "full" else size,
            average=average,  # type: ignore[arg-type]
        )
        for name in names
    ]


def whole_numbers(what: str, text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them; () for an empty text.

    Raises:
        UsageError: something else.
    """
    try:
        return tuple(int(number) for number in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"{what} takes whole numbers with commas between them, as 256,288; not {text!r}.") from None


def numbers(what: str, text: str) -> tuple[float, ...]:
    """The same with numbers of any kind.

    Raises:
        UsageError: something else.
    """
    try:
        return tuple(float(number) for number in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"{what} takes numbers with commas between them, as 1,1,2; not {text!r}.") from None
