"""The scopes of TF-slim's variables (`tf_slim.nets`, `research/slim/nets`): inception_v1 to _v4 and inception_resnet_v2;
facenet's Inception-ResNet-v1, which follows them; and the older names of Inception-v3 (`research/inception`).

Slim's names are not quite regular; what looks like a misprint here (a 5x5 called 1x1, a letter skipped) is one of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inceptions.architecture import Architecture
from inceptions.weights.families.names import Place, Translation, google_names, units_of

PROJ = "Branch_3/Conv2d_0b_1x1"


def branch(number: int, *layers: str) -> tuple[str, ...]:
    """The scopes of a branch's convolutions: "0b_3x3" is short for "Conv2d_0b_3x3"."""
    return tuple(f"Branch_{number}/{layer if layer.startswith('Conv') else f'Conv2d_{layer}'}" for layer in layers)


FIRST = branch(0, "0a_1x1")

# Google's modules are a letter ahead of the paper's, whose 3a and 3b they call 3b and 3c.
V1 = {
    **{f"inception_{ours}": f"Mixed_{theirs}" for ours, theirs in zip(("3a", "3b"), ("3b", "3c"), strict=True)},
    **{f"inception_4{ours}": f"Mixed_4{theirs}" for ours, theirs in zip("abcde", "bcdef", strict=True)},
    **{f"inception_5{ours}": f"Mixed_5{theirs}" for ours, theirs in zip("ab", "bc", strict=True)},
}
V1_MODULE = (*FIRST, *branch(1, "0a_1x1", "0b_3x3"), *branch(2, "0a_1x1", "0b_3x3"), PROJ)
V1_5B = (*FIRST, *branch(1, "0a_1x1", "0b_3x3"), *branch(2, "0a_1x1", "0a_3x3"), PROJ)
V1_STEM = {"conv_1": "Conv2d_1a_7x7", "conv_2_reduce": "Conv2d_2b_1x1", "conv_2": "Conv2d_2c_3x3"}

V2 = dict(
    zip(
        (f"inception_{name}" for name in ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b")),
        (f"Mixed_{name}" for name in ("3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b", "5c")),
        strict=True,
    )
)
V2_MODULE = (*FIRST, *branch(1, "0a_1x1", "0b_3x3"), *branch(2, "0a_1x1", "0b_3x3", "0c_3x3"), PROJ)
V2_REDUCTION = (*branch(0, "0a_1x1", "1a_3x3"), *branch(1, "0a_1x1", "0b_3x3", "1a_3x3"))

V3_STEM = {
    "conv_1a": "Conv2d_1a_3x3",
    "conv_2a": "Conv2d_2a_3x3",
    "conv_2b": "Conv2d_2b_3x3",
    "conv_3b": "Conv2d_3b_1x1",
    "conv_4a": "Conv2d_4a_3x3",
}
DOUBLE = branch(2, "0a_1x1", "0b_3x3", "0c_3x3")
V3_35 = (*FIRST, *branch(1, "0a_1x1", "0b_5x5"), *DOUBLE, PROJ)
V3_17 = (
    *FIRST,
    *branch(1, "0a_1x1", "0b_1x7", "0c_7x1"),
    *branch(2, "0a_1x1", "0b_7x1", "0c_1x7", "0d_7x1", "0e_1x7"),
    PROJ,
)
V3_8_END = (*branch(2, "0a_1x1", "0b_3x3", "0c_1x3", "0d_3x1"), PROJ)
REDUCTION_8 = (*branch(0, "0a_1x1", "1a_3x3"), *branch(1, "0a_1x1", "0b_1x7", "0c_7x1", "1a_3x3"))
V3 = {
    "mixed_5b": V3_35,
    "mixed_5c": (*FIRST, *branch(1, "0b_1x1", "Conv_1_0c_5x5"), *DOUBLE, PROJ),
    "mixed_5d": V3_35,
    "mixed_6a": (*branch(0, "1a_1x1"), *branch(1, "0a_1x1", "0b_3x3", "1a_1x1")),
    **dict.fromkeys(("mixed_6b", "mixed_6c", "mixed_6d", "mixed_6e"), V3_17),
    "mixed_7a": REDUCTION_8,
    "mixed_7b": (*FIRST, *branch(1, "0a_1x1", "0b_1x3", "0b_3x1"), *V3_8_END),
    "mixed_7c": (*FIRST, *branch(1, "0a_1x1", "0b_1x3", "0c_3x1"), *V3_8_END),
}

V4_35 = (*FIRST, *branch(1, "0a_1x1", "0b_3x3"), *DOUBLE, PROJ)
V4_8 = (
    *FIRST,
    *branch(1, "0a_1x1", "0b_1x3", "0c_3x1"),
    *branch(2, "0a_1x1", "0b_3x1", "0c_1x3", "0d_1x3", "0e_3x1"),
    PROJ,
)
REDUCTION_17 = (*branch(0, "1a_3x3"), *branch(1, "0a_1x1", "0b_3x3", "1a_3x3"))
V4 = {
    "mixed_3a": branch(1, "0a_3x3"),
    "mixed_4a": (*branch(0, "0a_1x1", "1a_3x3"), *branch(1, "0a_1x1", "0b_1x7", "0c_7x1", "1a_3x3")),
    "mixed_5a": branch(0, "1a_3x3"),
    **dict.fromkeys(("mixed_5b", "mixed_5c", "mixed_5d", "mixed_5e"), V4_35),
    "mixed_6a": REDUCTION_17,
    **{f"mixed_6{letter}": V3_17 for letter in "bcdefgh"},
    "mixed_7a": REDUCTION_8,
    **dict.fromkeys(("mixed_7b", "mixed_7c", "mixed_7d"), V4_8),
}

UP = "Conv2d_1x1"
RESNET = {
    "mixed_5b": (*branch(0, "1x1"), *branch(1, "0a_1x1", "0b_5x5"), *DOUBLE, PROJ),
    "mixed_6a": REDUCTION_17,
    "mixed_7a": (
        *branch(0, "0a_1x1", "1a_3x3"),
        *branch(1, "0a_1x1", "1a_3x3"),
        *branch(2, "0a_1x1", "0b_3x3", "1a_3x3"),
    ),
    "block35": (*branch(0, "1x1"), *branch(1, "0a_1x1", "0b_3x3"), *DOUBLE, UP),
    "block17": (*branch(0, "1x1"), *branch(1, "0a_1x1", "0b_1x7", "0c_7x1"), UP),
    "block8": (*branch(0, "1x1"), *branch(1, "0a_1x1", "0b_1x3", "0c_3x1"), UP),
}
REPEATS = {"block35": "Repeat", "block17": "Repeat_1", "block8": "Repeat_2"}


def inception_v1(architecture: Architecture) -> Translation:
    """The map for `googlenet/slim`, which has no auxiliary heads there."""
    places = {path: f"InceptionV1/{scope}" for path, scope in V1_STEM.items()}
    for ours, theirs in V1.items():
        scopes = V1_5B if theirs == "Mixed_5b" else V1_MODULE
        places |= _module(architecture, ours, f"InceptionV1/{theirs}", scopes)
    return _named(architecture, places | {"main.logits": "InceptionV1/Logits/Conv2d_0c_1x1"})


def inception_v2(architecture: Architecture) -> Translation:
    """The map for `bn_inception/slim`, whose separable first layer has a bias and no batch norm."""
    places = {path: f"InceptionV2/{scope}" for path, scope in V1_STEM.items()}
    for ours, theirs in V2.items():
        scopes = V2_REDUCTION if theirs in ("Mixed_4a", "Mixed_5a") else V2_MODULE
        places |= _module(architecture, ours, f"InceptionV2/{theirs}", scopes)
    return _named(architecture, places | {"main.logits": "InceptionV2/Logits/Conv2d_1c_1x1"})


def inception_v3(architecture: Architecture) -> Translation:
    """The map for `inception_v3/tensorflow` with its auxiliary head or without."""
    places = {path: f"InceptionV3/{scope}" for path, scope in V3_STEM.items()}
    for ours, scopes in V3.items():
        places |= _module(architecture, ours, f"InceptionV3/{ours.capitalize()}", scopes)
    heads = {
        "aux_6e.1x1": "InceptionV3/AuxLogits/Conv2d_1b_1x1",
        "aux_6e.5x5": "InceptionV3/AuxLogits/Conv2d_2a_5x5",
        "aux_6e.logits": "InceptionV3/AuxLogits/Conv2d_2b_1x1",
        "main.logits": "InceptionV3/Logits/Conv2d_1c_1x1",
    }
    return _named(architecture, places | heads)


def inception_v4(architecture: Architecture) -> Translation:
    """The map for `inception_v4/released` with its auxiliary head or without."""
    places = {f"conv_{name}": f"InceptionV4/Conv2d_{name}_3x3" for name in ("1a", "2a", "2b")}
    for ours, scopes in V4.items():
        places |= _module(architecture, ours, f"InceptionV4/{ours.capitalize()}", scopes)
    heads = {
        "aux_6h.1x1": "InceptionV4/AuxLogits/Conv2d_1b_1x1",
        "aux_6h.5x5": "InceptionV4/AuxLogits/Conv2d_2a",
        "aux_6h.logits": "InceptionV4/AuxLogits/Aux_logits",
        "main.logits": "InceptionV4/Logits/Logits",
    }
    return _named(architecture, places | heads, dense=True)


def inception_resnet_v2(architecture: Architecture) -> Translation:
    """The map for `inception_resnet_v2/released` with its auxiliary head or without."""
    scope = "InceptionResnetV2"
    places = _residual(architecture, scope, V3_STEM | {"conv_7b": "Conv2d_7b_1x1"})
    aux = next((head.name for head in architecture.heads if head.name != "main"), "aux")
    heads = {
        f"{aux}.1x1": f"{scope}/AuxLogits/Conv2d_1b_1x1",
        f"{aux}.5x5": f"{scope}/AuxLogits/Conv2d_2a_5x5",
        f"{aux}.logits": f"{scope}/AuxLogits/Logits",
        "main.logits": f"{scope}/Logits/Logits",
    }
    return _named(architecture, places | heads, dense=True)


def facenet(architecture: Architecture) -> Translation:
    """The map for `inception_resnet_v1/facenet` in the TensorFlow original, whose classifier stands outside the scope."""
    scope = "InceptionResnetV1"
    places = _residual(architecture, scope, V3_STEM | {"conv_4b": "Conv2d_4b_3x3"})
    return _named(architecture, places | {"bottleneck.fc": f"{scope}/Bottleneck", "main.logits": "Logits"}, dense=True)


OLD_MODULES = {
    "mixed_5b": "mixed_35x35x256a",
    "mixed_5c": "mixed_35x35x288a",
    "mixed_5d": "mixed_35x35x288b",
    **{f"mixed_6{letter}": f"mixed_17x17x768{letter}" for letter in "abcde"},
    "mixed_7a": "mixed_8x8x1280a",
    "mixed_7b": "mixed_8x8x2048a",
    "mixed_7c": "mixed_8x8x2048b",
}
# By branch: its scope and how many convolutions it has.
OLD_BRANCHES = {
    "5": (("branch1x1", 1), ("branch5x5", 2), ("branch3x3dbl", 3), ("branch_pool", 1)),
    "6a": (("branch3x3", 1), ("branch3x3dbl", 3)),
    "6": (("branch1x1", 1), ("branch7x7", 3), ("branch7x7dbl", 5), ("branch_pool", 1)),
    "7a": (("branch3x3", 2), ("branch7x7x3", 4)),
    "7": (("branch1x1", 1), ("branch3x3", 3), ("branch3x3dbl", 4), ("branch_pool", 1)),
}


def inception_v3_old(architecture: Architecture) -> Translation:
    """The map for `inception_v3/tensorflow` under the names of `research/inception`, which came before TF-slim's."""
    places = {path: f"conv{i}" for i, path in enumerate(V3_STEM)}
    for ours, theirs in OLD_MODULES.items():
        name = ours.removeprefix("mixed_")
        branches = OLD_BRANCHES[name if name in OLD_BRANCHES else name[0]]
        scopes = [f"{where}/{'Conv' if i == 0 else f'Conv_{i}'}" for where, count in branches for i in range(count)]
        places |= _module(architecture, ours, theirs, scopes)
    heads = {
        "aux_6e.1x1": "aux_logits/proj",
        "aux_6e.5x5": "aux_logits/Conv",
        "aux_6e.logits": "aux_logits/FC",
        "main.logits": "logits/logits",
    }
    return _named(architecture, places | heads, dense=True)


def _residual(architecture: Architecture, scope: str, stem: Mapping[str, str]) -> dict[str, str]:
    places = {path: f"{scope}/{where}" for path, where in stem.items()}
    blocks = [tap for tap in architecture.taps if tap.startswith("block8")]
    for tap in architecture.taps:
        kind, _, number = tap.partition("_")
        if tap in RESNET:
            places |= _module(architecture, tap, f"{scope}/{tap.capitalize()}", RESNET[tap])
        elif kind in RESNET:
            where = "Block8" if tap == blocks[-1] else f"{REPEATS[kind]}/{kind}_{number}"
            places |= _module(architecture, tap, f"{scope}/{where}", RESNET[kind])
    return places


def _module(architecture: Architecture, ours: str, theirs: str, scopes: Iterable[str]) -> dict[str, str]:
    return {path: f"{theirs}/{scope}" for path, scope in zip(units_of(architecture, ours), scopes, strict=True)}


def _named(architecture: Architecture, places: Mapping[str, str], *, dense: bool = False) -> Translation:
    """Whether the classifier is a dense layer there, or a convolution of 1x1."""

    def place(path: str) -> Place:
        return Place(places[path], f"{places[path]}/BatchNorm")

    return google_names(architecture, place, weight="weights", bias="biases", matrix="io" if dense else "1x1io")
