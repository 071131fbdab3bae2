from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from inceptions.claims import Settings, read_settings, run, runner, write_report
from inceptions.claims.claim import Claim, each
from inceptions.claims.plan import Plan
from inceptions.claims.statistics import FEWEST, Verdict
from inceptions.errors import DataError, UsageError

SETTINGS = Settings(data="digits", seed=0, full=False)


class Told:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.shown = 0

    def say(self, line: str) -> None:
        self.lines.append(line)

    def show(self, activity: str, done: int, total: int, detail: str = "") -> None:
        self.shown += 1


@pytest.fixture
def known(claim: Claim, monkeypatch: pytest.MonkeyPatch) -> Claim:
    """The small claim, in the place of the catalogue."""
    monkeypatch.setattr(runner, "find", lambda name: claim)
    return claim


def planned(claim: Claim, seeds: int = FEWEST) -> Plan:
    return Plan((claim,), seeds, 1.0, 1.0)


def test_a_run_and_its_report(known: Claim, tmp_path: Path) -> None:
    told = Told()
    (result,) = run(planned(known), tmp_path / "run", SETTINGS, processes=1, progress=told)
    assert result.verdict is Verdict.HOLDS
    assert result.findings[0].shown[0] == pytest.approx(20)
    assert told.shown == 2 * FEWEST
    assert "holds" in told.lines[-1]
    page = write_report(tmp_path / "run", [result], SETTINGS)
    text, markdown = page.read_text(), page.with_suffix(".md").read_text()
    for wanted in ("A is better than B.", "nobody 2020, section 1", "0.1 points", "holds", "inceptions claims run tried"):
        assert wanted in text
        assert wanted in markdown
    assert text.count("data:image/png;base64,") == 1
    assert "http" not in text.split("</head>")[1], "the page needs nothing else"
    assert (tmp_path / "run" / "plots" / "01-tried.png").read_bytes()[:4] == b"\x89PNG"
    document = json.loads((tmp_path / "run" / "claims-results.json").read_text())
    assert document[0]["verdict"] == "holds"
    assert document[0]["hypotheses"][0]["pairs"] == FEWEST


def test_nothing_is_computed_twice(known: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(planned(known), tmp_path, SETTINGS, processes=1, progress=Told())
    done: list[int] = []
    original = runner.work
    monkeypatch.setattr(runner, "work", lambda *given: (done.append(given[2]), original(*given))[1])
    assert run(planned(known), tmp_path, SETTINGS, processes=1, progress=Told()) == first
    assert done == []
    run(planned(known, FEWEST + 1), tmp_path, SETTINGS, processes=1, progress=Told())
    assert done == [FEWEST] * 2, "a larger budget adds seeds"
    cell = tmp_path / "cells" / "tried" / "arm-1-002.json"
    cell.write_text(cell.read_text()[:40])
    run(planned(known), tmp_path, SETTINGS, processes=1, progress=Told())
    assert done[2:] == [2], "a damaged piece is made again"


def test_other_code_or_size_is_computed_again(known: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(planned(known), tmp_path, SETTINGS, processes=1, progress=Told())
    larger = replace(known, small=replace(known.small, steps=99))
    monkeypatch.setattr(runner, "find", lambda name: larger)
    told = Told()
    run(planned(larger), tmp_path, SETTINGS, processes=1, progress=told)
    assert told.shown == 2 * FEWEST


def test_interrupted_and_gone_on(known: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, count = runner.work, 0

    def stopping(*given: object) -> str:
        nonlocal count
        count += 1
        if count == 5:
            raise KeyboardInterrupt
        return original(*given)

    monkeypatch.setattr(runner, "work", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(planned(known), tmp_path / "a", SETTINGS, processes=1, progress=Told())
    told = Told()
    monkeypatch.setattr(runner, "work", original)
    (gone_on,) = run(planned(known), tmp_path / "a", SETTINGS, processes=1, progress=told)
    assert told.lines[0] == f"4 of {2 * FEWEST} pieces are there already."
    (whole,) = run(planned(known), tmp_path / "b", SETTINGS, processes=1, progress=Told())
    assert gone_on.to_dict() == whole.to_dict()


def test_a_failing_experiment_does_not_end_the_others(known: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(lab, arm):
        raise RuntimeError("the shapes\n do not fit")

    failing = replace(known, id="failing", trial=each(fail))
    monkeypatch.setattr(runner, "find", lambda name: failing if name == "failing" else known)
    both = Plan((failing, known), FEWEST, 1.0, 1.0)
    broken, well = run(both, tmp_path, SETTINGS, processes=1, progress=Told())
    assert (broken.verdict, broken.reason) == (Verdict.BROKEN, "RuntimeError: the shapes do not fit")
    assert well.verdict is Verdict.HOLDS
    write_report(tmp_path, [broken, well], SETTINGS)


def test_data_that_cannot_be_used_ends_the_run(known: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(lab, arm):
        raise DataError("There is no folder.")

    failing = replace(known, trial=each(fail))
    monkeypatch.setattr(runner, "find", lambda name: failing)
    with pytest.raises(DataError):
        run(planned(failing), tmp_path, SETTINGS, processes=1, progress=Told())


def test_a_folder_belongs_to_its_settings(known: Claim, tmp_path: Path) -> None:
    run(planned(known), tmp_path, SETTINGS, processes=1, progress=Told())
    assert read_settings(tmp_path) == SETTINGS
    with pytest.raises(UsageError, match="other settings"):
        run(planned(known), tmp_path, replace(SETTINGS, seed=1), processes=1, progress=Told())
    with pytest.raises(UsageError, match="holds no claims"):
        read_settings(tmp_path / "elsewhere")
