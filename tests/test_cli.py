from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from inceptions.cli import execute

COMMANDS = ("train", "evaluate", "predict", "serve", "cost", "models", "export", "bench", "doctor")
# A network and images so small that an epoch takes a second.
TINY = (
    *("--model", "plain_cnn", "--width", "0.125", "--workers", "0", "--device", "cpu", "--precision", "fp32"),
    *("--set", "image_size=48", "--set", "test_size=none", "--set", "start_size=none", "--set", "batch_size=8"),
)


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run a command line in this process."""

    def run(*arguments: str | Path) -> Said:
        capsys.readouterr()
        code = execute([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written without a place being named goes to a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the digits by the command itself, in a process of its own, with everything it said beside it."""
    folder = tmp_path_factory.mktemp("trained")
    done = python("train", "--epochs", "1", "--run", "run", *TINY, cwd=folder)
    (folder / "out.txt").write_text(done.out)
    (folder / "err.txt").write_text(done.err)
    assert done.code == 0, done.err
    return folder / "run"


def python(*arguments: str | Path, cwd: Path | None = None, **options: object) -> Said:
    """Run a command line in a process of its own."""
    words = [sys.executable, "-m", "inceptions", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300, env=environment, **options)
    return Said(done.returncode, done.stdout, done.stderr)


def is_one_sentence(said: Said) -> bool:
    return said.err.startswith("inceptions: ") and "Traceback" not in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--epochs", "1.5"),
        ("train", "--seed", "x"),
        ("train", "--workers", "1.5"),
        ("cost", "googlenet", "--batch", "1.5"),
        ("cost", "googlenet", "--classes", "1e3"),
    ],
)
def test_fractions_are_not_rounded(call, arguments: tuple[str, ...]) -> None:
    said = call(*arguments)
    assert said.code == 2
    assert is_one_sentence(said)
    assert "must be a whole number" in said.err


def test_a_run_does_not_spill_into_the_folder_one_is_in(call, photos: Path, tmp_path: Path) -> None:
    said = call("train", photos, "--run", "", *TINY)
    assert said.code == 2
    assert is_one_sentence(said)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["photos"]


def test_data_that_cannot_be_used_leaves_no_run_behind(call, photos: Path, tmp_path: Path) -> None:
    for image in (photos / "red").iterdir():
        image.write_bytes(b"no image")
    assert call("train", photos, "--run", "run", *TINY).code == 3
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"data = 5", b"[run]\ndata = 5\n"])
def test_a_damaged_recipe_is_explained(call, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/recipe.toml").write_bytes(content)
    said = call("train", "--resume", "--run", "run")
    assert said.code == 2
    assert "recipe.toml" in said.err
    assert "Traceback" not in said.err


# Help


def test_help_names_every_command(call: Callable[..., Said]) -> None:
    for said in (call(), call("--help")):
        assert said.code == 0
        assert all(f" {command} " in said.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_examples(call: Callable[..., Said], command: str) -> None:
    said = call(command, "--help")
    assert said.code == 0
    assert f"For example:\n\n  inceptions {command}" in said.out
    assert max(map(len, said.out.splitlines())) <= 80, "it wraps where it should not"


def test_version(call: Callable[..., Said]) -> None:
    assert call("--version") == (0, f"{version('inceptions')}\n", "")


# cost, models


def test_models(call: Callable[..., Said]) -> None:
    listed = {entry["name"]: entry for entry in call("models", "--json").document}
    assert listed["googlenet"]["variants"][:2] == ["bn", "paper"]
    assert all(set(entry) == {"name", "variants", "weights", "details"} for entry in listed.values())
    assert all(list(entry["details"]) == entry["variants"] for entry in listed.values())
    claim = listed["inception_v3"]["details"]["torchvision"]
    assert (claim["minimum_size"], claim["input_size"], claim["heads"]) == (75, [299, 299], ["aux_6e", "main"])
    text = call("models").out
    assert all(name in text and variant in text for name, entry in listed.items() for variant in entry["variants"])


def test_cost_of_googlenet(call: Callable[..., Said]) -> None:
    document = call("cost", "googlenet", "--json").document
    assert (document["params"], document["params_with_heads"]) == (6_624_904, 13_004_888)
    assert {"name", "op", "output", "params", "macs"} <= set(document["nodes"][0])
    assert document["macs"] == sum(node["macs"] for node in document["nodes"])
    text = call("cost", "googlenet").out
    assert "6,624,904" in text
    assert f"{document['macs']:,}" in text
    assert len({line.index("112×112×64") for line in text.splitlines() if line.startswith("conv_1 ")}) == 1


def test_cost_of_a_variant(call: Callable[..., Said]) -> None:
    assert call("cost", "googlenet", "--variant", "paper", "--json").document["params"] == 6_998_552
    assert call("cost", "googlenet/paper", "--json").document["params"] == 6_998_552
    small = call("cost", "googlenet", "--image-size", "128", "--json").document
    assert small["input"] == [3, 128, 128]


def test_cost_at_any_size_batch_and_classes(call: Callable[..., Said]) -> None:
    words = ("cost", "googlenet", "--image-size", "128x192", "--classes", "10")
    one, eight = (call(*words, "--batch", batch, "--json").document for batch in ("1", "8"))
    assert one["input"] == [3, 128, 192]
    assert one["params"] == 6_624_904 - 990 * 1025
    assert [document["memory"]["batch"] for document in (one, eight)] == [1, 8]
    assert one["memory"]["inference_bytes"] < one["memory"]["training_bytes"]
    assert all(one["memory"][key] < eight["memory"][key] for key in ("inference_bytes", "training_bytes"))
    lines = call(*words, "--batch", "8").out.splitlines()
    for line, key in zip(lines[-2:], ("inference_bytes", "training_bytes"), strict=True):
        assert f"8 images at a time takes {eight['memory'][key] / 2**20:,.1f} MiB" in line


def test_cost_compared(call: Callable[..., Said]) -> None:
    words = ("cost", "googlenet", "--variant", "paper", "--compare", "googlenet, inception_v3/paper")
    names = ["googlenet/paper", "googlenet/bn", "inception_v3/paper"]
    assert [line.split()[0] for line in call(*words).out.splitlines()[2:5]] == names
    documents = call(*words, "--json").document
    assert [f"{one['model']}/{one['variant']}" for one in documents] == names
    table = list(csv.DictReader(io.StringIO(call(*words, "--csv").out)))
    assert [(row["network"], int(row["params"])) for row in table] == [
        (name, one["params"]) for name, one in zip(names, documents, strict=True)
    ]
    alone = call("cost", "--compare", "plain_cnn", "--json")
    assert [one["model"] for one in alone.document] == ["plain_cnn"]


def test_cost_for_a_spreadsheet(call: Callable[..., Said]) -> None:
    table = list(csv.DictReader(io.StringIO(call("cost", "googlenet", "--csv").out)))
    document = call("cost", "googlenet", "--json").document
    assert sum(int(row["mult-adds"] or 0) for row in table) == document["macs_with_heads"]


def test_cost_drawn(call: Callable[..., Said]) -> None:
    said = call("cost", "googlenet", "--diagram", "drawn/googlenet.svg", "--json")
    assert (said.code, said.err) == (0, "drawn in drawn/googlenet.svg\n")
    assert said.document["params"] == 6_624_904
    assert ElementTree.parse("drawn/googlenet.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_bottleneck_is_explained(call: Callable[..., Said]) -> None:
    text = call("cost", "--explain-bottleneck").out
    for number in ("120,422,400", "2,408,448", "10,035,200", "12,443,648"):
        assert number in text
    document = call("cost", "--explain-bottleneck", "--json").document
    assert (document["direct"], document["total"]) == (120_422_400, 12_443_648)


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("trian", 'Did you mean "train"'),
        ("train --modle x", "Did you mean --model"),
        ("train --epochs many", "--epochs"),
        ("train --epochs", "--epochs"),
        ("train a b", "Nothing is known to do with: b."),
        ("train --precision fp7", "fp7"),
        ("train --model googlnet", "Did you mean 'googlenet'"),
        ("train --model googlenet --variant nb", "Did you mean 'bn'"),
        ("train --recipe tutorail", "Did you mean 'tutorial'"),
        ("train --set optim.lrr=1", "Did you mean 'optim.lr'"),
        ("train --set optim.lr=fast", "optim.lr must be"),
        ("train --epochs 0", "epochs must be"),
        ("train --width 0", "width must be"),
        ("train --resume", "no unfinished run"),
        ("train --resume --run nowhere", "no run in nowhere"),
        ("train --set image_size=8 --set test_size=none", "at least"),
        ("predict", "WEIGHTS"),
        ("predict weights.safetensors", "IMAGES"),
        ("predict weights.safetensors x.jpg --json --csv", "exclude each other"),
        ("cost", "Which network?"),
        ("cost googlenet --image-size 3", "at least"),
        ("cost googlenet --image-size 12y", "299x224"),
        ("cost googlenet --batch 0", "--batch must be at least 1"),
        ("cost googlenet --classes 0", "num_classes must be"),
        ("cost googlenet --json --csv", "exclude each other"),
        ("cost --explain-bottleneck --csv", "text or with --json"),
        ("cost inception_v3/paper-9x9", "Unknown step of the ladder '9x9'"),
        ("cost inception_v3 --residual-scale 0.2", "no residual connections"),
        ("cost --compare googlenet,inceptoin_v3", "Did you mean 'inception_v3'"),
        ("cost --compare googlenet --variant bn", "NAME/VARIANT"),
        ("cost --compare googlenet --diagram x.svg", "name one of the two"),
    ],
)
def test_usage_errors(call: Callable[..., Said], arguments: str, said: str) -> None:
    answer = call(*arguments.split())
    assert (answer.code, answer.out) == (2, "")
    assert is_one_sentence(answer)
    assert said in answer.err
    assert not list(Path().iterdir()), "something was written"


def test_missing_data(call: Callable[..., Said], photos: Path) -> None:
    answer = call("train", photos.with_name("photo"))
    assert answer.code == 3
    assert is_one_sentence(answer)
    assert f"Did you mean {photos}?" in answer.err


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_bad_weights(call: Callable[..., Said], photos: Path, command: str) -> None:
    for weights in (photos / "nothing.safetensors", photos, photos / "red" / "0.png"):
        answer = call(command, weights, photos)
        assert (answer.code, answer.out) == (4, "")
        assert is_one_sentence(answer)


def test_ctrl_c_before_training(call: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("inceptions.data.open_data", interrupted)
    said = call("train")
    assert (said.code, said.out) == (75, "")
    assert said.err.startswith("inceptions: Stopped by Ctrl-C. Nothing that was saved is lost: run the command again")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_count_from_the_first_line_on(
    call: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Before the images are opened there is nothing to save; in the report everything is."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("inceptions.data.open_data", lambda *_, **__: os.kill(os.getpid(), number))
    said = call("train")
    assert (said.code, said.out) == (75, "")
    assert said.err.startswith(f"inceptions: Stopped by {number.name}. ")
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_dry_run_writes_nothing(call: Callable[..., Said], photos: Path) -> None:
    before = sorted(Path().rglob("*"))
    said = call("train", photos, *TINY, "--epochs", "3", "--dry-run")
    assert said.code == 0, said.err
    assert "3 epochs of" in said.out
    assert "classes   blue: 8, red: 8" in said.out
    assert sorted(Path().rglob("*")) == before
    document = call("train", photos, *TINY, "--dry-run", "--json", "--quiet").document
    assert (document["classes"], document["validation"]) == ({"blue": 8, "red": 8}, 4)


def test_a_rate_is_looked_for(call: Callable[..., Said], photos: Path) -> None:
    said = call("train", photos, *TINY, "--find-lr", "--json", "--quiet")
    assert said.code == 0, said.err
    assert 1e-7 < said.document["suggestion"] < 10
    assert Path(said.document["picture"]).is_file()


def test_a_resumed_run_may_change_if_that_is_said(call: Callable[..., Said], photos: Path) -> None:
    assert call("train", photos, *TINY, "--epochs", "1", "--run", "run", "--quiet").code == 0
    refused = call("train", "--resume", "--run", "run", "--epochs", "2")
    assert refused.code == 2
    assert "epochs: 1 → 2" in refused.err
    assert "--accept-changes" in refused.err
    said = call("train", "--resume", "--run", "run", "--epochs", "2", "--accept-changes", "--json", "--workers", "0")
    assert said.code == 0, said.err
    assert (said.document["epochs"], said.document["limit"]["kind"]) != (1, "")
    assert "Changed: epochs: 1 → 2" in said.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this machine")
def test_output_that_cannot_be_written() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "inceptions", "models"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 5
    assert done.stderr == "inceptions: The system refused: No space left on device.\n"


def test_broken_pipe() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "inceptions", "cost", "googlenet", "--json"]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == "inceptions: Whoever read the output is gone; the rest of it was not written.\n"


# The main road: train, evaluate, predict


def test_train_on_the_digits(trained: Path) -> None:
    for name in ("recipe.toml", "metrics.jsonl", "weights.safetensors", "weights-last.safetensors", "report.html"):
        assert (trained / name).is_file(), name
    assert {path.name for path in (trained / "plots").iterdir()} == {"accuracy.png", "loss.png"}
    assert {path.name for path in (trained / "samples").iterdir()} == {f"{digit}.png" for digit in range(10)}
    out = trained.with_name("out.txt").read_text().splitlines()
    assert out[0].startswith("accuracy  ")
    assert "of 359 held-out images, after epoch 1 of 1" in out[0]
    assert out[1] == "run       run"
    assert re.fullmatch(r"speed     \d+ images/s, \d+\.\d % of the time waiting for images", out[3])
    assert out[4].startswith("limit     the ")
    assert out[5:] == ["next      inceptions predict run run/samples/9.png", "          inceptions evaluate run"]
    assert "epoch 1/1" in trained.with_name("err.txt").read_text()


def test_the_next_commands_work_as_printed(trained: Path) -> None:
    lines = trained.with_name("out.txt").read_text().splitlines()[5:]
    for line in lines:
        words = line[10:].split()
        assert words[0] == "inceptions"
        done = python(*words[1:], cwd=trained.parent)
        assert (done.code, done.err) == (0, ""), done.err


def test_evaluating_a_run_gives_the_accuracy_of_its_training(call: Callable[..., Said], trained: Path) -> None:
    said = call("evaluate", trained, "--json", "--device", "cpu", "--precision", "fp32")
    assert (said.code, said.err) == (0, "")
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert said.document["n"] == 359
    assert said.document["top1"] == rows[1]["accuracy"]
    assert said.document["loss"] == pytest.approx(rows[1]["loss"], abs=1e-4)
    assert [one["class"] for one in said.document["per_class"]] == list("0123456789")
    alone = call("evaluate", trained / "weights.safetensors", "--json", "--device", "cpu", "--precision", "fp32")
    assert alone.document == said.document, "a weight file in its run's folder knows the run's data"


def test_evaluate_on_a_folder(call: Callable[..., Said], trained: Path, photos: Path, tmp_path: Path) -> None:
    wrong = call("evaluate", trained, photos)
    assert wrong.code == 3
    assert is_one_sentence(wrong)
    for i in range(3):
        folder = tmp_path / "digits" / str(i)
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes((trained / "samples" / f"{i}.png").read_bytes())
    said = call("evaluate", trained, tmp_path / "digits", "--json")
    assert (said.code, said.document["n"]) == (0, 3)
    assert "'3'" in said.err, "classes without images are said"
    lonely = tmp_path / "lonely.safetensors"
    lonely.write_bytes((trained / "weights.safetensors").read_bytes())
    nothing = call("evaluate", lonely)
    assert nothing.code == 2
    assert "Name a folder" in nothing.err


def test_predict(call: Callable[..., Said], trained: Path) -> None:
    samples = trained / "samples"
    rows = call("predict", trained, samples, "--top", "3", "--json").document
    assert [Path(row["path"]).name for row in rows] == [f"{digit}.png" for digit in range(10)]
    assert all(set(row["top"][0]) == {"class", "index", "probability"} and len(row["top"]) == 3 for row in rows)
    table = list(csv.DictReader(io.StringIO(call("predict", trained, samples, "--top", "3", "--csv").out)))
    assert [(row["path"], row["class"]) for row in table] == [(row["path"], one["class"]) for row in rows for one in row["top"]]
    lines = call("predict", trained, samples / "4.png", "--top", "1").out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"{samples / '4.png'}  {rows[4]['top'][0]['class']}  ")


def test_predict_by_a_head(call: Callable[..., Said], trained: Path) -> None:
    words = ("predict", trained, trained / "samples", "--json")
    for head in ("main", "best", "mean"):
        assert call(*words, "--head", head).document == call(*words).document, "plain_cnn has one head only"
    wrong = call(*words, "--head", "aux_4a")
    assert (wrong.code, wrong.out) == (2, "")
    assert "Known: main, best, mean." in wrong.err


def test_predict_answers_before_it_complains(call: Callable[..., Said], trained: Path) -> None:
    said = call("predict", trained, "missing.jpg", trained / "samples" / "4.png", "--json")
    assert said.code == 3
    assert is_one_sentence(said)
    assert said.document[0] == {"path": "missing.jpg", "error": "there is no such file"}
    assert said.document[1]["top"]
    assert call("predict", trained, trained / "samples", "--top", "0").code == 2


def test_train_on_a_folder_and_resume(call: Callable[..., Said], photos: Path) -> None:
    said = call("train", photos, *TINY, "--epochs", "3", "--json", "--quiet", "--set", "schedule.kind=constant")
    assert (said.code, said.err) == (0, "")
    document = said.document
    assert set(document) >= {"run", "best", "seconds", "images_per_second"}
    assert set(document["best"]) == {"epoch", "accuracy", "loss"}
    assert document["run"] == "runs/photos-plain_cnn-1"
    run = Path(document["run"])
    before = (run / "weights-last.safetensors").read_bytes()

    assert "already holds a run" in call("train", photos, *TINY, "--run", run).err
    assert "no unfinished run" in call("train", "--resume").err

    # As if it had been killed in its last epoch: the checkpoint of the end and the last epoch's rows are not there yet.
    rows = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(rows[:4]))
    sorted((run / "checkpoints").iterdir())[-1].unlink()
    for name in ("weights.safetensors", "weights-last.safetensors", "report.html"):
        (run / name).unlink()
    other = call("train", "--resume", "--epochs", "5")
    assert other.code == 2
    assert "epochs: 3 → 5" in other.err
    again = call("train", "--resume", "--workers", "0", "--device", "cpu")
    assert again.code == 0, again.err
    assert "Resuming the run" in again.err
    assert f"inceptions predict {run} {photos}/" in again.out
    assert (run / "weights-last.safetensors").read_bytes() == before
    assert (run / "report.html").is_file()
