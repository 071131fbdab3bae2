from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from inceptions.cli import execute
from inceptions.data import decode, evaluation, find_images, normalise
from inceptions.errors import DataError, MachineError, UsageError, WeightsError
from inceptions.network import create_model
from inceptions.predict.feature_files import write_features
from inceptions.predict.features import Extractor, Pass, described, labels_of, open_extractor
from inceptions.train.progress import Silent
from inceptions.weights import Card, Preprocess, save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = create_model("plain_cnn", num_classes=2, width=0.125, seed=1)
    card = Card(
        architecture="plain_cnn",
        variant="tutorial",
        options=model.architecture.options,
        classes=("blue", "red"),
        preprocess=Preprocess(size=(64, 64), resize="exact"),
    )
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_weights(path, model, card)
    return path


@pytest.fixture(scope="module")
def extractor(weights: Path) -> Extractor:
    return open_extractor(weights, device="cpu")


def write(extractor: Extractor, folder: Path, output: Path, **options: object):
    return write_features(extractor, folder, output, workers=0, reporter=Silent(), **options)


def by_hand(extractor: Extractor, folder: Path, tap: str) -> torch.Tensor:
    show = evaluation(extractor.card.preprocess)
    pixels = torch.stack([show(decode(file)) for file in find_images(folder)])
    with torch.inference_mode():
        return extractor.model.features(normalise(pixels, extractor.card.preprocess), [tap])[tap]


def test_npz(extractor: Extractor, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inceptions.predict.features.BATCH", 7)  # several chunks, the last one smaller
    (photos / "red/broken.jpg").write_text("no image")
    written = write(extractor, photos, tmp_path / "out/features.npz")
    assert written.images == 20
    assert [Path(path).name for path, _ in written.skipped] == ["broken.jpg"]
    (photos / "red/broken.jpg").unlink()
    with np.load(tmp_path / "out/features.npz") as file:
        assert set(file) == {"features", "names", "about", "labels", "classes"}
        assert file["features"].dtype == np.float32
        expected = by_hand(extractor, photos, written.tap).mean(dim=(2, 3))
        np.testing.assert_allclose(file["features"], expected.numpy(), rtol=1e-4, atol=1e-5)
        assert file["names"].tolist() == [path.relative_to(photos).as_posix() for path in find_images(photos)]
        assert file["labels"].tolist() == [0] * 10 + [1] * 10
        assert file["classes"].tolist() == ["blue", "red"]
        about = json.loads(str(file["about"]))
    assert about["sha256"] == extractor.sha256
    assert about["tap"] == written.tap
    assert Preprocess.from_dict(about["preprocess"]) == extractor.card.preprocess
    assert "not read" in written.to_text()


def test_whole_maps_of_another_tap_without_classes(extractor: Extractor, photos: Path, tmp_path: Path) -> None:
    tap = extractor.model.architecture.taps[0]
    written = write(extractor, photos / "blue", tmp_path / "maps.npz", tap=tap, maps=True)
    with np.load(tmp_path / "maps.npz") as file:
        assert set(file) == {"features", "names", "about"}
        assert file["features"].shape == (10, *written.shape)
        np.testing.assert_allclose(file["features"], by_hand(extractor, photos / "blue", tap).numpy(), rtol=1e-4, atol=1e-5)


def test_parquet(extractor: Extractor, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import parquet

    monkeypatch.setattr("inceptions.predict.features.BATCH", 6)
    monkeypatch.setattr("inceptions.predict.feature_files.GROUP", 100)
    write(extractor, photos, tmp_path / "features.parquet")
    write(extractor, photos, tmp_path / "features.npz")
    table = parquet.read_table(tmp_path / "features.parquet")
    with np.load(tmp_path / "features.npz") as file:
        assert table["name"].to_pylist() == file["names"].tolist()
        assert table["class"].to_pylist() == file["classes"][file["labels"]].tolist()
        assert np.array_equal(np.array(table["features"].to_pylist(), dtype=np.float32), file["features"])
    assert json.loads(table.schema.metadata[b"inceptions"])["sha256"] == extractor.sha256


def test_without_pyarrow(extractor: Extractor, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MachineError, match=r"pip install 'inceptions\[data\]'"):
        write(extractor, photos, tmp_path / "features.parquet")


def test_a_failure_leaves_nothing_behind(extractor: Extractor, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.jpg").write_text("no image")
    (tmp_path / "features.npz").write_text("before")
    with pytest.raises(DataError, match="None of the 1 images"):
        write(extractor, tmp_path / "images", tmp_path / "features.npz")
    assert (tmp_path / "features.npz").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"images", "features.npz"}
    with pytest.raises(UsageError, match=r"must end in \.npz or \.parquet"):
        write(extractor, tmp_path / "images", tmp_path / "features.csv")


def test_values_that_are_no_numbers_name_the_image(weights: Path, photos: Path) -> None:
    extractor = open_extractor(weights, device="cpu")
    with torch.no_grad():
        next(extractor.model.parameters()).fill_(torch.inf)
    with pytest.raises(WeightsError, match=r"answers to .*0\.png with values that are not finite"):
        list(Pass(extractor, find_images(photos), [extractor.tap()], workers=0))


def test_labels(tmp_path: Path) -> None:
    def files(*names: str) -> list[Path]:
        return [tmp_path / name for name in names]

    for name in ("train", "val"):
        (tmp_path / name).mkdir()
    assert labels_of(tmp_path, files("train/a/1.png", "train/b/x/2.png", "val/a/3.png")) == ((0, 1, 0), ("a", "b"))
    assert labels_of(tmp_path, files("train/1.png")) is None
    assert labels_of(tmp_path, files("a/1.png", "2.png")) is None
    assert labels_of(tmp_path, files("b/1.png", "c/2.png")) == ((0, 1), ("b", "c"))


def test_preprocessing_can_be_chosen(weights: Path) -> None:
    shown = open_extractor(weights, preprocess="graph_2015", device="cpu").card.preprocess
    assert (shown.sampling, shown.mean) == ("corners", (128 / 255,) * 3)
    assert described(shown).endswith("(bilinear as TensorFlow 1), (x - 128) / 128")
    assert "(x -" not in described(Preprocess.standard(224))


def test_the_command(weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = execute(["features", *map(str, words), "--workers", "0", "--device", "cpu"])
        return code, *capsys.readouterr()

    code, out, _ = call(weights, photos, "-o", tmp_path / "f.npz")
    assert code == 0
    assert "20 images" in out
    code, out, err = call(weights, photos / "red", "--against", photos / "blue", "--inception-score", "--json", "--quiet")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert len(document["distances"]) == 1
    assert "inception_score" in document["folders"][0]
    assert "inception_score" not in document["folders"][1]
    for words in (
        (weights, photos),
        (weights, photos, "-o", "f.npz", "--against", photos),
        (weights, photos, "-o", "f.npz", "--tap", "a,b"),
        (weights, photos, "--inception-score", "--maps"),
        (weights, photos, "--inception-score", "--tap", "conv_1"),
    ):
        code, out, err = call(*words)
        assert (code, out) == (2, "")
        assert err.startswith("inceptions: ")
