from __future__ import annotations

import pytest

from inceptions.errors import UsageError
from inceptions.evaluate.protocol import Protocol, numbers, protocols
from inceptions.weights import Preprocess

AT_224 = Preprocess.standard(224)


def test_how_often_an_image_is_shown() -> None:
    counts = {crops: Protocol(crops=crops).views(AT_224) for crops in ("1", "10", "12", "144", "full")}
    assert counts == {"1": 1, "10": 10, "12": 12, "144": 144, "full": 1}
    assert Protocol(crops="10", scales=(256, 288)).views(AT_224) == 20
    assert Protocol(crops="full", scales=(256, 288)).views(AT_224) == 2


def test_sides() -> None:
    assert Protocol(crops="144").sides(AT_224) == (256, 288, 320, 352)
    assert Protocol(crops="144", size=299).sides(AT_224) == (342, 384, 427, 470)
    assert Protocol(crops="10").sides(Preprocess.standard(299)) == (342,)
    assert Protocol(crops="full").sides(Preprocess(size=(224, 224), resize_to=300)) == (300,)
    assert Protocol(crops="full").sides(Preprocess(size=(224, 224), resize="exact")) == (256,)


@pytest.mark.parametrize("resize", ["shorter_side", "exact", "central", "squeezed"])
def test_another_size_shows_the_same_share(resize: str) -> None:
    before = Preprocess(size=(224, 224), resize=resize, resize_to=256, fraction=0.875)
    after = Protocol(size=112).sized(before)
    assert (after.size, after.resize_to) == ((112, 112), 128)
    assert Protocol().sized(before) is before


def test_in_words() -> None:
    assert (
        Protocol().describe(AT_224) == "one centre crop of 224×224 from the image resized to a shorter side of 256 (bilinear)"
    )
    whole = Preprocess(size=(64, 64), resize="exact")
    assert Protocol().describe(whole) == "the whole image, resized to 64×64 (bilinear), seen once"
    said = Protocol(crops="144").describe(AT_224)
    assert said == "144 crops of 224×224 from a shorter side of 256, 288, 320, 352; mean of probabilities"
    assert Protocol(crops="full").describe(AT_224) == "the whole image, its shorter side resized to 256"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"crops": "11"}, "Unknown crops '11'"),
        ({"average": "votes"}, "Unknown average"),
        ({"scales": (256,)}, "single crop"),
        ({"crops": "10", "scales": (0,)}, "between 1 and"),
        ({"crops": "10", "size": 10**6}, "between 1 and"),
        ({"crops": "full", "size": 224}, "--scales"),
    ],
)
def test_what_means_nothing(options: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Protocol(**options)


def test_windows_are_squares_that_fit() -> None:
    oblong = Preprocess(size=(224, 320), resize="exact")
    for crops in ("10", "12", "144", "full"):
        with pytest.raises(UsageError, match="224×320"):
            Protocol(crops=crops).views(oblong)
    assert Protocol(crops="10", size=224).views(oblong) == 10
    assert Protocol().views(oblong) == 1
    with pytest.raises(UsageError, match="does not fit"):
        Protocol(crops="10", scales=(200,)).views(AT_224)


def test_as_words_of_a_command() -> None:
    assert protocols("1") == [Protocol()]
    several = protocols("1,10, 144,full", scales="256,288", average="logits", size=128)
    assert [one.crops for one in several] == ["1", "10", "144", "full"]
    assert [one.scales for one in several] == [(), *[(256, 288)] * 3]
    assert [one.size for one in several] == [128, 128, 128, None]
    for crops, scales in (("1,1", ""), ("10", "256;288"), ("10", "256,"), ("", ""), ("1", "256")):
        with pytest.raises(UsageError):
            protocols(crops, scales=scales)
    assert numbers("--votes", "1,0.5") == (1.0, 0.5)
    with pytest.raises(UsageError, match="--votes takes numbers"):
        numbers("--votes", "one")
