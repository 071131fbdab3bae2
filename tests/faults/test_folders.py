"""Wrongly made folders: what `inceptions train` says of each, word for word, and with which code it leaves."""

from __future__ import annotations

import io
import os
import struct
import sys
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inceptions.cli import execute
from inceptions.train import feed

# A network and images so small that a run takes a second.
TINY = (
    *("--model", "plain_cnn", "--width", "0.125", "--workers", "0", "--device", "cpu", "--precision", "fp32", "--epochs", "1"),
    *("--set", "image_size=48", "--set", "test_size=none", "--set", "start_size=none", "--set", "batch_size=4"),
)
EXPECTED = "Expected are train/CLASS/… and validation/CLASS/…, or one folder of images for each class."


def picture(seed: int, width: int = 40, height: int = 36) -> Image.Image:
    """Coarse noise: no two seeds look alike, and JPEG leaves it recognisable."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(seed: int, format: str, **options) -> bytes:
    content = io.BytesIO()
    picture(seed).save(content, format=format, **options)
    return content.getvalue()


def good(root: Path, folders: tuple[str, ...] = ("train/cats", "train/dogs", "val/cats", "val/dogs"), count: int = 6) -> None:
    for name in folders:
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            picture(zlib.crc32(f"{name}/{i}".encode())).save(root / name / f"{i}.jpg", quality=90)


def one(content: bytes) -> Callable[[Path], None]:
    """A good folder in which one image is replaced."""

    def make(root: Path) -> None:
        good(root)
        (root / "train/cats/3.jpg").write_bytes(content)

    return make


def cut(share: float) -> bytes:
    whole = encoded(3, "JPEG", quality=90)
    return whole[: int(len(whole) * share)]


def bomb() -> bytes:
    """A PNG of 20,000 × 20,000 white pixels in a few kilobytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    line = zlib.compress(b"\0" + b"\xff" * 2500, 9)
    header = struct.pack(">IIBBBBB", 20000, 20000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", line) + chunk(b"IEND", b"")


def left_out(reason: str) -> str:
    return f"1 training image cannot be read and will be left out:\n  train/cats/3.jpg: {reason}\n"


UNREADABLE = {
    "cut at 10 %": (cut(0.1), "the file is cut off"),
    "cut at 50 %": (cut(0.5), "the file is cut off"),
    "cut at 99 %": (cut(0.99), "the file is cut off"),
    "zero bytes": (b"", "it is empty"),
    "a text": (
        b"This is my cat.\n" * 9,
        "it is not an image in a format that is read here (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, JPEG 2000, ...)",
    ),
    "an error page": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "it is a web page"),
    "a vector drawing": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "it is a vector drawing (SVG)"),
    "a zip archive": (b"PK\x03\x04" + bytes(60), "it is a zip archive"),
    "too many pixels": (bomb(), "it has more pixels than the limit of 89,478,485"),
}


def too_many_unreadable(root: Path) -> None:
    good(root)
    for i in range(4):
        (root / f"train/cats/{i}.jpg").write_bytes(b"")


def nothing_readable_in_a_class(root: Path) -> None:
    good(root, ("train/cats", "val/cats", "val/dogs"), 30)
    (root / "train/dogs").mkdir()
    (root / "train/dogs/0.jpg").write_bytes(b"")


def named_wrongly(root: Path) -> None:
    good(root)
    for i, format in enumerate(("PNG", "GIF", "WEBP", "BMP")):
        (root / f"train/dogs/{i}.jpg").write_bytes(encoded(50 + i, format))
    (root / "train/dogs/4.jpg").rename(root / "train/dogs/4.JPEG")
    (root / "train/dogs/5.jpg").rename(root / "train/dogs/five")


def rubbish(root: Path) -> None:
    good(root)
    for part in ("train", "val"):
        (root / part / ".ipynb_checkpoints").mkdir()
        (root / part / ".ipynb_checkpoints/0-checkpoint.jpg").write_bytes(encoded(70, "JPEG"))
        (root / part / "__MACOSX").mkdir()
        (root / part / "cats/._0.jpg").write_bytes(b"\0\5\x16\7" + bytes(40))
        (root / part / "cats/Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
        (root / part / ".DS_Store").write_bytes(b"\0")
        (root / part / "cats/notes.txt").write_text("tabby")


def every_kind(root: Path) -> None:
    good(root)
    folder = root / "train/cats"
    picture(1).save(folder / "frames.gif", save_all=True, append_images=[picture(2), picture(3)])
    picture(4).save(folder / "frames.webp", save_all=True, append_images=[picture(5)])
    picture(6).save(folder / "frames.png", save_all=True, append_images=[picture(7)])
    picture(8).save(folder / "pages.tif", save_all=True, append_images=[picture(9)])
    Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40) * 40).save(folder / "16bit.png")
    picture(10).convert("CMYK").save(folder / "cmyk.jpg")
    picture(11).convert("P").save(folder / "palette.png", transparency=0)
    picture(12).convert("LA").save(folder / "la.png")
    picture(13).convert("1").save(folder / "1bit.png")
    Image.fromarray(np.zeros((10, 65500), dtype=np.uint8)).save(folder / "strip.png")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[274] = orientation
        picture(20 + orientation).save(folder / f"exif{orientation}.jpg", exif=exif)


def strange_names(root: Path) -> None:
    good(root, ("train/cats", "val/cats"))
    composed, apart = (unicodedata.normalize(form, "Bär 🐻 & <b>co</b>") for form in ("NFC", "NFD"))
    good(root, (f"train/{composed}", f"val/{apart}"))
    (root / "train/cats/0.jpg").rename(root / "train/cats" / os.fsdecode(b"\xff\xfe.jpg"))


def links_in_circles(root: Path) -> None:
    good(root)
    (root / "train/cats/round").symlink_to(root)
    (root / "train/cats/self").symlink_to(root / "train/cats/self")
    (root / "train/cats/broken.jpg").symlink_to(root / "gone.jpg")


def leaking(root: Path) -> None:
    good(root)
    (root / "val/cats/1.jpg").write_bytes((root / "train/cats/5.jpg").read_bytes())
    (root / "val/dogs/0.jpg").write_bytes((root / "train/dogs/2.jpg").read_bytes())


def contrary(root: Path) -> None:
    good(root, ("cats", "dogs"))
    (root / "dogs/1.jpg").write_bytes((root / "cats/4.jpg").read_bytes())


def twins(root: Path) -> None:
    good(root, ("train/cats", "train/dogs", "val/cats", "val/dogs", "train/Cats"))


def unicode_twins(root: Path) -> None:
    good(root, ("caf\u00e9", "tea"))
    good(root, ("cafe\u0301",))


def empty_class(root: Path) -> None:
    good(root)
    (root / "train/newts").mkdir()


def folders(*names: str, count: int = 6) -> Callable[[Path], None]:
    return lambda root: good(root, names, count)


LEAK = (
    "2 of 12 validation images are training images too, so the score would flatter: val/cats/1.jpg = train/cats/5.jpg, "
    "val/dogs/0.jpg = train/dogs/2.jpg. Leave them out: `inceptions data check FOLDER --write-ignore FILE`, then "
    "`inceptions train FOLDER --ignore FILE`."
)

FAULTS: dict[str, tuple[Callable[[Path], None], tuple[str, ...], int, str]] = {
    **{name: (one(content), (), 0, left_out(reason)) for name, (content, reason) in UNREADABLE.items()},
    "too many unreadable": (
        too_many_unreadable,
        (),
        3,
        "inceptions: 4 of 12 images (33.3%) cannot be read, more than the 10% that may be skipped: train/cats/0.jpg (it is "
        "empty); train/cats/1.jpg (it is empty); train/cats/2.jpg (it is empty) and 1 more. Replace or remove them.\n",
    ),
    "nothing readable in a class": (
        nothing_readable_in_a_class,
        (),
        3,
        "inceptions: None of the images of a class can be read: train/dogs/0.jpg (it is empty). Replace them, or remove the "
        "class.\n",
    ),
    "named as what they are not": (named_wrongly, (), 0, ""),
    "rubbish of systems and editors": (rubbish, (), 0, ""),
    "every kind of image": (every_kind, (), 0, ""),
    "names in all scripts, and none": (strange_names, (), 0, ""),
    "links in circles": (links_in_circles, (), 0, ""),
    "classes in deeper folders": (folders("train/cats/tabby", "train/dogs/a/b", "val/cats", "val/dogs"), (), 0, ""),
    "leaking": (leaking, (), 0, f"{LEAK}\n"),
    "leaking, strictly": (leaking, ("--strict-split",), 3, f"inceptions: {LEAK}\n"),
    "a picture in two classes": (
        contrary,
        (),
        0,
        "1 picture lies in more than one class, and at most one of them is right: cats/4.jpg = dogs/1.jpg.\n",
    ),
    "classes that differ in case": (
        twins,
        (),
        3,
        "inceptions: {root}/train has two classes that differ only in how they are written, 'Cats' and 'cats': join them.\n",
    ),
    "classes that differ in their Unicode form": (
        unicode_twins,
        (),
        3,
        "inceptions: {root} has two classes that differ only in how they are written, 'cafe\u0301' and 'caf\u00e9': join "
        "them.\n",
    ),
    "an empty class": (
        empty_class,
        (),
        3,
        "inceptions: The class folder {root}/train/newts holds no images (it is empty): put some in or remove it.\n",
    ),
    "a class that only validation has": (
        folders("train/cats", "train/dogs", "val/cats", "val/dog"),
        (),
        3,
        "inceptions: {root}/val has classes that are not among those training has: 'dog'. Did you mean 'dogs' with 'dog'? "
        "Known are 'cats', 'dogs'.\n",
    ),
    "a class that validation lacks": (
        folders("train/cats", "train/dogs", "train/newts", "val/cats", "val/dogs"),
        (),
        0,
        "{root}/val has no images of 'newts' (1 of 3 classes).\n",
    ),
    "images without classes": (
        folders(".", count=3),
        (),
        3,
        f"inceptions: {{root}} holds no class folders with images: 3 images lie in the folder itself. {EXPECTED}\n",
    ),
    "one class": (
        folders("cats"),
        (),
        3,
        f"inceptions: {{root}} holds one class only, 'cats': a classifier needs at least two. {EXPECTED}\n",
    ),
    "one level too deep": (
        folders("photos/cats", "photos/dogs"),
        (),
        3,
        "inceptions: {root} holds one folder only, and the images are one level deeper: give {root}/photos instead.\n",
    ),
    "validation without training": (
        folders("val/cats", "val/dogs"),
        (),
        3,
        f"inceptions: {{root}} holds val/ but no train/: there is nothing to learn from. {EXPECTED}\n",
    ),
    "a class of one image": (
        lambda root: (good(root, ("cats",)), good(root, ("dogs",), 1)),
        (),
        3,
        "inceptions: The class 'dogs' has a single image (dogs/0.jpg): a class needs at least two, one to learn from and one "
        "to be judged on.\n",
    ),
    "two images of each class": (folders("cats", "dogs", count=2), (), 0, ""),
    "nothing at all": (
        lambda root: root.mkdir(),
        (),
        3,
        f"inceptions: {{root}} holds no class folders with images: it is empty. {EXPECTED}\n",
    ),
    "an archive": (
        lambda root: root.write_bytes(b"PK\x03\x04"),
        (),
        3,
        f"inceptions: {{root}} is a file, not a folder. {EXPECTED}\n",
    ),
    "a name misspelt": (
        lambda root: good(root.with_name("foldes")),
        (),
        3,
        "inceptions: There is no folder {root}. Did you mean {parent}/foldes?\n",
    ),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trained(root: Path, *arguments: str) -> int:
    return execute(["train", str(root), "--run", "run", "--quiet", *TINY, *arguments])


@pytest.mark.parametrize("fault", FAULTS)
def test_what_training_says(fault, tmp_path, capsys):
    if fault.startswith("names in all") and sys.platform != "linux":
        pytest.skip("other systems refuse names that are no text")
    make, arguments, code, said = FAULTS[fault]
    root = tmp_path / "folder"
    make(root)
    before = sorted(map(str, tmp_path.rglob("*")))
    assert trained(root, *arguments) == code
    # --quiet leaves what must be heard: so this is all there is.
    assert capsys.readouterr().err == said.replace("{root}", str(root)).replace("{parent}", str(tmp_path))
    if code:
        assert sorted(map(str, tmp_path.rglob("*"))) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to the superuser")
def test_a_folder_that_may_not_be_read(tmp_path, capsys):
    good(tmp_path / "folder")
    (tmp_path / "folder/train/cats").chmod(0)
    assert trained(tmp_path / "folder") == 3
    assert "train/cats cannot be read: Permission denied." in capsys.readouterr().err
    (tmp_path / "folder/train/cats").chmod(0o700)


@pytest.mark.parametrize(("kept", "code"), [(10**9, 0), (0, 3)])
def test_a_file_that_vanishes_during_the_run(kept, code, tmp_path, capsys, monkeypatch):
    """It matters only if its pixels are not in memory; then the run stops, and can be resumed once it is back."""
    root = tmp_path / "folder"
    good(root)
    look = feed.prepare

    def look_then_lose(images, **options):
        readable = look(images, **{**options, "budget_bytes": kept})
        (root / "train/dogs/4.jpg").rename(root / "gone")
        return readable

    monkeypatch.setattr(feed, "prepare", look_then_lose)
    assert trained(root) == code
    said = f"inceptions: {root}/train/dogs/4.jpg cannot be read as an image: there is no such file.\n"
    assert capsys.readouterr().err == ("" if code == 0 else said)
    if code:
        monkeypatch.setattr(feed, "prepare", look)
        (root / "gone").rename(root / "train/dogs/4.jpg")
        assert trained(root, "--resume") == 0
