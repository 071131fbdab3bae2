"""The layers of Keras's `InceptionV3` and `InceptionResNetV2` (keras.applications).

Keras numbers its layers anew in every process ("conv2d_94" may be the first one), so only their rank counts: here "conv2d/0" is
the first convolution that was made, with "batch_normalization/0" behind it. Keras makes them in the order of our units.
"""

from __future__ import annotations

from itertools import count

from inceptions.architecture import Architecture
from inceptions.weights.names import Place, Translation, keras_names, units


def inception_v3(architecture: Architecture) -> Translation:
    """The map for `inception_v3/tensorflow` without its auxiliary head, which Keras does not have."""
    return _ranked(architecture, {"main.logits": Place("predictions")})


def inception_resnet_v2(architecture: Architecture) -> Translation:
    """The map for `inception_resnet_v2/released` without its auxiliary head. The projections of the blocks have names there."""
    named = {"main.logits": Place("predictions"), "conv_7b": Place("conv_7b", "conv_7b_bn")}
    named |= {path: Place(f"{path.removesuffix('.up')}_conv") for path, _ in units(architecture) if path.endswith(".up")}
    return _ranked(architecture, named)


def _ranked(architecture: Architecture, named: dict[str, Place]) -> Translation:
    rank = count()
    places = dict(named)
    for path, _ in units(architecture):
        if path not in places:
            i = next(rank)
            places[path] = Place(f"conv2d/{i}", f"batch_normalization/{i}")
    return keras_names(architecture, places.__getitem__)
