from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inceptions.data import open_data
from inceptions.data.ignore import read_ignored, write_ignored
from inceptions.errors import DataError, UsageError

NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1)


@given(names=st.sets(NAMES | st.binary(min_size=1, max_size=8).map(os.fsdecode), max_size=8))
def test_any_name_comes_back(names, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "names.txt"
    write_ignored(path, [(name, f"because of\n{name!r}") for name in sorted(names)])
    assert read_ignored(path) == names


def test_usual_names_stand_as_they_are(tmp_path):
    write_ignored(tmp_path / "list", [("cats/a b.jpg", "it is empty"), ("été/ü🐱.png", "x"), ("#1.png", "x"), ("a\nb", "x")])
    assert (tmp_path / "list").read_text(encoding="utf-8").splitlines()[1:] == [
        *("# it is empty", "cats/a b.jpg", "# x", "été/ü🐱.png", "# x", '"#1.png"', "# x", '"a\\nb"'),
    ]


def test_what_is_listed_is_left_out(plant, tmp_path):
    root = plant({"cats": 10, "dogs": 10})
    listed = tmp_path / "list.txt"
    listed.write_text("# mine\ncats/3.png\n\n  dogs/0.png \nfoxes/1.png\n")
    splits = open_data(root, ignore=listed)
    assert splits.ignore == listed
    assert len(splits.train) + len(splits.validation) == 18
    assert not {"cats/3.png", "dogs/0.png"} & {*splits.train.names, *splits.validation.names}
    assert splits.notes == (f"2 images are left out, as {listed} says; 1 more that it names are not there.",)
    assert len(list(root.rglob("*.png"))) == 20


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_are_left_out_too(plant, tmp_path):
    root = plant({"cats": 4, "dogs": 4})
    strange = os.fsdecode(b"\xff.png")
    (root / "cats/0.png").rename(root / "cats" / strange)
    write_ignored(tmp_path / "list", [(f"cats/{strange}", "odd")])
    splits = open_data(root, ignore=tmp_path / "list")
    assert len(splits.train) + len(splits.validation) == 7


def test_lists_that_cannot_be_followed(plant, tmp_path):
    root = plant({"train/cats": 2, "train/dogs": 2, "val/cats": 1, "val/dogs": 1})
    listed = tmp_path / "list.txt"
    with pytest.raises(DataError, match=r"The ignore list .*list.txt cannot be read: no such file or directory\."):
        open_data(root, ignore=listed)
    listed.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="is no ignore list: it is not text"):
        open_data(root, ignore=listed)
    listed.write_text('"unfinished')
    with pytest.raises(DataError, match=r"Line 1 of .*list\.txt begins with a quotation mark and is no JSON string"):
        open_data(root, ignore=listed)
    listed.write_text("train/cats/0.png\ntrain/cats/1.png\n")
    with pytest.raises(DataError, match="leaves no image of the class 'cats' to learn from"):
        open_data(root, ignore=listed)
    listed.write_text("val/cats/0.png\nval/dogs/0.png\n")
    with pytest.raises(DataError, match="leaves no validation image"):
        open_data(root, ignore=listed)
    with pytest.raises(UsageError, match="The digits have no files"):
        open_data(None, ignore=listed)
