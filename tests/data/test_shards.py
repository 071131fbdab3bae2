from __future__ import annotations

import gc
import io
import json
import tarfile
from pathlib import Path

import braceexpand
import pytest
import torch
import webdataset
from hypothesis import given
from hypothesis import strategies as st
from webdataset.tariterators import base_plus_ext

from inceptions.data import Augment, ImageError, Loader, open_data, open_evaluation, prepare, shards, training
from inceptions.data.shards import expanded, index, split_key
from inceptions.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "shards"


@pytest.fixture
def write(tmp_path, noise):
    """Write a shard with WebDataset's own writer: samples of (key, extension of the image, label's extension, label)."""

    def make(name: str, samples, *, offset: int = 0) -> Path:
        path = tmp_path / "shards" / name
        path.parent.mkdir(exist_ok=True)
        with webdataset.TarWriter(str(path)) as tar:
            for i, (key, extension, kind, label) in enumerate(samples):
                content = io.BytesIO()
                noise(offset + i, 20 + i % 3, 18).save(content, format="PNG")
                tar.write({"__key__": key, extension: content.getvalue(), kind: label})
        return path

    return make


def usual(start: int, count: int):
    return [(f"{i:05}", "png", "cls", i % 2) for i in range(start, start + count)]


@pytest.fixture
def three(write) -> str:
    for shard in range(3):
        write(f"train-{shard:03}.tar", usual(10 * shard, 10), offset=100 * shard)
    return str(write("train-000.tar", usual(0, 10)).parent / "train-{000..002}.tar")


@pytest.mark.parametrize(
    "pattern",
    ["a.tar", "a-{000..012}.tar", "{a,b}/{1..3}.tar", "{9..11}.tar", "{09..11}", "{3..1}", "a{b}c", "x{a,,b}", "{a}{1..2}"],
)
def test_braces_are_expanded_as_webdataset_does(pattern):
    assert expanded(pattern) == list(braceexpand.braceexpand(pattern))


@pytest.mark.parametrize("pattern", ["a{1..3.tar", "a}b", "{a,{b,c}}"])
def test_braces_that_do_not_match(pattern):
    with pytest.raises(DataError, match="The braces in"):
        expanded(pattern)


@given(name=st.text("ab./_\n", max_size=8) | st.text(max_size=6))
def test_keys_are_cut_as_webdataset_does(name):
    key, extension = base_plus_ext(name)
    ours = split_key(name)
    if key is None or "\n" in name:
        return
    assert ours == (key, extension.lower())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # WebDataset closes no file
def test_what_webdataset_reads_is_what_is_read_here(three):
    splits = open_data(three)
    ours = {}
    for images in (splits.train, splits.validation):
        for i, name in enumerate(images.names):
            ours[name] = (images.open(i).tobytes(), splits.classes[images.labels[i]])
    theirs = {}
    reader = (
        webdataset.WebDataset(three, shardshuffle=False, empty_check=False)
        .decode("pil")
        .to_tuple("__url__", "__key__", "png", "cls")
    )
    for url, key, image, label in reader:
        theirs[f"{Path(url).name}/{key}.png"] = (image.convert("RGB").tobytes(), str(label))
    assert ours == theirs
    assert len(ours) == 30
    del reader
    gc.collect()
    assert (splits.name, splits.classes, splits.where) == ("train", ("0", "1"), None)
    assert len(splits.validation) == 6


def test_the_split_stays_and_the_source_can_be_opened_again(three, monkeypatch, tmp_path):
    splits = open_data(three)
    monkeypatch.chdir(tmp_path / "shards")
    assert open_data("train-{000..002}.tar").validation.names == splits.validation.names
    monkeypatch.chdir("/")
    assert open_data(splits.reopened_by).validation.names == splits.validation.names


def test_a_resumed_epoch_gives_the_rest_whatever_the_workers(three):
    source = prepare(open_data(three).train, cache_side=None)
    assert source.cached == 0
    transform = training(Augment(crop_scale=(0.5, 1)), 16)

    def batches(epoch, start, workers):
        with Loader(source, lambda epoch: transform, batch_size=5, seed=3, workers=workers) as loader:
            return [(batch.indices, batch.images) for batch in loader.batches(epoch, start)]

    whole = batches(1, 0, 0)
    rest = batches(1, 2, 2)
    assert [indices for indices, _ in rest] == [indices for indices, _ in whole[2:]]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(rest, whole[2:], strict=True))
    assert sorted(i for indices, _ in whole for i in indices) == list(range(24))
    assert [indices for indices, _ in batches(2, 0, 0)] != [indices for indices, _ in whole]


def test_a_folder_of_shards_has_parts(write):
    folder = write("train-0.tar", usual(0, 6)).parent
    write("train-1.tar", usual(6, 6), offset=20)
    write("val-0.tar", usual(0, 4), offset=50)
    (folder / "classes.txt").write_text("tench\ngoldfish\nshark\n")
    splits = open_data(folder)
    assert splits.classes == ("tench", "goldfish", "shark")
    assert (len(splits.train), len(splits.validation), splits.given) == (12, 4, True)
    assert splits.validation.names[0] == "val-0.tar/00000.png"
    assert splits.reopened_by == str(folder)
    images = open_evaluation(folder, ("shark", "goldfish", "tench"))
    assert list(images.labels) == [2, 1, 2, 1]
    with pytest.raises(DataError, match="has the class 'tench', which is not among those the network knows"):
        open_evaluation(folder, ("goldfish", "shark"))


def test_labels_in_json_and_by_name(write):
    fields = ({"label": "cat", "cls": 7}, {"class": "dog"}, {"cls": "dog", "height": 3}, {"label": "cat"})
    path = write("a.tar", [(f"{i}", "png", "json", said) for i, said in enumerate(fields)])
    splits = open_data(path)
    assert splits.classes == ("cat", "dog")
    assert sorted([*splits.train.names, *splits.validation.names]) == [f"a.tar/{i}.png" for i in range(4)]


def test_samples_without_image_or_label_are_counted(write, tmp_path):
    path = write(
        "a.tar", [*usual(0, 8), ("x", "txt", "cls", 1), ("y", "png", "txt", "a caption"), ("z", "png", "json", {"a": 1})]
    )
    splits = open_data(path)
    assert len(splits.train) + len(splits.validation) == 8
    assert splits.notes == (f"3 samples in {path.parent} have no image or no label and are not used.",)


def test_the_contents_are_read_once(three, cache, monkeypatch):
    first = open_data(three)
    assert len(list(cache.iterdir())) == 3
    monkeypatch.setattr(shards, "_indexed", lambda *_: pytest.fail("read again"))
    again = open_data(three)
    assert again.train.names == first.train.names
    assert again.train.open(3).tobytes() == first.train.open(3).tobytes()


def test_a_shard_that_changed_is_read_again_and_a_damaged_cache_is_no_harm(write, cache):
    path = write("a.tar", usual(0, 6))
    assert len(index(path).members) == 6
    write("a.tar", usual(0, 8))
    assert len(index(path).members) == 8
    for kept in cache.iterdir():
        kept.write_text("{")
    assert len(index(path).members) == 8


def test_a_cache_that_cannot_be_written_is_no_harm(write, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path / "file"))
    assert len(index(write("a.tar", usual(0, 6))).members) == 6


def test_a_picture_that_cannot_be_read_is_named(write):
    path = write("a.tar", usual(0, 6))
    splits = open_data(path)
    name = splits.train.names[0]
    content = bytearray(path.read_bytes())
    start = int(splits.train.start[0])
    content[start : start + 8] = b"no image"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"{name} cannot be read as an image: it is not an image"):
        splits.train.open(0)
    path.unlink()
    with pytest.raises(ImageError, match=r"a\.tar cannot be read any more"):
        splits.train.open(0)


def test_copies_across_shards_stay_together(write):
    write("train-0.tar", usual(0, 10), offset=0)
    folder = write("train-1.tar", usual(10, 10), offset=0).parent
    splits = open_data(str(folder / "train-{0,1}.tar"))
    number = {name: name[-6:-4] for name in (*splits.train.names, *splits.validation.names)}
    held = {int(number[name]) % 10 for name in splits.validation.names}
    assert not held & {int(number[name]) % 10 for name in splits.train.names}


def test_wrong_shards_are_explained(write, tmp_path):
    with pytest.raises(DataError, match=r"2 of 2 shards are missing, .*a-0\.tar for one\."):
        open_data(str(tmp_path / "a-{0..1}.tar"))
    with pytest.raises(DataError, match="Shards are read from files, not from https://"):
        open_data("https://example.org/a-{0..1}.tar")
    (tmp_path / "text.tar").write_text("no tar file at all" * 100)
    with pytest.raises(DataError, match=r"The shard .*text\.tar cannot be read as a tar file"):
        open_data(tmp_path / "text.tar")
    packed = tmp_path / "packed.tar"
    with tarfile.open(packed, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("0.cls"), io.BytesIO(b""))
    with pytest.raises(DataError, match="It seems to be compressed: unpack it to a plain"):
        open_data(packed)
    path = write("cut.tar", usual(0, 6))
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(DataError, match=r"The shard .*cut\.tar cannot be read as a tar file: truncated header"):
        open_data(path)
    folder = tmp_path / "archive.tar"
    with tarfile.open(folder, "w") as tar:
        tar.addfile(tarfile.TarInfo("photos/cats/0.png"), io.BytesIO(b""))
    with pytest.raises(DataError, match=r"There are no labelled images in .*archive\.tar\. Expected are pairs such as"):
        open_data(folder)
    with pytest.raises(DataError, match="holds one class only, '1': a classifier needs at least two"):
        open_data(write("one.tar", [(f"{i}", "png", "cls", 1) for i in range(4)]))
    with pytest.raises(DataError, match=r"0\.json in .*json\.tar is damaged"):
        open_data(write("json.tar", [("0", "png", "json", b"{")]))
    twice = write("twice.tar", usual(0, 4))
    (twice.parent / "other").mkdir()
    (twice.parent / "other" / "twice.tar").write_bytes(twice.read_bytes())
    with pytest.raises(DataError, match=r"twice\.tar/00000\.png is there twice"):
        open_data(f"{twice.parent}/{{.,other}}/twice.tar")


def test_numbers_beyond_the_names_are_refused(write):
    path = write("a.tar", [(f"{i}", "png", "cls", i) for i in range(4)])
    (path.parent / "classes.txt").write_text("a\nb\nc\n")
    with pytest.raises(DataError, match="has train images of the class 3, which is not among the 3 named classes"):
        open_data(path)


def test_validation_may_not_have_classes_of_its_own(write):
    write("train.tar", usual(0, 6))
    folder = write("val.tar", [("0", "png", "cls", 5)]).parent
    with pytest.raises(
        DataError, match="has validation images of the class 5, which is not among those of the training images"
    ):
        open_data(folder)


def test_the_index_is_plain_json(write, cache):
    index(write("a.tar", usual(0, 2)))
    (kept,) = cache.iterdir()
    assert json.loads(kept.read_text())["members"] == ["00000.png", "00001.png"]
