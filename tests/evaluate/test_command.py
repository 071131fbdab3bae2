from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from inceptions.cli import execute


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`inceptions evaluate` in this process."""

    def run(*words: str | Path) -> Said:
        code = execute(["evaluate", *map(str, words), "--device", "cpu", "--precision", "fp32"])
        return Said(code, *capsys.readouterr())

    return run


def test_one_model(call: Callable[..., Said], saved, photos: Path, tmp_path: Path) -> None:
    (photos / "red" / "9.png").write_bytes(b"")
    weights = saved(0)
    said = call(weights, photos, "--json", "--csv", tmp_path / "all.csv")
    assert (said.code, said.err) == (0, "")
    document = said.document
    assert document.keys() >= {
        "n",
        "top1",
        "top5",
        "loss",
        "protocol",
        "per_class",
        "intervals",
        "calibration_error",
        "confusion",
    }
    assert document["n"] == 19
    rows = list(csv.DictReader((tmp_path / "all.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 20
    assert sum(row["right"] == "true" for row in rows) / 19 == document["top1"]
    assert (rows[-1]["path"], rows[-1]["error"]) == ("red/9.png", "it is empty")
    assert all((row["answer"] == row["class"]) == (row["class_rank"] == "1") for row in rows[:-1])
    text = call(weights, photos)
    assert f"top-1   {100 * document['top1']:.1f} %" in text.out
    assert text.out.endswith("not counted: red/9.png (it is empty)\n")


def test_several_models_and_protocols(call: Callable[..., Said], saved, photos: Path) -> None:
    models = [saved(i) for i in range(3)]
    together = call(*models, photos, "--crops", "10", "--average", "logits", "--votes", "1,1,2", "--json").document
    assert [one["weights"] for one in together["models"]] == list(map(str, models))
    assert together["protocol"].endswith("mean of 3 models' logits, weighed 1:1:2")
    table = call(*models, photos, "--crops", "1,10,full", "--json").document
    assert [(row["models"], row["crops"]) for row in table["rows"]] == [(m, c) for m in (1, 3) for c in ("1", "10", "full")]
    lines = call(*models, photos, "--crops", "1,10,full").out.splitlines()
    assert " ".join(lines[0].split()) == "models crops cost top-1 error loss compared with the first row"
    assert [line.split()[:3] for line in lines[1:7]] == [
        ["1", "1", "1"], ["1", "10", "10"], ["1", "full", "1"], ["3", "1", "3"], ["3", "10", "30"], ["3", "full", "3"],
    ]  # fmt: skip
    assert "20 images" in lines[8]
    text = call(*models, photos).out
    assert all(str(model) in text for model in models)


def test_heads(call: Callable[..., Said], saved, photos: Path) -> None:
    weights = saved(0, name="googlenet", size=64, width=0.0625, aux=True)
    document = call(weights, photos, "--heads", "--json").document
    assert list(document["heads"]) == ["aux_4a", "aux_4d", "main", "mean", "best"]
    assert document["heads"]["main"]["top1"] == document["top1"]
    assert "aux_4d" in call(weights, photos, "--heads").out


def test_compare(call: Callable[..., Said], saved, photos: Path, tmp_path: Path) -> None:
    first, second = saved(0), saved(4)
    document = call("--compare", first, second, photos, "--json", "--sheet", tmp_path / "s.png").document
    assert [one["weights"] for one in document["models"]] == [str(first), str(second)]
    assert len(document["changes"]) >= document["gained"] + document["lost"]
    assert (tmp_path / "s.png").exists() == bool(document["changes"])
    text = call(first, second, photos, "--compare").out
    assert "McNemar" in text
    assert str(second) in text
    again = tmp_path / "again.safetensors"
    again.write_bytes(first.read_bytes())
    same = call(first, again, photos, "--compare", "--sheet", tmp_path / "none.png")
    assert "0 by B only, 0 by A only; p = 1 " in same.out
    assert "none.png is not drawn" in same.err


def test_calibrate(call: Callable[..., Said], saved, taught, muddled: Path) -> None:
    weights, photos = saved(0), muddled
    assert "decide no temperature" in call(weights, photos, "--calibrate").err, "it knows nothing yet"
    taught(weights, photos)
    document = call(weights, photos, "--calibrate", "--precision-wanted", "0.5", "--json")
    assert (document.code, document.err) == (0, "")
    assert document.document["images"] == 20
    assert document.document["weights"] == str(weights)
    assert "fitted on 20 images" in call(weights, photos, "--calibrate").out
    assert "calibrated  temperature" in call(weights, photos).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--compare", "--calibrate"), "exclude each other"),
        (("--compare", "--crops", "1,10"), "exclude each other"),
        (("--compare", "--heads"), "plain evaluation"),
        (("--compare",), "takes two models, not 1"),
        (("--crops", "1,10", "--csv", "x.csv"), "plain evaluation"),
        (("--sheet", "x.png"), "--sheet goes with --compare"),
        (("--precision-wanted", "0.9"), "--precision-wanted with --calibrate"),
        (("--calibrate", "--precision-wanted", "0"), "The wanted precision lies above 0"),
        (("--calibrate", "--votes", "1"), "--votes goes with"),
        (("--crops", "7"), "Unknown crops '7'"),
        (("--crops", "10", "--scales", "20"), "does not fit"),
        (("--size", "20"), "needs images of at least"),
    ],
)
def test_what_does_not_go_together(call: Callable[..., Said], saved, photos: Path, words: tuple[str, ...], said: str) -> None:
    answer = call(saved(0), photos, *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_weights_of_no_run_need_a_folder(call: Callable[..., Said], saved) -> None:
    answer = call(saved(0), saved(1))
    assert answer.code == 2
    assert "Name a folder of labelled images" in answer.err


def test_options_are_looked_at_even_if_the_answers_are_kept(call: Callable[..., Said], saved, photos: Path) -> None:
    weights = saved(0)
    assert call(weights, photos).code == 0
    answer = call(weights, photos, "--workers", "-1")
    assert (answer.code, answer.out) == (2, "")
