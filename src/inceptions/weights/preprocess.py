"""What a network expects to see, as data: it travels inside the weight file, and the network never touches pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

from inceptions.errors import WeightsError

Resize = Literal["shorter_side", "exact", "squeezed", "central"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "box"]
Sampling = Literal["antialiased", "centres", "corners"]
Channels = Literal["RGB", "BGR", "L"]

# Mean and standard deviation of ImageNet's training images on the scale 0 to 1, as torchvision and most of the field use them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LARGEST_SIDE = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocess:
    """From a decoded image to the network's input.

    Attributes:
        size: (height, width) that the network sees.
        resize: "shorter_side" keeps the aspect: the shorter side becomes `resize_to`, then the centre is cropped to `size`.
            "exact" resizes the whole image to `size`, whatever its aspect. "squeezed" resizes the whole image to a square of
            `resize_to` and crops the centre (Caffe). "central" resizes the middle `fraction` of both sides to `size` (TF-slim).
        resize_to: the side in pixels before the crop; not used by "exact" and "central".
        fraction: of both sides that "central" keeps, above 0 and at most 1.
        interpolation: of the resize.
        sampling: how it reads the image. "antialiased" as Pillow does, which gives bytes. The others are bilinear between the
            four nearest pixels and not rounded: "centres" as PyTorch's `interpolate` and OpenCV, whose pixels have their
            centres at a half; "corners" as TensorFlow 1, where the corners of both images' first pixels meet.
        mean: subtracted from each channel on the scale 0 to 1.
        std: each channel is divided by it.
        channels: order of the channels, or "L" for one of luminance.

    Raises:
        WeightsError: values that contradict each other.
    """

    size: tuple[int, int]
    resize: Resize = "shorter_side"
    resize_to: int = 0
    fraction: float = 1.0
    interpolation: Interpolation = "bilinear"
    sampling: Sampling = "antialiased"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    channels: Channels = "RGB"

    def __post_init__(self) -> None:
        """Refuse what no image could be prepared with."""
        if len(self.size) != 2 or not all(isinstance(side, int) and 0 < side <= LARGEST_SIDE for side in self.size):
            raise WeightsError(f"Preprocessing: size must be (height, width) between 1 and {LARGEST_SIDE}, not {self.size!r}.")
        kinds = {"resize": Resize, "interpolation": Interpolation, "sampling": Sampling, "channels": Channels}
        for name, kind in kinds.items():
            if getattr(self, name) not in get_args(kind):
                raise WeightsError(f"Preprocessing: {name} must be one of {get_args(kind)}, not {getattr(self, name)!r}.")
        if self.sampling != "antialiased" and self.interpolation != "bilinear":
            raise WeightsError(f"Preprocessing: sampling {self.sampling!r} is bilinear, not {self.interpolation!r}.")
        if self.resize == "central" and not (isinstance(self.fraction, int | float) and 0 < self.fraction <= 1):
            raise WeightsError(f"Preprocessing: fraction must be above 0 and at most 1, not {self.fraction!r}.")
        if self.resize in ("shorter_side", "squeezed") and not max(self.size) <= self.resize_to <= LARGEST_SIDE:
            raise WeightsError(f"Preprocessing: resize_to must be at least the size {self.size}, not {self.resize_to!r}.")
        if len(self.mean) != self.num_channels or len(self.std) != self.num_channels or not self._finite():
            raise WeightsError(
                f"Preprocessing: {self.channels} needs {self.num_channels} finite means and positive deviations, "
                f"not {self.mean!r} and {self.std!r}."
            )

    def _finite(self) -> bool:
        return all(map(math.isfinite, (*self.mean, *self.std))) and min(self.std) > 0

    @classmethod
    def standard(cls, size: int, *, share: float = 0.875) -> Self:
        """The field's usual evaluation: the centre crop is `share` of the shorter side (224 of 256), ImageNet statistics."""
        return cls(size=(size, size), resize_to=round(size / share))

    @property
    def num_channels(self) -> int:
        """How many channels leave the preprocessing."""
        return 1 if self.channels == "L" else 3

    def describe(self) -> str:
        """How an image is shown to the network, in words."""
        size = "{}×{}".format(*self.size)
        how = {
            "antialiased": self.interpolation,
            "centres": f"{self.interpolation}, not antialiased",
            "corners": f"{self.interpolation} as TensorFlow 1",
        }[self.sampling]
        match self.resize:
            case "exact":
                return f"the whole image, resized to {size} ({how})"
            case "central":
                return f"the middle {self.fraction:.1%} of both sides, resized to {size} ({how})"
            case "squeezed":
                return f"one centre crop of {size} from the whole image squeezed to {self.resize_to}×{self.resize_to} ({how})"
            case "shorter_side":
                return f"one centre crop of {size} from the image resized to a shorter side of {self.resize_to} ({how})"

    def scale(self) -> str:
        """What becomes of a pixel's value, in words."""
        if {*self.mean, *self.std} == {0.5}:
            return "from -1 to 1"
        mean, std = (", ".join(f"{value:.4g}" for value in dict.fromkeys(values)) for values in (self.mean, self.std))
        return f"from 0 to 1, less {mean}, divided by {std}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON or TOML."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            WeightsError: an unknown or missing entry, or one of the wrong kind.
        """
        known = {entry.name for entry in fields(cls)}
        if extra := sorted(set(values) - known):
            raise WeightsError(f"Preprocessing: unknown entries {extra}; this file may need a newer version of inceptions.")
        try:
            tuples: dict[str, tuple[Any, ...]] = {key: tuple(values[key]) for key in ("size", "mean", "std") if key in values}
            return cls(**{**values, **tuples})
        except TypeError as error:
            raise WeightsError(f"Preprocessing cannot be read: {error}.") from error
