from __future__ import annotations

import json
from pathlib import Path

import pytest

from inceptions.cli import execute


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = execute(["claims", *arguments])
        return (code, *capsys.readouterr())

    return run


def test_the_list(call) -> None:
    code, out, _ = call("list")
    assert code == 0
    assert len(out.splitlines()) == 18
    assert " 8  batch-norm " in out
    document = json.loads(call("list", "--json")[1])
    assert [one["number"] for one in document] == list(range(1, 19))


def test_counted_claims_run_and_report(call, tmp_path: Path) -> None:
    code, out, err = call("run", "4", "--run", "found", "--processes", "1")
    assert code == 0, err
    assert "GoogLeNet's cost: holds" in out
    assert (tmp_path / "found" / "report.html").is_file()
    assert (tmp_path / "found" / "report.md").is_file()
    document = json.loads(call("report", "--run", "found", "--json")[1])
    (claim,) = document["claims"]
    assert (claim["number"], claim["verdict"]) == (4, "holds")
    assert {"what": "layers with weights", "ours": 22, "published": 22, "equal": True, "remark": ""} in claim["counts"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run",), "--all"),
        (("run", "1", "--all"), "--all"),
        (("run", "19"), "Unknown claim '19'"),
        (("run", "1", "--budget", "soon"), "30m"),
        (("run", "--all", "--budget", "1m"), "Give at least --budget"),
        (("run", "1", "--processes", "0"), "at least 1"),
        (("report", "--run", "nowhere"), "holds no claims"),
    ],
)
def test_what_means_nothing(call, arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_data_that_are_not_there(call) -> None:
    code, _, err = call("run", "12", "--data", "photographs", "--processes", "1", "--quiet")
    assert code == 3
    assert "photographs" in err
