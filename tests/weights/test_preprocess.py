"""What a network expects to see: every published way can be said, and old files still mean what they meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from inceptions.errors import UsageError, WeightsError
from inceptions.weights import Preprocess
from inceptions.weights.published.catalogue import PUBLISHED
from inceptions.weights.styles import STYLES, preprocess_of

# As written before `fraction` and `sampling` were known.
OLD = {
    "size": [224, 224],
    "resize": "shorter_side",
    "resize_to": 256,
    "interpolation": "bilinear",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "channels": "RGB",
}


def test_files_of_format_1_still_load() -> None:
    assert Preprocess.from_dict(OLD) == Preprocess(size=(224, 224), resize_to=256, mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sampling": "corners", "interpolation": "bicubic"}, "is bilinear, not 'bicubic'"),
        ({"resize": "central", "fraction": 0}, "fraction must be above 0"),
        ({"resize": "squeezed", "resize_to": 100}, "resize_to must be at least"),
        ({"sampling": "nonsense"}, "sampling must be one of"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(WeightsError, match=says):
        Preprocess.from_dict({**OLD, **changes})


@pytest.mark.parametrize("style", STYLES)
def test_styles_survive_the_way_through_a_file(style: str, tmp_path: Path) -> None:
    shown = preprocess_of(style, "inception_v3/torchvision", 299)
    assert shown.size == (299, 299)
    assert Preprocess.from_dict(shown.to_dict()) == shown
    assert "299×299" in shown.describe()


def test_styles_are_those_of_the_published_weights() -> None:
    tags = {"torchvision": "torchvision_in1k", "tensorflow": "slim_in1k", "keras": "keras_in1k", "fid": "pytorch_fid",
            "graph_2015": "tensorflow_2015", "caffe": "bvlc_in1k", "facenet": "facenet_vggface2"}  # fmt: skip
    for style, tag in tags.items():
        for one in PUBLISHED:
            if one.tag == tag:
                assert preprocess_of(style, one.network, one.preprocess.size[0]) == one.preprocess, one.full_name
    bninception = next(one for one in PUBLISHED if one.full_name == "bn_inception.cadene_in1k")
    assert preprocess_of("cadene", bninception.network, 224) == bninception.preprocess


def test_tags_and_files_name_a_preprocessing_too(tmp_path: Path) -> None:
    assert preprocess_of("timm_gluon_in1k", "inception_v3/torchvision", 299).mean == (0.485, 0.456, 0.406)
    toml = tmp_path / "shown.toml"
    toml.write_text('size = [299, 299]\nresize = "exact"\nsampling = "centres"\n')
    assert preprocess_of(str(toml), "inception_v3/torchvision", 299).sampling == "centres"
    (tmp_path / "bad.json").write_text("[1]")
    with pytest.raises(WeightsError, match="does not hold the fields"):
        preprocess_of(str(tmp_path / "bad.json"), "inception_v3/torchvision", 299)
    with pytest.raises(UsageError, match="no preprocessing and no file"):
        preprocess_of("torchvison", "inception_v3/torchvision", 299)
