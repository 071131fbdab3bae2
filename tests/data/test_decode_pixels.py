"""The pixels that training decodes on the short way are those that `decode` finds, bit for bit."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torchvision.io
from PIL import ExifTags, Image

from inceptions.data import decode, find_images
from inceptions.data.decode import ImageError, decode_pixels

FORMS = {
    "plain": {},
    "progressive": {"progressive": True},
    "full colours": {"subsampling": "4:4:4"},
    "half colours": {"subsampling": "4:2:2"},
    "coarse": {"quality": 5},
    "restarts": {"restart_marker_blocks": 2},
}


def picture(mode: str = "RGB", width: int = 90, height: int = 61) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def saved(image: Image.Image, form: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return saved(picture(), exif=exif)


def found(pixels: Callable[[Path | bytes], object], source: Path | bytes) -> bytes | str:
    """The pixels, or why there are none."""
    try:
        return np.asarray(pixels(source)).tobytes()
    except ImageError as error:
        return str(error)


def same(source: Path | bytes) -> bytes | str:
    expected = found(decode, source)
    assert found(decode_pixels, source) == expected, source
    return expected


@pytest.fixture
def straight(monkeypatch) -> list[int]:
    """How many bytes torchvision was given, call by call."""
    taken = []
    real = torchvision.io.decode_jpeg

    def spy(content, **options):
        taken.append(len(content))
        return real(content, **options)

    monkeypatch.setattr(torchvision.io, "decode_jpeg", spy)
    return taken


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_plain_jpegs_are_decoded_straight_into_an_array(form, mode, straight):
    content = saved(picture(mode), **FORMS[form])
    pixels = decode_pixels(content)
    assert straight == [len(content)]
    assert (pixels.dtype, pixels.shape) == (np.uint8, (61, 90, 3))
    assert np.array_equal(pixels, np.asarray(decode(content)))


def test_the_first_of_several_jpegs_in_a_file_counts(straight):
    content = saved(picture(), "MPO", save_all=True, append_images=[picture().rotate(90)])
    assert np.array_equal(decode_pixels(content), np.asarray(decode(content)))
    assert straight


@pytest.mark.parametrize(
    "content",
    [*(turned(way) for way in range(2, 9)), saved(picture("CMYK")), saved(picture("RGBA"), "PNG"), saved(picture("P"), "GIF")],
    ids=[*(f"turned {way}" for way in range(2, 9)), "CMYK", "PNG", "GIF"],
)
def test_everything_else_is_left_to_pillow(content, straight):
    assert np.array_equal(decode_pixels(content), np.asarray(decode(content)))
    assert straight == []


def test_what_torchvision_refuses_is_for_pillow_to_judge(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("decode_jpeg")

    content = saved(picture())
    expected = decode_pixels(content)
    monkeypatch.setattr(torchvision.io, "decode_jpeg", refuse)
    assert np.array_equal(decode_pixels(content), expected)


def test_damaged_files_are_refused_or_decoded_as_by_decode(tmp_path, capfd):
    chance, whole = random.Random(0), saved(picture())
    outcomes = set()
    for i in range(150):
        content = bytearray(whole[: chance.randrange(2, len(whole))] if i % 3 == 0 else whole)
        for _ in range(i % 3):
            content[chance.randrange(2, len(content))] = chance.randrange(256)
        (tmp_path / "it.jpg").write_bytes(content)
        for source in (bytes(content), tmp_path / "it.jpg"):
            outcomes.add(type(same(source)))
    assert outcomes == {str, bytes}
    capfd.readouterr()  # libjpeg's remarks


@pytest.mark.parametrize("folder", ["imagenette_mini/train", "cats_and_dogs_filtered/train"])
def test_photographs_are_the_same_bytes(shared, folder, straight):
    photographs = find_images(shared / "data" / folder)[::40]
    for path in photographs:
        assert np.array_equal(decode_pixels(path), np.asarray(decode(path))), path
    assert len(straight) == len(photographs) >= 25


def test_odd_images_are_the_same_bytes_or_the_same_error(shared, capfd):
    for path in sorted((shared / "data" / "odd_images").iterdir()):
        same(path)
    capfd.readouterr()


def test_how_small_it_may_be_is_asked_with_the_upright_size(straight):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    lying = saved(picture(width=800, height=600), exif=exif)
    asked = []

    def half(size: tuple[int, int]) -> int:
        asked.append(size)
        return min(size) // 2

    assert decode_pixels(lying, at_least=half).shape == (400, 300, 3)
    upright = saved(picture(width=800, height=600))
    assert decode_pixels(upright, at_least=half).shape == (300, 400, 3)
    assert np.array_equal(decode_pixels(upright, at_least=half), np.asarray(decode(upright, at_least=300)))
    assert straight == []
    assert decode_pixels(upright, at_least=lambda _: None).shape == (600, 800, 3)
    assert decode_pixels(saved(picture(), "PNG"), at_least=half).shape == (61, 90, 3)
    assert set(asked) == {(800, 600), (600, 800)}
    assert len(straight) == 1


def test_a_header_of_too_many_pixels_is_refused_before_any_is_decoded(straight):
    content = bytearray(saved(picture()))
    start = content.index(b"\xff\xc0") + 5
    content[start : start + 4] = b"\xea\x60\xea\x60"  # 60,000 × 60,000
    with pytest.raises(ImageError, match="pixels"):
        decode_pixels(bytes(content))
    assert straight == []
