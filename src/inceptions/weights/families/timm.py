"""The names of timm's state dicts for Inception-v4 and Inception-ResNet-v2 (timm 1.0), which Cadene's networks share but for
the classifier's. The Inception-v3 of timm has torchvision's names.
"""

from __future__ import annotations

from collections.abc import Iterator

from inceptions.architecture import Architecture
from inceptions.weights.families.names import Place, Translation, torch_names, unit, units_of


def inception_v4(architecture: Architecture, classifier: str = "last_linear") -> Translation:
    """The map for `inception_v4/released` without its auxiliary head, which timm dropped."""
    # timm numbers the trunk's modules; its pools before 3a and 5a are inside these modules, as ours are.
    numbers = {name: f"features.{i}" for i, name in enumerate(architecture.taps)}
    inside = {
        path: place
        for name in architecture.taps
        for path, place in zip(units_of(architecture, name), _v4_module(name), strict=True)
    }

    def place(path: str) -> Place:
        if path == "main.logits":
            return Place(classifier)
        return unit(numbers[path.partition(".")[0]] + inside[path])

    return torch_names(architecture, place)


def _v4_module(name: str) -> tuple[str, ...]:
    """Their names of a module's layers below its number, in the order of our units."""
    if name.startswith("conv"):
        return ("",)
    match name.removeprefix("mixed_"):
        case "3a" | "5a":
            return (".conv",)
        case "4a":
            return (*_branch(".branch0", 2), *_branch(".branch1", 4))
        case "5b" | "5c" | "5d" | "5e":
            return (".branch0", *_branch(".branch1", 2), *_branch(".branch2", 3), ".branch3.1")
        case "6a":
            return (".branch0", *_branch(".branch1", 3))
        case "7a":
            return (*_branch(".branch0", 2), *_branch(".branch1", 4))
        case stage if stage.startswith("6"):
            return (".branch0", *_branch(".branch1", 3), *_branch(".branch2", 5), ".branch3.1")
        case _:
            second = (".branch1_0", ".branch1_1a", ".branch1_1b")
            third = (".branch2_0", ".branch2_1", ".branch2_2", ".branch2_3a", ".branch2_3b")
            return (".branch0", *second, *third, ".branch3.1")


RESNET_STEM = {
    "conv_1a": "conv2d_1a",
    "conv_2a": "conv2d_2a",
    "conv_2b": "conv2d_2b",
    "conv_3b": "conv2d_3b",
    "conv_4a": "conv2d_4a",
    "conv_7b": "conv2d_7b",
}
RESNET_MODULES = {
    "mixed_5b": (".branch0", *(f".branch1.{i}" for i in range(2)), *(f".branch2.{i}" for i in range(3)), ".branch3.1"),
    "mixed_6a": (".branch0", *(f".branch1.{i}" for i in range(3))),
    "mixed_7a": (*(f".branch{b}.{i}" for b in range(2) for i in range(2)), *(f".branch2.{i}" for i in range(3))),
    "block35": (".branch0", *(f".branch1.{i}" for i in range(2)), *(f".branch2.{i}" for i in range(3)), ".conv2d"),
    "block17": (".branch0", *(f".branch1.{i}" for i in range(3)), ".conv2d"),
    "block8": (".branch0", *(f".branch1.{i}" for i in range(3)), ".conv2d"),
}
RESNET_REPEATS = {"block35": "repeat", "block17": "repeat_1", "block8": "repeat_2"}


def inception_resnet_v2(architecture: Architecture, classifier: str = "classif") -> Translation:
    """The map for `inception_resnet_v2/released` without its auxiliary head. Cadene's classifier is called "last_linear"."""
    return residual_names(architecture, RESNET_STEM, RESNET_MODULES, RESNET_REPEATS, {"main.logits": Place(classifier)})


def residual_names(
    architecture: Architecture,
    stem: dict[str, str],
    modules: dict[str, tuple[str, ...]],
    repeats: dict[str, str],
    heads: dict[str, Place],
) -> Translation:
    """The map for an Inception-ResNet whose blocks are lists, with a last block8 of its own.

    Args:
        architecture: the network.
        stem: our names of single convolutions to theirs.
        modules: their names of the layers in each kind of module, in the order of our units.
        repeats: their name of each list of blocks.
        heads: places of the layers behind the trunk.
    """
    places = dict(heads)
    blocks = [tap for tap in architecture.taps if tap.startswith("block8")]
    last = blocks[-1] if blocks else ""
    for name in architecture.taps:
        paths = units_of(architecture, name)
        if name in stem:
            places[name] = unit(stem[name])
        elif name.startswith("block"):
            kind, _, number = name.partition("_")
            theirs = "block8" if name == last else f"{repeats[kind]}.{int(number) - 1}"
            # The projection back to the trunk is a bare convolution with a bias.
            *body, up = (theirs + layer for layer in modules[kind])
            places |= dict(zip(paths, [*map(unit, body), Place(up)], strict=True))
        elif name in modules:
            places |= dict(zip(paths, [unit(name + layer) for layer in modules[name]], strict=True))
    return torch_names(architecture, places.__getitem__)


def _branch(name: str, layers: int) -> Iterator[str]:
    return (f"{name}.{i}" for i in range(layers))
