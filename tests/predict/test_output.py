from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from inceptions.errors import DataError
from inceptions.network import create_model
from inceptions.predict import Guess, Prediction, Predictor, expand, predict_files
from inceptions.predict.output import Source, write_csv, write_json, write_text
from inceptions.weights import Card, Preprocess

CAT = Guess("cat, tabby", 1, 0.9876)
DOG = Guess("dog", 0, 0.0124)
GOOD = Prediction(path="a.jpg", top=(CAT, DOG))
BAD = Prediction(path="b.jpg", error="the file is cut off")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    model = create_model("plain_cnn", num_classes=2, width=0.125, seed=0)
    card = Card(
        architecture="plain_cnn",
        variant="tutorial",
        options=model.architecture.options,
        classes=("dog", "cat"),
        preprocess=Preprocess(size=(64, 64), resize="exact"),
    )
    return Predictor(model, card, device="cpu")


@pytest.fixture
def holidays(tmp_path: Path) -> Path:
    folder = tmp_path / "holidays"
    (folder / "deep").mkdir(parents=True)
    Image.new("RGB", (20, 20), "red").save(folder / "b.png")
    Image.new("RGB", (20, 20), "blue").save(folder / "deep" / "a.png")
    (folder / "c.jpg").write_bytes(b"no image")
    return folder


def test_folders_stand_for_their_images(holidays: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert expand([tmp_path / "x.jpg", holidays, empty]) == [
        Source(tmp_path / "x.jpg", named=True),
        Source(holidays / "b.png", named=False),
        Source(holidays / "c.jpg", named=False),
        Source(holidays / "deep" / "a.png", named=False),
        Source(empty, named=True),
    ]


def test_text() -> None:
    out = io.StringIO()
    write_text([GOOD, BAD, Prediction(path="c.jpg", top=(CAT,))], out)
    assert out.getvalue() == (
        "a.jpg\n   98.8 %  cat, tabby\n    1.2 %  dog\nb.jpg\n  not read: the file is cut off\nc.jpg  cat, tabby  98.8 %\n"
    )


def test_json() -> None:
    out = io.StringIO()
    write_json([GOOD, BAD], out)
    assert json.loads(out.getvalue()) == [GOOD.to_dict(), BAD.to_dict()]


def test_csv() -> None:
    out = io.StringIO()
    write_csv([GOOD, BAD], out)
    assert list(csv.reader(io.StringIO(out.getvalue()))) == [
        ["path", "rank", "class", "index", "probability", "error", "sure"],
        ["a.jpg", "1", "cat, tabby", "1", "0.987600", "", ""],
        ["a.jpg", "2", "dog", "0", "0.012400", "", ""],
        ["b.jpg", "", "", "", "", "the file is cut off", ""],
    ]


def test_an_answer_that_is_not_sure_says_so() -> None:
    out = {form: io.StringIO() for form in ("text", "csv")}
    write_text(
        [replace(GOOD, sure=False), replace(GOOD, sure=True), Prediction(path="c.jpg", top=(CAT,), sure=False)], out["text"]
    )
    lines = out["text"].getvalue().splitlines()
    assert [lines[0], lines[3], lines[6]] == ["a.jpg  not sure", "a.jpg", "c.jpg  cat, tabby  98.8 %  not sure"]
    write_csv([replace(GOOD, sure=False)], out["csv"])
    assert [row["sure"] for row in csv.DictReader(io.StringIO(out["csv"].getvalue()))] == ["false", "false"]
    assert replace(GOOD, sure=True).to_dict()["sure"] is True
    assert "sure" not in GOOD.to_dict()


def test_a_bad_file_in_a_folder_is_only_reported(predictor: Predictor, holidays: Path) -> None:
    out = io.StringIO()
    predict_files(predictor, expand([holidays]), top=1, form="json", out=out)
    rows = json.loads(out.getvalue())
    assert [Path(row["path"]).name for row in rows] == ["b.png", "c.jpg", "a.png"]
    assert ["error" in row for row in rows] == [False, True, False]


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_a_bad_file_given_by_name_is_an_error_after_all_answers(predictor: Predictor, holidays: Path, form: str) -> None:
    out = io.StringIO()
    sources = expand([holidays / "c.jpg", holidays / "gone.jpg", holidays / "b.png"])
    with pytest.raises(DataError, match=r"c\.jpg cannot be read as an image: .* So it is with 1 more\."):
        predict_files(predictor, sources, top=1, form=form, out=out)
    for name in ("c.jpg", "gone.jpg", "b.png"):
        assert name in out.getvalue()


def test_nothing_to_predict_is_an_error(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    out = io.StringIO()
    with pytest.raises(DataError, match="empty cannot be read as an image: it is a folder without images"):
        predict_files(predictor, expand([tmp_path / "empty"]), top=1, form="json", out=out)
    assert json.loads(out.getvalue()) == [{"path": str(tmp_path / "empty"), "error": "it is a folder without images"}]
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.jpg").write_bytes(b"nothing")
    with pytest.raises(DataError, match="None of the 1 images could be read"):
        predict_files(predictor, expand([tmp_path / "bad"]), top=1, form="json", out=io.StringIO())
