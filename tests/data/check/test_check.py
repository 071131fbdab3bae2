from __future__ import annotations

import io
import json
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from inceptions.cli import execute
from inceptions.data.check import check, write_check
from inceptions.data.check.text import visible
from inceptions.errors import DataError


def scene(seed: int, width: int = 60, height: int = 48) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def make(tmp_path):
    """A folder of pictures that all differ: {"train/cats": 3}."""

    def plant(folders):
        root = tmp_path / "photos"
        for at, (name, count) in enumerate(folders.items()):
            (root / name).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                scene(1000 * at + i).save(root / name / f"{i}.png")
        return root

    return plant


def found(checked) -> dict[str, object]:
    return {finding.kind: finding for finding in checked.findings}


def text(checked) -> str:
    out = io.StringIO()
    write_check(checked, out)
    return out.getvalue()


def test_a_clean_folder(make):
    root = make({"train/cats": 4, "train/dogs": 5, "validation/cats": 2, "validation/dogs": 2})
    checked = check(root)
    assert checked.findings == ()
    assert checked.left_out == ()
    checked.raise_if_harmful()
    assert text(checked) == (
        f"{root}: 9 training and 4 validation images, 2 classes\n"
        "shorter side  48 to 48 pixels, half of them 48 or more\n"
        "formats       PNG 13\n"
        "modes         RGB 13\n"
        "\n"
        "class  training  validation\n"
        "cats          4           2\n"
        "dogs          5           2\n"
        "\n"
        "Nothing is wrong.\n"
    )


def test_copies_of_all_sorts(make):
    root = make({"train/cats": 6, "train/dogs": 6, "val/cats": 3, "val/dogs": 3})
    shutil.copy(root / "train/cats/0.png", root / "val/cats/0.png")
    Image.open(root / "train/dogs/1.png").save(root / "val/dogs/2.jpg", quality=40)
    Image.open(root / "train/cats/2.png").resize((30, 24)).save(root / "train/cats/2-small.png")
    shutil.copy(root / "train/cats/3.png", root / "train/dogs/also.png")
    checked = check(root)
    kinds = found(checked)
    assert set(kinds) == {"leaked", "contrary", "copies"}
    assert kinds["leaked"].examples == (
        "val/cats/0.png = train/cats/0.png",
        "val/dogs/2.jpg = train/dogs/1.png (re-encoded or resized)",
    )
    assert kinds["contrary"].examples == ("train/cats/3.png = train/dogs/also.png",)
    assert kinds["copies"].examples == ("train/cats/2-small.png = train/cats/2.png (re-encoded or resized)",)
    assert [finding.kind for finding in checked.problems] == ["leaked", "contrary"]
    assert dict(checked.left_out) == {
        "train/cats/0.png": "the same picture as val/cats/0.png",
        "train/cats/2.png": "the same picture as train/cats/2-small.png",
        "train/cats/3.png": "the same picture lies in several classes: cats, dogs",
        "train/dogs/also.png": "the same picture lies in several classes: cats, dogs",
        "train/dogs/1.png": "the same picture as val/dogs/2.jpg",
    }
    with pytest.raises(DataError, match=r"photos should be put right before training: leaked, contrary\."):
        checked.raise_if_harmful()


def test_the_list_it_writes_puts_things_right(make, tmp_path, capsys):
    root = make({"cats": 20, "dogs": 20})
    for i in range(10):
        Image.open(root / f"cats/{i}.png").save(root / f"cats/{i}-again.jpg", quality=50)
    (root / "dogs/3.png").write_bytes(b"")
    before = sorted(root.rglob("*"))
    listed = tmp_path / "leave.txt"
    assert execute(["data", "check", str(root), "--write-ignore", str(listed), "--quiet"]) == 3
    out, err = capsys.readouterr()
    assert "problem   1 image cannot be read." in out
    assert f"to leave out, listed in {listed}: 11\n" in err
    assert err.endswith("should be put right before training: unreadable, leaked.\n")
    assert execute(["data", "check", str(root), "--ignore", str(listed)]) == 0
    assert f"11 images are left out, as {listed} says." in capsys.readouterr().out
    assert sorted(root.rglob("*")) == before


def test_a_run_remembers_what_it_left_out(make, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = make({"cats": 12, "dogs": 12})
    listed = tmp_path / "leave.txt"
    listed.write_text("cats/1.png\ndogs/2.png\n")
    tiny = [
        *("--model", "plain_cnn", "--width", "0.125", "--workers", "0", "--device", "cpu", "--precision", "fp32"),
        *("--set", "image_size=48", "--set", "test_size=none", "--set", "start_size=none", "--set", "batch_size=8"),
    ]
    assert execute(["train", str(root), "--run", "run", "--epochs", "1", "--ignore", "leave.txt", *tiny]) == 0
    err = capsys.readouterr().err
    assert "2 images are left out, as leave.txt says." in err
    assert "18 training and 4 validation images" in err
    assert execute(["evaluate", "run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 4
    assert execute(["train", "--resume", "--run", "run"]) == 0
    capsys.readouterr()
    listed.write_text("cats/1.png\n")
    assert execute(["train", "--resume", "--run", "run"]) == 2
    assert "it was begun with something else" in capsys.readouterr().err


def test_what_images_are_like(make):
    root = make({"train/cats": 3, "train/dogs": 12, "val/cats": 1, "val/dogs": 1})
    exif = Image.Exif()
    exif[274] = 6
    scene(50, 90, 40).save(root / "train/cats/turned.jpg", exif=exif)
    scene(51).save(root / "train/cats/wrong.jpg", format="PNG")
    scene(52).convert("CMYK").save(root / "train/cats/cmyk.jpg")
    scene(53).save(root / "train/cats/many.gif", save_all=True, append_images=[scene(54)])
    Image.new("RGB", (70, 60), (9, 9, 9)).save(root / "train/dogs/black.png")
    scene(55, 20, 10).save(root / "train/dogs/small.png")
    (root / "train/dogs/text.jpg").write_text("no image")
    checked = check(root, shown_size=40)
    kinds = found(checked)
    assert {kind: (finding.problem, finding.examples) for kind, finding in kinds.items()} == {
        "unreadable": (True, kinds["unreadable"].examples),
        "turned": (False, ("train/cats/turned.jpg",)),
        "wrong_extension": (False, ("train/cats/wrong.jpg is PNG",)),
        "converted": (False, ("train/cats/cmyk.jpg (CMYK)", "train/cats/many.gif (P)")),
        "frames": (False, ("train/cats/many.gif (2)",)),
        "flat": (False, ("train/dogs/black.png",)),
        "small": (False, ("train/dogs/small.png (20 × 10)",)),
    }
    assert kinds["unreadable"].examples[0].startswith("train/dogs/text.jpg: it is not an image in a format")
    assert (checked.shorter_sides[0], checked.shorter_sides[-1], len(checked.shorter_sides)) == (10, 60, 23)
    assert checked.modes == {"RGB": 21, "CMYK": 1, "P": 1}


def test_classes_of_unequal_size(make):
    kinds = found(check(make({"train/cats": 12, "train/dogs": 3, "val/cats": 2, "val/dogs": 2})))
    assert kinds["unequal"].what == "The class 'cats' has 12 training images, 'dogs' only 3."
    assert "balance=loss" in kinds["unequal"].advice


def test_everything_in_the_folder_is_named_at_once(make):
    """Training stops at the first of these; the check lists all."""
    root = make({"train/cats": 3, "train/Cats": 2, "train/empty": 0, "train/only": 2, "val/cats": 2, "val/newts": 2})
    (root / "train/.ipynb_checkpoints").mkdir()
    (root / "train/cats/._0.png").write_bytes(b"x")
    (root / "train/cats/Thumbs.db").write_bytes(b"x")
    (root / "train/cats/cat.heic").write_bytes(b"x")
    (root / "train/cats/round").symlink_to(root)
    (root / "train/cats/gone.png").symlink_to(root / "gone")
    (root / "train/cats/broken.png").write_bytes(b"")
    checked = check(root)
    kinds = found(checked)
    assert checked.splits is None
    assert kinds["layout"].what.startswith(f"{root}/train has two classes that differ only in how they are written")
    assert kinds["twin_classes"].examples == ("'train/Cats' and 'train/cats'",)
    assert kinds["empty_classes"].examples == ("train/empty",)
    assert kinds["one_sided_classes"].examples == ("train/empty", "train/only", "val/newts")
    assert kinds["hidden"].examples == ("train/.ipynb_checkpoints", "train/cats/._0.png")
    assert kinds["rubbish"].examples == ("train/cats/Thumbs.db",)
    assert kinds["other_files"].what == "1 file is no image: 1 .heic."
    assert kinds["links_in_circles"].examples == ("train/cats/round",)
    assert kinds["broken_links"].examples == ("train/cats/gone.png",)
    assert kinds["unreadable"].examples == ("train/cats/broken.png: it is empty",)
    assert {finding.kind for finding in checked.problems} == {"layout", "twin_classes", "empty_classes", "unreadable"}


def test_unicode_twins(make):
    root = make({unicodedata.normalize(form, "café"): 2 for form in ("NFC", "NFD")} | {"tea": 2})
    assert found(check(root))["twin_classes"].count == 1


def test_what_cannot_be_looked_at(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no class folders with images: it is empty"):
        check(tmp_path / "empty")
    with pytest.raises(DataError, match="There is no folder"):
        check(tmp_path / "nowhere")


def test_names_cannot_move_the_cursor(make):
    root = make({"cats": 3, "dogs": 3})
    (root / "cats/0.png").rename(root / "cats/\x1b[2J\nproblem.png")
    (root / "cats/\x1b[2J\nproblem.png").write_bytes(b"")
    said = text(check(root))
    assert "cats/\\x1b[2J\\nproblem.png: it is empty" in said
    assert "\x1b" not in said
    assert visible("Bär 🐻") == "Bär 🐻"


def test_a_terminal_gets_a_table(make, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    root = make({"[red]cats": 3, "dogs": 3})
    (root / "dogs/1.png").write_bytes(b"")
    out = Terminal()
    write_check(check(root), out)
    assert "[red]cats" in out.getvalue()
    assert "1 image cannot be read." in out.getvalue()
    assert "\x1b[" in out.getvalue()


def test_many_classes_show_the_smallest(make):
    root = make({f"class{i:02}": 2 + i for i in range(25)})
    said = text(check(root))
    assert "class00" in said
    assert "class24  " not in said, "only the smallest are in the table"
    assert "and 5 larger classes; --json lists all of them" in said


def test_the_command_as_json(make, capsys):
    root = make({"cats": 4, "dogs": 4})
    shutil.copy(root / "cats/0.png", root / "cats/copy.png")
    assert execute(["data", "check", str(root), "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert err == ""
    assert (document["ok"], document["images"], document["readable"], document["given_split"]) == (True, 9, 9, False)
    assert document["classes"] == [
        {"class": "cats", "train": 4, "validation": 1},
        {"class": "dogs", "train": 3, "validation": 1},
    ]
    assert [finding["kind"] for finding in document["findings"]] == ["small", "copies"]
    assert document["left_out"] == [{"path": document["left_out"][0]["path"], "reason": document["left_out"][0]["reason"]}]


def test_the_help_teaches_by_examples(capsys):
    assert execute(["data", "check", "--help"]) == 0
    out = capsys.readouterr().out
    assert "For example:\n\n  inceptions data check PHOTOS/" in out
    assert max(map(len, out.splitlines())) <= 80
