"""Which part of an image a network sees, in the image's own pixels."""

from __future__ import annotations

from inceptions.data.showing import LONGEST_ASPECT
from inceptions.weights import Preprocess


def seen(size: tuple[int, int], preprocess: Preprocess) -> tuple[float, float, float, float]:
    """The rectangle of an image that becomes the network's input.

    Args:
        size: (width, height) of the image in pixels, as Pillow orders them.
        preprocess: how the network is shown images.

    Returns:
        (left, top, right, bottom) in pixels of the image, in general no whole ones.
    """
    spans = []
    short = min(size)
    for length, shown in zip(size, reversed(preprocess.size), strict=True):
        start, kept = 0, length
        if preprocess.resize == "shorter_side":
            # A strip is cut to its middle before it is enlarged; this is what `data.evaluation` does.
            kept = min(length, round(LONGEST_ASPECT * max(preprocess.size) / min(preprocess.size) * short))
            start = round((length - kept) / 2)
        elif preprocess.resize == "central":
            start = int((length - length * preprocess.fraction) / 2)
            kept = length - 2 * start
        match preprocess.resize:
            case "exact" | "central":
                spans.append((float(start), float(start + kept)))
                continue
            case "squeezed":
                resized = preprocess.resize_to
            case "shorter_side":
                resized = preprocess.resize_to if kept == short else int(preprocess.resize_to * kept / short)
        scale = kept / resized
        first = start + round((resized - shown) / 2) * scale
        spans.append((first, first + shown * scale))
    (left, right), (top, bottom) = spans
    return left, top, right, bottom
