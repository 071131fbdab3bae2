"""Answers in pieces: what is kept, what is done again, what is refused; and Ray, where it is installed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from inceptions.cli import execute
from inceptions.deploy import spread as room
from inceptions.deploy.spread import Question, cluster, parts, spreading
from inceptions.deploy.spread.question import Asked
from inceptions.errors import DataError, MachineError, UsageError, WeightsError
from inceptions.network import create_model
from inceptions.predict.sources import Source, expand
from inceptions.train.progress import Silent
from inceptions.weights import Card, Preprocess, save_weights

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(parts.pieces, "__defaults__", (4,))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = create_model("plain_cnn", num_classes=3, width=0.125, seed=0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    card = Card(
        architecture="plain_cnn",
        variant="tutorial",
        options=model.architecture.options,
        classes=("cat", 'döner "x", y', "日本"),
        preprocess=Preprocess(size=(64, 64), resize="exact"),
    )
    save_weights(path, model, card)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eleven photographs and a file that is none: three pieces."""
    found = tmp_path / "holidays"
    found.mkdir()
    random = np.random.default_rng(0)
    for i in range(11):
        Image.fromarray(random.integers(0, 256, (40, 50, 3), np.uint8)).save(found / f"{i:02d}.png")
    (found / "05b.jpg").write_bytes(b"no image")
    return found


def count(monkeypatch: pytest.MonkeyPatch, *, stop_at: int | None = None) -> list[list[Source]]:
    """Note which pieces are computed, and be interrupted at one of them."""
    seen: list[list[Source]] = []
    rows = Asked.rows

    def counted(self: Asked, sources: list[Source]) -> list[dict[str, Any]]:
        if len(seen) == stop_at:
            raise KeyboardInterrupt
        seen.append(sources)
        return rows(self, sources)

    monkeypatch.setattr(Asked, "rows", counted)
    return seen


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_the_same_bytes_as_without_pieces(
    ending: str,
    weights: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    if ending == "json":
        # Its numbers have all their digits, and the last of them depends on how many images are computed together.
        monkeypatch.setattr(parts.pieces, "__defaults__", (parts.IMAGES,))
    output = tmp_path / f"out.{ending}"
    assert execute(["predict", str(weights), str(folder), f"--{ending}"]) == 0
    expected = capsysbinary.readouterr().out
    assert execute(["predict", str(weights), str(folder), "-o", str(output), "--json", "--quiet"]) == 0
    said = capsysbinary.readouterr()
    assert output.read_bytes() == expected
    report = json.loads(said.out)
    assert (report["images"], report["not_read"], report["kept"]) == (12, 1, 0)
    assert said.err == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["holidays", output.name]


def test_lines(weights: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["predict", str(weights), str(folder), "-o", "out.jsonl", "--top", "1"]) == 0
    assert "out.jsonl: 12 images, 1 not read" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [Path(row["path"]).name for row in rows] == sorted(path.name for path in folder.iterdir())
    assert [("error" in row) for row in rows] == [row["path"].endswith("05b.jpg") for row in rows]


def test_what_was_answered_is_not_computed_again(
    weights: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["predict", str(weights), str(folder), "--csv"]) == 0
    expected = capsys.readouterr().out
    words = ["predict", str(weights), str(folder), "-o", "out.csv"]
    with monkeypatch.context() as patched:
        seen = count(patched, stop_at=2)
        assert execute(words) == 75
        assert len(seen) == 2
    assert not (tmp_path / "out.csv").exists()
    assert len(list((tmp_path / ".out.csv.parts").glob("*.jsonl"))) == 2
    seen = count(monkeypatch)
    assert execute(words) == 0
    assert [source.path.name for piece in seen for source in piece] == ["07.png", "08.png", "09.png", "10.png"]
    said = capsys.readouterr()
    assert "8 images were answered before: 1 of 3 pieces are left." in said.err
    assert "8 of them kept from before" in said.out
    assert (tmp_path / "out.csv").read_text() == expected
    assert not (tmp_path / ".out.csv.parts").exists()


def test_printed_answers_go_on_too(
    weights: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    question = Question(weights=str(weights), base=tmp_path)
    with monkeypatch.context() as patched:
        count(patched, stop_at=1)
        with pytest.raises(KeyboardInterrupt):
            room.show_all(question, expand([folder]), sys.stdout, form="text", on="here", progress=Silent())
    assert capsys.readouterr().out == ""
    seen = count(monkeypatch)
    found = room.show_all(question, expand([folder]), sys.stdout, form="text", on="here", progress=Silent())
    assert (found.answered, found.unread, len(seen)) == (11, 1, 2)
    printed = capsys.readouterr().out
    assert execute(["predict", str(weights), str(folder)]) == 0
    assert capsys.readouterr().out == printed
    assert list((tmp_path / "home" / "predict").iterdir()) == []


def test_other_questions_and_other_images_are_answered_anew(weights: Path, folder: Path, tmp_path: Path) -> None:
    sources = expand([folder])
    question = Question(weights=str(weights), base=tmp_path)

    def names(**changed: Any) -> list[str]:
        return [piece.name for piece in parts.pieces(Question(weights=str(weights), base=tmp_path, **changed), sources)]

    first = names()
    assert [len(piece.sources) for piece in parts.pieces(question, sources)] == [4, 4, 4]
    assert names() == first
    for changed in ({"top": 1}, {"head": "mean"}, {"engine": "auto"}, {"precision": "bf16"}, {"scaled_decoding": True}):
        assert not set(names(**changed)) & set(first)
    (folder / "02.png").write_bytes(b"another")
    assert [one == other for one, other in zip(names(), first, strict=True)] == [False, True, True]
    os.utime(weights, ns=(1, 1))
    assert not set(names()) & set(first)


def test_a_shard_is_a_piece_of_its_own(tmp_path: Path) -> None:
    sources = [Source(Path(name), named=True) for name in ("a.jpg", "b.jpg", "0.tar", "c.jpg", "1.tar")]
    found = parts.pieces(Question(weights="w", base=tmp_path), sources)
    assert [[str(source.path) for source in piece.sources] for piece in found] == [
        ["a.jpg", "b.jpg"], ["0.tar"], ["c.jpg"], ["1.tar"]
    ]  # fmt: skip


def test_the_same_files_twice_are_computed_once(weights: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = count(monkeypatch)
    assert execute(["predict", str(weights), str(folder), str(folder), "-o", "out.csv"]) == 0
    assert len(seen) == 3
    with Path("out.csv").open(newline="") as file:
        assert len({row["path"] for row in csv.DictReader(file)}) == 12


def test_a_name_that_is_no_text(weights: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    Image.new("RGB", (9, 9)).save(tmp_path / name)
    assert execute(["predict", str(weights), name, "-o", "out.csv", "--top", "1"]) == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1].startswith("caf\\udce9.png,1,")


def test_what_is_wrong_is_said_behind_all_answers(
    weights: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["predict", str(weights), str(folder), "gone.jpg", "-o", "out.csv"]) == 3
    assert "gone.jpg cannot be read as an image: there is no such file." in capsys.readouterr().err
    assert "gone.jpg,,,,,there is no such file," in (tmp_path / "out.csv").read_text()


def test_two_at_once_are_refused(weights: Path, folder: Path, tmp_path: Path) -> None:
    place = tmp_path / ".out.csv.parts"
    place.mkdir()
    with FileLock(place / ".lock"), pytest.raises(UsageError, match="Another process is answering the same"):
        room.write(Question(weights=str(weights), base=tmp_path), expand([folder]), Path("out.csv"), progress=Silent())


def test_a_damaged_part(weights: Path, folder: Path, tmp_path: Path) -> None:
    question, sources = Question(weights=str(weights), base=tmp_path), expand([folder])
    (tmp_path / ".out.csv.parts").mkdir()
    (tmp_path / ".out.csv.parts" / parts.pieces(question, sources)[0].name).write_text("{ not json")
    with pytest.raises(DataError, match="Delete it and run the same command"):
        room.write(question, sources, Path("out.csv"), on="here", progress=Silent())
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-o", "out.txt"], 2, "out.txt says no form: name a file that ends in .csv, .jsonl, .json."),
        (["-o", "out.csv", "--csv"], 2, "name one of them"),
        (["--workers", "2"], 2, "--workers goes with --on ray"),
        (["--on", "ray", "--workers", "0"], 2, "at least 1"),
        (["-o", "out.csv", "--head", "aux_9"], 2, "Unknown head"),
    ],
)
def test_refusals(
    words: list[str], code: int, said: str, weights: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["predict", str(weights), str(folder), *words]) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_without_ray(weights: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert execute(["predict", str(weights), str(folder), "--on", "ray"]) == 5
    captured = capsys.readouterr()
    assert captured.err == "inceptions: This needs Ray: pip install 'inceptions[ray]'.\n"
    assert captured.out == ""


class Counter:
    """A tally in this process."""

    def __init__(self) -> None:
        self.tally = cluster.Tally()

    def __call__(self, what: str, *arguments: str) -> int:
        return getattr(self.tally, what)(*arguments)


def asked(worker: cluster.Worker, name: str = "a", sources: str = '[["a.jpg", true], ["b.jpg", true]]') -> dict[str, list[str]]:
    return worker({"name": [name], "sources": [sources]})


def test_a_worker_says_what_went_wrong_and_of_what_kind(weights: Path, folder: Path, tmp_path: Path) -> None:
    missing = cluster.Worker(Question(weights="gone.safetensors", base=tmp_path).open, 1, Counter(), 1)
    for _ in range(2):
        assert json.loads(asked(missing)["fault"][0])[0] == WeightsError.__name__
    sound = cluster.Worker(Question(weights=str(weights), base=tmp_path).open, 1, Counter(), 1)
    found = asked(sound, sources=json.dumps([["holidays/00.png", False], ["holidays/05b.jpg", False]]))
    rows = json.loads(found["rows"][0])
    assert (found["fault"], found["name"], "error" in rows[0], "error" in rows[1]) == ([""], ["a"], False, True)
    assert rows[0]["path"] == "holidays/00.png"


def test_what_kills_workers_is_not_tried_for_ever(weights: Path, tmp_path: Path) -> None:
    tally = Counter()
    opening = Question(weights=str(weights), base=tmp_path).open
    for attempt in range(1, 6):
        # As Ray starts a dead worker again.
        kind, *_ = json.loads(asked(cluster.Worker(opening, 1, tally, 1))["fault"][0] or "[0]")
        assert (kind == MachineError.__name__) == (attempt > cluster.ATTEMPTS)
    for attempt in range(1, 6):
        worker = cluster.Worker(opening, 1, Counter() if attempt < 2 else tally, 1)
    assert "open the weights" in str(worker._fault)


def test_cores_become_workers(tmp_path: Path) -> None:
    def shares(cores: list[int], workers: int | None = None, gpus: int = 0, **question: Any) -> tuple[int, int, int]:
        nodes = [{"Alive": True, "Resources": {"CPU": float(one), "GPU": float(gpus)}} for one in cores]
        nodes.append({"Alive": False, "Resources": {"CPU": 64.0}})
        return cluster._shares(nodes, Question(weights="w.safetensors", base=tmp_path, **question), workers)

    assert shares([2]) == (2, 1, 0)
    assert shares([16, 16]) == (8, 4, 0)
    assert shares([64, 8]) == (36, 2, 0)
    assert shares([16], workers=3) == (3, 4, 0)
    assert shares([16], workers=10) == (10, 1, 0)
    assert shares([16], gpus=2) == (2, 4, 1)
    assert shares([16], gpus=2, engine="openvino") == (4, 4, 0)
    assert shares([16], gpus=2, engine="cuda") == shares([16], gpus=2) == (2, 4, 1)
    with pytest.raises(UsageError, match="room for 4 workers, not for 5"):
        shares([2, 2], workers=5)
    with pytest.raises(UsageError, match="no core"):
        shares([])


DYING = """
import os, sys
from functools import partial
from pathlib import Path
from inceptions.deploy.spread import Question, cluster, parts, spreading
from inceptions.errors import MachineError
from inceptions.predict.sources import expand
from inceptions.train.progress import Silent

def opening(weights, base, **options):
    deadly = os.environ["DEADLY"]
    asked = Question(weights=weights, base=base).open(**options)
    class Dying:
        def rows(self, sources):
            died = base / "died"
            if any(source.path.name == "04.png" for source in sources) and (deadly == "always" or not died.exists()):
                died.touch()
                os._exit(1)
            return asked.rows(sources)
    return Dying()

if __name__ == "__main__":
    weights, base = sys.argv[1], Path(sys.argv[2])
    question = Question(weights=weights, base=base)
    parts.pieces.__defaults__ = (4,)
    Question.open = property(lambda self: partial(opening, weights, base))
    try:
        report, seen = spreading.write(question, expand([base / "holidays"]), base / "ray.csv", workers=2, progress=Silent())
        print(report.images, report.not_read)
    except MachineError as error:
        print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("deadly", ["never", "once", "always"])
def test_two_workers(
    deadly: str, weights: Path, folder: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """As the command runs it, and with workers that die over an image."""
    assert execute(["predict", str(weights), str(folder), "--csv"]) == 0
    expected = capsysbinary.readouterr().out
    environment = {**os.environ, "DEADLY": deadly}
    if deadly == "never":
        words = ["-m", "inceptions", "predict", str(weights), str(folder), "--on", "ray", "--workers", "2", "--csv", "--quiet"]
    else:
        (tmp_path / "dying.py").write_text(DYING)
        words = [str(tmp_path / "dying.py"), str(weights), str(tmp_path)]
    done = subprocess.run([sys.executable, *words], capture_output=True, env=environment, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    match deadly:
        case "never":
            assert done.stdout == expected
        case "once":
            assert done.stdout == b"12 1\n"
            assert (tmp_path / "ray.csv").read_bytes() == expected
        case _:
            assert b"died 3 times over the images from" in done.stdout
            assert done.stdout.count(b"\n") == 1
            assert not (tmp_path / "ray.csv").exists()
            kept = list((tmp_path / ".ray.csv.parts").glob("*.jsonl"))
            assert len(kept) < 3
    left = subprocess.run(["pgrep", "-f", f"ray.*{done.args[-1]}"], capture_output=True).stdout
    assert left == b""


def test_what_nobody_came_back_for_is_given_up(tmp_path: Path) -> None:
    for name, age in (("old", spreading.DAYS + 60), ("new", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (tmp_path.stat().st_mtime - age,) * 2)
    spreading._give_up_old(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
