from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from inceptions.data import find_images, open_data, open_evaluation
from inceptions.errors import DataError


def names(root: Path, found: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in found]


def test_images_are_found_in_order_and_rubbish_is_not(plant, tmp_path):
    root = plant({"b": 2, "a/deep": 1, ".hidden": 1, ".ipynb_checkpoints": 1, "__MACOSX": 1})
    image = (root / "b" / "0.png").read_bytes()
    for name in ("UPPER.JPG", "b/._0.png", "b/Thumbs.db", "no_extension", "ünï 🐱.webp", "notes.txt"):
        (root / name).write_bytes(image)
    (root / "README").write_text("no image")
    assert names(root, find_images(root)) == ["UPPER.JPG", "a/deep/0.png", "b/0.png", "b/1.png", "no_extension", "ünï 🐱.webp"]


def test_links_are_followed_but_never_round_in_circles(plant, tmp_path):
    root = plant({"cats": 2})
    outside = tmp_path / "elsewhere"
    shutil.copytree(root / "cats", outside)
    (root / "linked").symlink_to(outside)
    (root / "cats" / "round").symlink_to(root)
    (root / "cats" / "self").symlink_to(root / "cats" / "self")
    (root / "cats" / "broken.png").symlink_to(root / "nowhere.png")
    assert names(root, find_images(root)) == ["cats/0.png", "cats/1.png", "linked/0.png", "linked/1.png"]


def test_train_and_validation_folders(plant):
    root = plant({"train/dogs": 3, "train/cats": 2, "validation/cats": 1, "validation/dogs": 2})
    splits = open_data(root)
    assert splits.name == "photos"
    assert splits.where == root
    assert splits.classes == ("cats", "dogs")
    assert list(splits.train.names) == [f"train/{at}.png" for at in ("cats/0", "cats/1", "dogs/0", "dogs/1", "dogs/2")]
    assert list(splits.train.labels) == [0, 0, 1, 1, 1]
    assert list(splits.validation.names) == ["validation/cats/0.png", "validation/dogs/0.png", "validation/dogs/1.png"]
    assert list(splits.validation.labels) == [0, 1, 1]
    assert splits.notes == ()
    with Image.open(root / "train/dogs/1.png") as expected:
        assert splits.train.open(3).tobytes() == expected.tobytes()


@pytest.mark.parametrize("part", ["validation", "val", "valid", "test", "Test"])
def test_the_validation_folder_may_have_several_names(plant, part):
    splits = open_data(plant({"train/a": 1, "train/b": 1, f"{part}/a": 1, f"{part}/b": 1}))
    assert list(splits.validation.names) == [f"{part}/a/0.png", f"{part}/b/0.png"]


def test_validation_comes_before_test_and_it_is_said(plant):
    splits = open_data(plant({f"{part}/{name}": 1 for part in ("train", "test", "val") for name in "ab"}))
    assert list(splits.validation.names) == ["val/a/0.png", "val/b/0.png"]
    assert len(splits.notes) == 1
    assert "val is used for validation; 'test' is not" in splits.notes[0]


def test_one_folder_of_classes_is_split(plant):
    splits = open_data(plant({"cats": 10, "dogs": 5}), validation_share=0.2)
    assert (len(splits.train), len(splits.validation)) == (12, 3)
    assert list(splits.validation.labels) == [0, 0, 1]
    assert not set(splits.train.names) & set(splits.validation.names)


def test_a_training_folder_alone_is_split(plant):
    splits = open_data(plant({"train/cats": 10, "train/dogs": 5}))
    assert (len(splits.train), len(splits.validation)) == (12, 3)
    assert splits.train.names[0].startswith("train/cats/")


def test_images_in_deeper_folders_belong_to_their_class(plant):
    splits = open_data(plant({"cats/tabby": 2, "cats/black": 2, "dogs": 3}))
    assert splits.classes == ("cats", "dogs")
    assert sorted([*splits.train.labels, *splits.validation.labels]) == [0, 0, 0, 0, 1, 1, 1]


def test_what_is_not_used_is_said(plant, noise):
    root = plant({"train/a": 1, "train/b": 1, "val/a": 1})
    noise(1).save(root / "train" / "stray.png")
    stray, absent = open_data(root).notes
    assert stray.startswith("1 images lie in")
    assert stray.endswith("train outside of any class folder and are not used.")
    assert absent.endswith("val has no images of 'b' (1 of 2 classes).")


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        ({}, "holds no class folders with images: it is empty. Expected are train/CLASS"),
        ({"": 3}, "3 images lie in the folder itself"),
        ({"cats": 0, "dogs": 0}, "no class folders with images: it is empty"),
        ({"cats": 3}, "holds one class only, 'cats': a classifier needs at least two"),
        ({"cats": 3, "dogs": 0}, "The class folder .*dogs holds no images .it is empty.: put some in or remove it"),
        ({"cats": 3, "dogs": 1}, "The class 'dogs' has a single image .dogs/0.png."),
        ({"photos/cats": 2, "photos/dogs": 2}, "the images are one level deeper: give .*photos/photos instead"),
        ({"data/train/cats": 2, "data/test/cats": 2}, "the images are one level deeper: give .*photos/data instead"),
        ({"train": 3, "val": 2}, "train holds no class folders with images: 3 images lie in the folder itself"),
        ({"train/cats": 3, "val/cats": 1}, "train holds one class only"),
        ({"validation/cats": 3, "validation/dogs": 1}, "holds validation/ but no train/"),
        (
            {"train/cats": 1, "train/dogs": 1, "val/Cat": 1},
            "val has classes that are not among those training has: 'Cat'. Did you mean 'cats' with 'Cat'. Known are 'cats'",
        ),
        ({"train/cats": 1, "train/dogs": 1, "val/cats": 1, "val/dogs": 0}, "The class folder .*val/dogs holds no images"),
        ({"cats": 2, "Cats": 2, "dogs": 2}, "differ only in how they are written, 'Cats' and 'cats'"),
        ({"cafe\u0301": 0, "tea": 2}, "The class folder .* holds no images"),
        ({"caf\u00e9": 2, "cafe\u0301": 2}, "differ only in how they are written"),
    ],
)
def test_wrong_layouts_are_explained(plant, folders, said):
    root = plant(folders)
    root.mkdir(exist_ok=True)
    with pytest.raises(DataError, match=said) as caught:
        open_data(root)
    assert str(root) in str(caught.value) or "single image" in said
    assert "\n" not in str(caught.value)


def test_other_files_are_counted_where_images_were_expected(plant):
    root = plant({"cats": 0, "dogs": 0})
    for i in range(3):
        (root / "cats" / f"{i}.heic").write_bytes(b"x")
    (root / "dogs" / "list.csv").write_bytes(b"x")
    with pytest.raises(DataError, match=r"4 files, none of them an image: 3 \.heic, 1 \.csv"):
        open_data(root)


def test_a_missing_folder_a_file_and_an_archive(tmp_path, plant):
    root = plant({"cats": 2, "dogs": 2})
    with pytest.raises(DataError, match=r"There is no folder .*fotos\. Did you mean .*photos\?"):
        open_data(tmp_path / "fotos")
    with pytest.raises(DataError, match=r"There is no folder .*nowhere/at/all\.$"):
        open_data(tmp_path / "nowhere" / "at" / "all")
    with pytest.raises(DataError, match=r"0\.png is a file, not a folder\. Expected"):
        open_data(root / "cats" / "0.png")
    (tmp_path / "photos.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="is a file, not a folder: unpack it and give the folder"):
        open_data(tmp_path / "photos.zip")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to the superuser")
def test_a_folder_without_permission(plant):
    root = plant({"cats": 2, "dogs": 2})
    (root / "cats").chmod(0)
    with pytest.raises(DataError, match="cats cannot be read: Permission denied"):
        open_data(root)
    (root / "cats").chmod(0o700)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_can_be_opened_and_printed(plant):
    root = plant({"cats": 2, "dogs": 2})
    (root / "cats" / "0.png").rename(root / "cats" / os.fsdecode(b"\xff.png"))
    splits = open_data(root)
    for images in (splits.train, splits.validation):
        for i, name in enumerate(images.names):
            name.encode()
            assert images.open(i).mode == "RGB"


def test_class_names_match_in_either_unicode_form(plant):
    splits = open_data(plant({"train/caf\u00e9": 1, "train/tea": 1, "val/cafe\u0301": 1, "val/tea": 1}))
    assert splits.classes == ("caf\u00e9", "tea")
    assert list(splits.validation.labels) == [0, 1]


def test_evaluation_takes_the_networks_order_of_classes(plant):
    images = open_evaluation(plant({"cats": 1, "dogs": 2}), ("dogs", "newts", "cats"))
    assert list(images.names) == ["cats/0.png", "dogs/0.png", "dogs/1.png"]
    assert list(images.labels) == [2, 0, 0]
    assert len(images.notes) == 1
    assert "has no images of 'newts' (1 of 3 classes)" in images.notes[0]


def test_evaluation_prefers_the_validation_part(plant):
    root = plant({f"{part}/{name}": 1 for part in ("train", "test", "validation") for name in ("cats", "dogs")})
    assert list(open_evaluation(root, ("cats", "dogs")).names) == ["validation/cats/0.png", "validation/dogs/0.png"]
    assert list(open_evaluation(root / "test", ("cats", "dogs")).names) == ["cats/0.png", "dogs/0.png"]


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        ({"cats": 1, "newts": 1}, "classes that are not among those the network knows: 'newts'"),
        ({"Cats": 1}, "'Cats'. Did you mean 'cats' with 'Cats'"),
        ({"train/cats": 1}, "train/ but no validation/: give .*train if you want"),
        ({"": 2}, "2 images lie in the folder itself"),
    ],
)
def test_evaluation_refuses_what_it_cannot_score(plant, folders, said):
    with pytest.raises(DataError, match=said):
        open_evaluation(plant(folders), ("cats", "dogs"))


def test_the_tutorials_photographs(shared):
    splits = open_data(shared / "data" / "cats_and_dogs_filtered")
    assert (splits.classes, len(splits.train), len(splits.validation)) == (("cats", "dogs"), 2000, 1000)
    assert splits.notes == ()
    assert sum(splits.train.labels) == 1000
