from __future__ import annotations

import csv
import io
import os
import pickle
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from inceptions.data.decode import FORMATS, LIMIT_PIXELS, Facts, ImageError, decode, facts, is_image
from inceptions.errors import DataError


def saved(image: Image.Image, form: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def gradient(width: int, height: int) -> Image.Image:
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([columns * 255 // width, rows * 255 // height, columns * 0 + 90], axis=-1).astype(np.uint8))


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG file that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def colour(image: Image.Image) -> tuple[int, ...]:
    assert image.mode == "RGB"
    return image.getpixel((0, 0))


def test_odd_images_decode_or_say_why(shared):
    folder = shared / "data" / "odd_images"
    with (folder / "INDEX.tsv").open(newline="") as index:
        rows = list(csv.DictReader(index, delimiter="\t"))
    # TIFF readers differ in the compressions they were built with.
    assert len(rows) > 150
    for row in (row for row in rows if "decoder error" not in row["result"]):
        path = folder / row["path"]
        if row["result"].startswith("ERR"):
            with pytest.raises(ImageError) as caught:
                decode(path)
            assert str(caught.value) == f"{path} cannot be read as an image: {caught.value.reason}."
            assert caught.value.reason
        else:
            image = decode(path)
            assert image.mode == "RGB"
            width, height = map(int, row["size"].strip("()").split(","))
            turned = (
                row["orientation"] in {"5", "6", "7", "8"} and row["format"] != "TIFF"
            )  # of TIFF Pillow gives the upright size
            assert image.size == ((height, width) if turned else (width, height)), row


@pytest.mark.skipif(sys.platform != "linux", reason="limits a process's memory as Linux does")
def test_odd_and_hostile_images_stay_within_memory(shared, tmp_path):
    for name, size in {"bomb": (20_000, 20_000), "between": (10_000, 10_000), "edge": (60_000, 1_600)}.items():
        (tmp_path / f"{name}.png").write_bytes(png_header(*size))
    program = """
import resource, sys, warnings
from pathlib import Path
from inceptions.data.decode import ImageError, decode
warnings.simplefilter("ignore")
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 700 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for folder in map(Path, sys.argv[1:]):
    for path in sorted(folder.iterdir()):
        try:
            decode(path)
        except ImageError as error:
            assert "memory" not in error.reason, error
            print(path.name, error.reason)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(shared / "data" / "odd_images"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("pixels") >= 5


@pytest.mark.parametrize(
    ("image", "form", "expected"),
    [
        (Image.new("1", (4, 3), 1), "PNG", (255, 255, 255)),
        (Image.new("L", (4, 3), 77), "PNG", (77, 77, 77)),
        (Image.new("LA", (4, 3), (0, 0)), "PNG", (255, 255, 255)),
        (Image.new("LA", (4, 3), (100, 255)), "PNG", (100, 100, 100)),
        (Image.new("RGBA", (4, 3), (200, 0, 0, 0)), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (4, 3), (0, 0, 255, 51)), "PNG", (204, 204, 255)),
        (Image.new("RGB", (4, 3), (1, 2, 3)).quantize(4), "PNG", (1, 2, 3)),
        (Image.new("CMYK", (4, 3), (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (Image.new("CMYK", (4, 3), (0, 0, 0, 255)), "JPEG", (0, 0, 0)),
        (Image.new("LAB", (4, 3), (255, 128, 128)), "TIFF", (255, 255, 255)),
        (Image.new("HSV", (4, 3), (0, 255, 255)), None, (255, 0, 0)),
        (Image.new("YCbCr", (4, 3), (128, 128, 128)), None, (128, 128, 128)),
        (Image.new("PA", (4, 3), 0), None, (255, 255, 255)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_every_mode_becomes_rgb(image, form, expected):
    shown = decode(saved(image, form) if form else image)
    assert shown.size == (4, 3)
    assert np.abs(np.subtract(colour(shown), expected)).max() <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 257, 65535]], np.uint16), [0, 1, 255]),
        (np.array([[0, 65535]], np.int32), [0, 255]),
        (np.array([[-1000, 0, 1000]], np.int32), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 100.0, 255.0]], np.float32), [0, 100, 255]),
        (np.array([[0.0, 25700.0, 65535.0]], np.float32), [0, 100, 255]),
        (np.array([[-1.0, 1.0]], np.float32), [0, 255]),
        (np.array([[np.nan, 1.0]], np.float32), [0, 255]),
        (np.array([[-7.0, -7.0]], np.float32), [0, 0]),
    ],
)
def test_deep_greys_are_scaled_to_eight_bits(values, expected):
    shown = decode(saved(Image.fromarray(values), "TIFF"))
    assert np.asarray(shown)[0, :, 0].tolist() == expected


def test_a_transparent_colour_of_a_palette_shows_white():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    shown = decode(saved(image, "PNG", transparency=0))
    assert [shown.getpixel((0, 0)), shown.getpixel((1, 0))] == [(255, 255, 255), (0, 255, 0)]


def test_the_first_frame_counts():
    frames = [Image.new("RGB", (5, 5), name) for name in ("red", "blue", "lime")]
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        shown = decode(saved(frames[0], form, save_all=True, append_images=frames[1:]))
        assert np.abs(np.subtract(colour(shown), (255, 0, 0))).max() <= 3, form


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_exif_orientation_is_applied(orientation, form):
    held = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    upright = gradient(9, 6)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = saved(upright if held is None else upright.transpose(held), form, exif=exif)
    assert np.array_equal(np.asarray(decode(stored)), np.asarray(upright))


@pytest.mark.filterwarnings("ignore:::PIL")
def test_a_damaged_exif_block_does_not_cost_the_image():
    whole = saved(gradient(20, 10), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert decode(whole).size == (20, 10)


def test_a_jpeg_may_be_decoded_smaller_for_training():
    file = saved(gradient(800, 600), "JPEG")
    assert decode(file).size == (800, 600)
    assert decode(file, at_least=300).size == (400, 300)
    assert decode(file, at_least=301).size == (800, 600)
    assert decode(saved(gradient(80, 60)), at_least=10).size == (80, 60)


def test_the_same_image_from_every_kind_of_source(tmp_path):
    path = tmp_path / "photo"
    path.write_bytes(saved(gradient(30, 20)))
    expected = np.asarray(gradient(30, 20))
    with path.open("rb") as file, Image.open(path) as opened:
        for source in (path, path.read_bytes(), file, io.BytesIO(path.read_bytes()), opened):
            assert np.array_equal(np.asarray(decode(source)), expected)
        assert not file.closed


def test_a_given_pillow_image_stays_as_it_is():
    image = Image.new("RGBA", (3, 3), (9, 9, 9, 9))
    decode(image)
    assert image.mode == "RGBA"
    assert image.getpixel((0, 0)) == (9, 9, 9, 9)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(20_000, 20_000), (10_000, 10_000), (65_500, 1_400)])
def test_too_many_pixels_are_refused_before_any_is_decoded(size):
    with pytest.raises(ImageError, match=f"limit of {LIMIT_PIXELS:,}"):
        decode(png_header(*size))


def test_the_limit_can_be_lowered_and_holds_for_pillow_images_too():
    assert decode(gradient(10, 10), limit_pixels=100).size == (10, 10)
    with pytest.raises(ImageError, match="10 × 10 pixels are more than the limit of 99"):
        decode(gradient(10, 10), limit_pixels=99)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_file_that_is_cut_off(share, form, noise):
    whole = saved(noise(0, 200, 150), form)
    with pytest.raises(ImageError):
        decode(whole[: int(len(whole) * share)])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\n<!DOCTYPE html><html>Not found</html>", "a web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"PK\x03\x04" + bytes(30), "a zip archive"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC photograph: export it as JPEG"),
        (b"just a text", "not an image in a format"),
    ],
)
def test_what_is_no_image_is_called_by_its_name(content, said, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=said) as caught:
        decode(path)
    assert str(caught.value).startswith(f"{path} cannot be read as an image: ")
    assert not is_image(path)


def test_missing_files_folders_and_pipes(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, said in {"missing.jpg": "no such file", "": "not a file", "pipe.jpg": "not a file"}.items():
        with pytest.raises(ImageError, match=said):
            decode(tmp_path / name)


def test_the_name_of_an_extension_does_not_matter(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(gradient(5, 4), "WEBP"))
    assert decode(path).size == (5, 4)
    assert is_image(path)


def test_the_error_survives_another_process():
    error = pickle.loads(pickle.dumps(ImageError("cats/1.jpg", "it is empty")))
    assert isinstance(error, DataError)
    assert (error.name, error.reason) == ("cats/1.jpg", "it is empty")
    assert str(error) == "cats/1.jpg cannot be read as an image: it is empty."


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(content):
    with pytest.raises(ImageError):
        decode(content)


@pytest.mark.filterwarnings("ignore:::PIL")
@given(
    form=st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "ICO"]),
    at=st.floats(0, 0.999),
    value=st.binary(min_size=1, max_size=4),
)
def test_a_damaged_file_is_decoded_or_refused_but_nothing_else(form, at, value):
    content = bytearray(saved(gradient(40, 30), form))
    start = int(at * len(content))
    content[start : start + len(value)] = value
    try:
        shown = decode(bytes(content), limit_pixels=1_000_000)
    except ImageError:
        return
    assert shown.mode == "RGB"


def test_the_facts_are_those_of_the_decoded_image(shared):
    """Of every odd image that can be decoded: its upright size, and a mode and format that Pillow knows."""
    seen = 0
    for path in sorted((shared / "data/odd_images").iterdir()):
        try:
            decoded = decode(path)
        except ImageError:
            continue
        known = facts(path)
        assert (known.width, known.height) == decoded.size, path.name
        assert known.format in FORMATS
        seen += 1
    assert seen > 140


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_facts_tell_how_the_camera_was_held(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    content = io.BytesIO()
    Image.new("RGB", (30, 20)).save(content, format="JPEG", exif=exif)
    size = (20, 30) if orientation > 4 else (30, 20)
    assert facts(content.getvalue()) == Facts("JPEG", "RGB", *size, orientation != 1, 1)


def test_no_facts_of_what_is_no_image(tmp_path):
    (tmp_path / "page.jpg").write_text("<html>")
    with pytest.raises(ImageError, match=r"page\.jpg cannot be read as an image: it is a web page"):
        facts(tmp_path / "page.jpg")
    with pytest.raises(ImageError, match="there is no such file"):
        facts(tmp_path / "gone.jpg")


def test_libtiff_is_silent(shared):
    """Nothing of what the C library thinks of damaged tags reaches the terminal."""
    code = (
        "import sys; from pathlib import Path; from inceptions.data import ImageError, decode\n"
        "for path in map(Path, sys.argv[1:]):\n"
        "    try: decode(path)\n"
        "    except ImageError: pass\n"
    )
    images = sorted((shared / "data/odd_images").glob("*.tif*"))
    done = subprocess.run([sys.executable, "-c", code, *map(str, images)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
