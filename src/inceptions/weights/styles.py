"""The ways in which images were shown to published networks, by name."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from inceptions.errors import UsageError, WeightsError
from inceptions.weights.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from inceptions.weights.published.catalogue import published
from inceptions.weights.published.inputs import cadene, caffe, centre, slim, whole

LONGEST_FILE = 2**20


def rounded_up(size: int) -> int:
    """The shorter side of which a crop of `size` is 87.5 %: 256 for 224, 342 for 299."""
    return -(-size * 8 // 7)


STYLES: dict[str, tuple[Callable[[int], Preprocess], str]] = {
    "torchvision": (
        lambda size: centre(size, rounded_up(size)),
        "centre crop, bilinear, -1 to 1: its published weights, with transform_input",
    ),
    "imagenet": (
        lambda size: centre(size, rounded_up(size), mean=IMAGENET_MEAN, std=IMAGENET_STD),
        "centre crop, bilinear, ImageNet's mean and deviation: without transform_input",
    ),
    "timm": (
        lambda size: centre(size, size * 8 // 7, "bicubic"),
        "centre crop, bicubic, -1 to 1: timm's weights from TensorFlow",
    ),
    "tensorflow": (slim, "the middle 87.5 % of both sides, TensorFlow's bilinear, -1 to 1: TF-slim"),
    "keras": (lambda size: whole(size, 0.5, 0.5), "the whole image, bilinear, -1 to 1: preprocess_input of keras.applications"),
    "caffe": (
        lambda size: replace(caffe(), size=(size, size), resize_to=rounded_up(size)),
        "squeezed to a square, centre crop, bytes in BGR less 104, 117, 123: BVLC, lim0606",
    ),
    "cadene": (
        lambda size: replace(cadene(), size=(size, size), resize_to=rounded_up(size)),
        "centre crop, bytes in BGR less 104, 117, 128: bninception",
    ),
    "facenet": (lambda size: whole(size, 127.5 / 255, 128 / 255), "the whole image (a face cut out), (x - 127.5) / 128"),
    "fid": (
        lambda size: whole(size, 0.5, 0.5, "centres"),
        "the whole image, bilinear without antialiasing, -1 to 1: pytorch-fid",
    ),
    "graph_2015": (
        lambda size: whole(size, 128 / 255, 128 / 255, "corners"),
        "the whole image, TensorFlow's bilinear, (x - 128) / 128",
    ),
}
"""By name: from the side of the input in pixels to the preprocessing, and what it is in words."""


def preprocess_of(asked: str, network: str, size: int) -> Preprocess:
    """The preprocessing that somebody names.

    Args:
        asked: a style ("torchvision", "timm", ...), the tag of published weights of the network ("timm_gluon_in1k"), or a JSON
            or TOML file with the fields of `Preprocess`.
        network: "name/variant".
        size: side of the network's published input in pixels.

    Raises:
        UsageError: it is none of these.
        WeightsError: the file does not describe a preprocessing.
    """
    if asked in STYLES:
        return STYLES[asked][0](size)
    known = {one.tag: one.preprocess for one in published(network.partition("/")[0])}
    if asked in known:
        return known[asked]
    path = Path(asked)
    if path.is_file():
        return Preprocess.from_dict(_values(path))
    raise UsageError(
        f"{asked!r} is no preprocessing and no file. Known: {', '.join(STYLES)}, the tags of published weights "
        f"({', '.join(known) or 'none'}), or a JSON or TOML file with size, resize, mean, std, ..."
    )


def _values(path: Path) -> Mapping[str, object]:
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise WeightsError(f"{path} is too long to be a preprocessing.")
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (ValueError, RecursionError, OSError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path} cannot be read as {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}.") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{path} does not hold the fields of a preprocessing.")
    return values
