"""The few ways in which publishers feed their networks."""

from __future__ import annotations

from dataclasses import replace

from inceptions.weights.preprocess import Interpolation, Preprocess, Sampling

HALF = (0.5, 0.5, 0.5)


def centre(
    size: int,
    shorter: int,
    interpolation: Interpolation = "bilinear",
    mean: tuple[float, float, float] = HALF,
    std: tuple[float, float, float] = HALF,
) -> Preprocess:
    """The shorter side resized, the centre cut out."""
    return Preprocess(size=(size, size), resize_to=shorter, interpolation=interpolation, mean=mean, std=std)


def caffe() -> Preprocess:
    """The whole image squeezed to 256×256; bytes in the order BGR, a mean subtracted from each, not scaled."""
    mean = (104 / 255, 117 / 255, 123 / 255)
    return Preprocess(
        size=(224, 224),
        resize="squeezed",
        resize_to=256,
        sampling="centres",
        mean=mean,
        std=(1 / 255,) * 3,
        channels="BGR",
    )


def cadene() -> Preprocess:
    """Cadene's bninception: a centre crop, bytes in the order BGR; the red of its mean is not Caffe's."""
    means = (104 / 255, 117 / 255, 128 / 255)
    return replace(centre(224, 256, mean=means, std=(1 / 255,) * 3), channels="BGR")


def slim(size: int) -> Preprocess:
    """The middle 87.5 % of both sides, squeezed to the size as TensorFlow 1 does."""
    return Preprocess(size=(size, size), resize="central", fraction=0.875, sampling="corners", mean=HALF, std=HALF)


def whole(size: int, mean: float, std: float, sampling: Sampling = "antialiased") -> Preprocess:
    """The whole image resized to a square, one mean and deviation for all channels."""
    return Preprocess(size=(size, size), resize="exact", sampling=sampling, mean=(mean,) * 3, std=(std,) * 3)
