from __future__ import annotations

import datasets
import numpy as np
import pytest

from inceptions.data import ImageError, open_data, open_evaluation, prepare
from inceptions.data.tables import Table
from inceptions.errors import DataError, MachineError

FEATURES = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)


@pytest.fixture
def rows(noise):
    """A table of noise, as `datasets` keeps images: encoded."""

    def make(count: int, seed: int = 0, features=FEATURES, **columns):
        columns = columns or {"label": [i % 2 for i in range(count)]}
        images = [noise(seed + i, 20 + i % 3, 18) for i in range(count)]
        return datasets.Dataset.from_dict({"image": images, **columns}, features=features)

    return make


def same_pixels(table: Table, i: int, rows: datasets.Dataset) -> bool:
    number = int(table.names[i].rpartition("/")[2])
    return np.array_equal(np.asarray(table.open(i)), np.asarray(rows[number]["image"].convert("RGB")))


def test_a_folder_of_save_to_disk(rows, tmp_path):
    parts = datasets.DatasetDict({"train": rows(10), "test": rows(4, 100)})
    parts.save_to_disk(tmp_path / "saved")
    splits = open_data(tmp_path / "saved")
    assert (splits.name, splits.classes, splits.given, splits.where) == ("saved", ("cat", "dog"), True, None)
    assert (len(splits.train), list(splits.validation.labels)) == (10, [0, 1, 0, 1])
    assert splits.validation.names[3] == "test/000003"
    assert all(same_pixels(splits.train, i, parts["train"]) for i in range(10))
    assert splits.reopened_by == str(tmp_path / "saved")
    assert list(open_evaluation(tmp_path / "saved", ("dog", "cat")).labels) == [1, 0, 1, 0]


def test_a_single_table_is_split_and_kept_apart_from_its_copies(rows, tmp_path):
    datasets.concatenate_datasets([rows(10), rows(10)]).save_to_disk(tmp_path / "saved")
    splits = open_data(tmp_path / "saved")
    assert (len(splits.train), len(splits.validation)) == (16, 4)
    held = {int(name[-2:]) % 10 for name in splits.validation.names}
    assert not held & {int(name[-2:]) % 10 for name in splits.train.names}


def test_lengths_are_those_of_the_bytes_also_of_chosen_rows(rows, tmp_path):
    rows(12).select([7, 3, 3, 8, 0, 1, 2, 4]).save_to_disk(tmp_path / "saved")
    train = open_data(tmp_path / "saved").train
    for i in range(len(train)):
        assert train.size(i) == len(train.read(i)) > 0
        assert train.read(i, 10, 20) == train.read(i)[10:30]


def test_parquet_files_and_a_folder_of_them(rows, tmp_path):
    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    train, test = rows(10), rows(4, 100)
    train.select(range(6)).to_parquet(folder / "train-00000-of-00002.parquet")
    train.select(range(6, 10)).to_parquet(folder / "train-00001-of-00002.parquet")
    test.to_parquet(folder / "test-00000-of-00001.parquet")
    splits = open_data(tmp_path / "set")
    assert (splits.classes, len(splits.train), len(splits.validation)) == (("cat", "dog"), 10, 4)
    assert all(same_pixels(splits.train, i, train) for i in range(10))
    alone = open_data(folder / "train-00000-of-00002.parquet")
    assert (len(alone.train), len(alone.validation)) == (4, 2)


def test_columns_without_features_and_labels_by_name(rows, tmp_path):
    encoded = rows(6).cast_column("image", datasets.Image(decode=False))
    plain = datasets.Dataset.from_dict(
        {"img": [cell["bytes"] for cell in encoded["image"]], "label": ["b", "a"] * 3, "id": [1] * 6}
    )
    plain.to_parquet(tmp_path / "plain.parquet")
    splits = open_data(tmp_path / "plain.parquet")
    assert splits.classes == ("a", "b")
    assert splits.train.open(0).mode == "RGB"
    assert splits.train.column == "img"


def test_pictures_in_files_of_their_own(plant, tmp_path):
    root = plant({"photos": 4})
    paths = [str(root / f"photos/{i}.png") for i in range(4)]
    table = datasets.Dataset.from_dict({"image": paths, "label": [0, 1, 0, 1]}, features=FEATURES)
    table.save_to_disk(tmp_path / "saved")
    splits = open_data(tmp_path / "saved")
    splits.train.open(0)
    for path in root.rglob("*.png"):
        path.unlink()
    encoded = [splits.train.length[i] >= 0 for i in range(2)]
    if not all(encoded):  # `datasets` may have embedded them
        with pytest.raises(ImageError, match="cannot be read any more"):
            splits.train.open(encoded.index(False))


def test_unreadable_rows_are_skipped_by_name(rows, tmp_path):
    broken = rows(20).cast_column("image", datasets.Image(decode=False))
    broken = broken.map(
        lambda row, i: {"image": {"bytes": b"no image", "path": None} if i == 3 else row["image"]}, with_indices=True
    )
    broken.save_to_disk(tmp_path / "saved")
    splits = open_data(tmp_path / "saved")
    faults = [
        fault
        for images in (splits.train, splits.validation)
        for fault in prepare(images, cache_side=None, max_unreadable=1).skipped
    ]
    assert [name for name, _ in faults] == ["train/000003"]


def test_wrong_tables_are_explained(rows, tmp_path):
    two = datasets.Features({**FEATURES, "mask": datasets.Image()})
    rows(4, features=two, label=[0, 1, 0, 1], mask=rows(4)["image"][:]).save_to_disk(tmp_path / "two")
    with pytest.raises(DataError, match=r"needs one column of images; its columns are image, label, mask\. Rename"):
        open_data(tmp_path / "two")
    rows(4).remove_columns(["label"]).save_to_disk(tmp_path / "unlabelled")
    with pytest.raises(DataError, match="needs a column label; its columns are image"):
        open_data(tmp_path / "unlabelled")
    datasets.DatasetDict({"dev": rows(4)}).save_to_disk(tmp_path / "dev")
    with pytest.raises(DataError, match="has no training images; its parts are dev"):
        open_data(tmp_path / "dev")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(DataError, match=r"text\.parquet cannot be opened as a data set: "):
        open_data(tmp_path / "text.parquet")
    with pytest.raises(DataError, match=r"gone\.parquet cannot be opened as a data set: "):
        open_data(tmp_path / "gone.parquet")


def test_labels_must_be_labels(rows, tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("float32")})
    rows(4, features=features, label=[0.5, 1, 1, 2]).save_to_disk(tmp_path / "floats")
    with pytest.raises(DataError, match=r"must hold numbers or names of classes, not 0\.5"):
        open_data(tmp_path / "floats")


def test_the_hub_is_asked_for_a_name_and_a_configuration(rows, monkeypatch):
    asked = []

    def load(*arguments):
        asked.append(arguments)
        return datasets.DatasetDict({"train": rows(6), "validation": rows(2, 50)})

    monkeypatch.setattr(datasets, "load_dataset", load)
    splits = open_data("hf-dataset:owner/name")
    assert (splits.name, splits.reopened_by, len(splits.validation)) == ("owner/name", "hf-dataset:owner/name", 2)
    open_data("hf-dataset:owner/name:large")
    assert asked == [("owner/name", None), ("owner/name", "large")]


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (
            ConnectionError("Couldn't reach it"),
            MachineError,
            r"The Hugging Face Hub cannot be reached for hf-dataset:o/n: Could",
        ),
        (OSError("429 too many"), MachineError, "hf-dataset:o/n cannot be fetched: 429 too many"),
        (
            datasets.exceptions.DatasetNotFoundError("doesn't exist\nmore"),
            DataError,
            r"cannot be opened as a data set: doesn't exist\.$",
        ),
        (ValueError("Config name is missing."), DataError, r"cannot be opened as a data set: Config name is missing\.$"),
    ],
)
def test_what_the_hub_refuses_is_said(monkeypatch, raised, kind, said):
    def load(*_):
        raise raised

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(kind, match=said):
        open_data("hf-dataset:o/n")


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MachineError, match=r"needs the package datasets: pip install 'inceptions\[data\]'"):
        open_data("hf-dataset:owner/name")
