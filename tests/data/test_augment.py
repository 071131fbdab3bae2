from __future__ import annotations

import pytest

from inceptions.data import Augment
from inceptions.errors import UsageError


def test_nothing_moves_or_recolours_unless_asked():
    assert not Augment().moves
    assert not Augment().recolours
    for name in ("rotation", "shift", "shear", "zoom"):
        assert Augment(**{name: 0.1}).moves
    for name in ("brightness", "contrast", "saturation"):
        assert Augment(**{name: 0.1}).recolours


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"crop": "centre"}, r"augment.crop must be one of random_resized, whole, not 'centre'"),
        ({"fill": "mirror"}, r"augment.fill must be one of nearest, constant, not 'mirror'"),
        ({"crop_scale": (0.5, 1.5)}, r"augment.crop_scale must be two rising numbers"),
        ({"crop_scale": (0.0, 1.0)}, r"augment.crop_scale must be two rising numbers"),
        ({"crop_ratio": (2.0, 1.0)}, r"augment.crop_ratio must be two rising numbers"),
        ({"rotation": -1}, r"augment.rotation must lie between 0 and 180, not -1"),
        ({"shift": 1.5}, r"augment.shift must lie between 0 and 1, not 1.5"),
        ({"zoom": 1.0}, r"augment.zoom must lie between 0 and 0.99"),
        ({"shear": 90}, r"augment.shear must lie between 0 and 89"),
        ({"brightness": float("nan")}, r"augment.brightness must lie between 0 and 1, not nan"),
        ({"hue": 0.6}, r"augment.hue must lie between 0 and 0.5"),
        ({"erase": 2}, r"augment.erase must lie between 0 and 1"),
        ({"interpolation": "cubic"}, r"augment.interpolation must be one of bilinear, random, not 'cubic'"),
        ({"colour_order": "fixed"}, r"augment.colour_order must be one of together, random"),
        ({"lighting": -1}, r"augment.lighting must lie between 0 and 1"),
        ({"magnitude": 31}, r"augment.magnitude must lie between 0 and 30"),
        ({"mixup": -0.1}, r"augment.mixup must lie between 0 and 100"),
    ],
)
def test_values_out_of_range_are_named(values, said):
    with pytest.raises(UsageError, match=said):
        Augment(**values)
