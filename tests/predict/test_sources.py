"""Where images come from: files, folders, shards; and what happens to shards that are not what they seem."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from inceptions.errors import DataError
from inceptions.network import create_model
from inceptions.predict import Predictor, expand, predict_files
from inceptions.predict.sources import Source, shown
from inceptions.weights import Card, Preprocess


def jpeg(colour: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (20, 20), colour).save(content, "JPEG")
    return content.getvalue()


def shard(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_images_of_a_shard_lie_where_they_lie_and_labels_are_none(tmp_path: Path) -> None:
    red, blue = jpeg("red"), jpeg("blue")
    path = shard(
        tmp_path / "a.tar", {"./b/1.jpg": red, "./b/1.cls": b"3", "0.PNG": blue, "0.json": b"{}", "._x.jpg": b"rubbish"}
    )
    found = list(shown([Source(path, named=True)]))
    assert [(one.name, one.image, one.fault) for one in found] == [(f"{path}/b/1.jpg", red, ""), (f"{path}/0.PNG", blue, "")]


def test_what_an_argument_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shards").mkdir()
    for number in (1, 0):
        shard(tmp_path / "shards" / f"{number}.tar", {})
    assert expand([Path("shards")]) == [Source(Path(f"shards/{i}.tar"), named=False) for i in (0, 1)]
    assert expand([Path("shards/{0..1}.tar")]) == [Source(Path(f"shards/{i}.tar"), named=True) for i in (0, 1)]
    assert expand([Path("gone.tar")]) == [Source(Path("gone.tar"), named=True)]
    with pytest.raises(DataError, match="braces"):
        expand([Path("{0..1.tar")])


@pytest.mark.parametrize(
    ("damage", "answered", "fault"),
    [
        (lambda content: b"", 0, "it is no tar file, or compressed or damaged"),
        (lambda content: b"<html>", 0, "it is no tar file"),
        (lambda content: content[:1536] + b"\xff" * 512 + content[2048:], 1, "damaged behind its first 1,536 bytes"),
        (lambda content: content[:2148], 1, "damaged"),
        (None, 0, "no such file"),
    ],
)
def test_a_damaged_shard_is_a_row_behind_its_images(damage: object, answered: int, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    content = jpeg("red")[:600].ljust(600, b"\0")
    shard(path, {"0.jpg": content, "1.jpg": content})
    whole = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(whole))  # type: ignore[operator]
    found = list(shown([Source(path, named=False)]))
    assert [one.fault == "" for one in found] == [True] * answered + [False]
    assert found[-1].name == str(path)
    assert fault in found[-1].fault


def test_a_shard_without_images(tmp_path: Path) -> None:
    (found,) = shown([Source(shard(tmp_path / "a.tar", {"0.cls": b"1"}), named=True)])
    assert found.fault == "it is a shard without images"


def test_rows_of_files_and_shards(tmp_path: Path) -> None:
    model = create_model("plain_cnn", num_classes=2, width=0.125, seed=0)
    card = Card(
        architecture="plain_cnn",
        variant="tutorial",
        options=model.architecture.options,
        classes=("dog", "cat"),
        preprocess=Preprocess(size=(64, 64), resize="exact"),
    )
    predictor = Predictor(model, card, device="cpu")
    red = jpeg("red")
    (tmp_path / "red.jpg").write_bytes(red)
    path = shard(tmp_path / "a.tar", {"0.jpg": red, "1.jpg": b"no image", "2.jpg": jpeg("blue")})
    out = io.StringIO()
    predict_files(predictor, expand([tmp_path / "red.jpg", path]), top=1, form="jsonl", out=out)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["path"] for row in rows] == [str(tmp_path / "red.jpg"), *(f"{path}/{i}.jpg" for i in range(3))]
    assert rows[0]["top"][0]["probability"] == pytest.approx(rows[1]["top"][0]["probability"])
    assert "not an image" in rows[2]["error"]
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.tar cannot be read as an image: it is no tar file"):
        predict_files(predictor, expand([tmp_path / "red.jpg", path]), top=1, form="text", out=io.StringIO())
