"""Several processes evaluate as one: the same figures for every number of images, one voice, one writer."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inceptions.data.shares import Member
from inceptions.errors import DataError, MachineError, UsageError
from inceptions.evaluate.answers import MAIN, Predictions, merged
from inceptions.evaluate.together import joined
from inceptions.train.team import Team, told

FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["inceptions.train", "inceptions.evaluate", "inceptions.cli"])


@pytest.fixture(scope="module")
def fellow():
    """The module whose function runs in other processes, under a name by which they find it."""
    spec = importlib.util.spec_from_file_location("fellow", Path(__file__).with_name("fellow.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["fellow"] = module
    sys.path.insert(0, str(Path(__file__).parent))
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(Path(__file__).parent))


@pytest.fixture
def together(fellow, tmp_path: Path):
    """Evaluate in several processes; their exit codes, and what each printed."""

    def run(*words: object, size: int = 2, name: str = "said") -> tuple[list[int], list[str], list[str]]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        out = tmp_path / name
        processes = [
            FRESH.Process(target=fellow.command, args=(rank, size, port, [str(word) for word in words], out))
            for rank in range(size)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
        said, told = ([(out / f"rank-{rank}" / what).read_text() for rank in range(size)] for what in ("out", "err"))
        return [process.exitcode for process in processes], said, told

    return run


def test_two_processes_count_as_one(together, saved, muddled: Path, tmp_path: Path) -> None:
    """19 images that can be read, 10 and 9, and one that cannot."""
    from inceptions.cli import execute

    (muddled / "red" / "2.png").write_bytes(b"")
    weights = saved(0)
    words = (weights, muddled, "--json", "--no-cache", "--csv", tmp_path / "two.csv", "--report", tmp_path / "two.html")
    codes, said, told = together(*words)
    assert codes == [0, 0], told
    assert said[1] == told[1] == ""
    document = json.loads(said[0])
    plain = ["--device", "cpu", "--precision", "fp32", "--workers", "0", "--no-cache", "--quiet", "--json"]
    (tmp_path / "one").mkdir()
    from contextlib import redirect_stdout

    with (tmp_path / "one" / "out").open("w") as out, redirect_stdout(out):
        assert execute(["evaluate", str(weights), str(muddled), *plain, "--csv", str(tmp_path / "one.csv")]) == 0
    alone = json.loads((tmp_path / "one" / "out").read_text())
    assert document["n"] == alone["n"] == 19
    assert document["skipped"] == alone["skipped"]
    assert document["confusion"] == alone["confusion"]
    for figure in ("top1", "loss", "calibration_error"):
        assert document[figure] == pytest.approx(alone[figure], rel=1e-5)
    paths = [[line.split(",")[:3] for line in (tmp_path / f"{name}.csv").read_text().splitlines()] for name in ("one", "two")]
    assert paths[0] == paths[1]
    assert (tmp_path / "two.html").stat().st_size > 20_000


def test_what_one_refuses_all_refuse_and_one_says(together, saved, tmp_path: Path) -> None:
    codes, _, told = together(saved(0), tmp_path / "nowhere")
    assert codes == [DataError.exit_code] * 2
    assert told[0].startswith("inceptions: ")
    assert told[1] == ""


@pytest.mark.slow
@pytest.mark.parametrize(("n", "size"), [(1, 2), (2, 3), (3, 2), (7, 3)])
def test_figures_are_exact_for_every_number_of_images(together, saved, tmp_path: Path, n: int, size: int) -> None:
    weights = saved(0)
    for name in ("blue", "red"):
        (tmp_path / "few" / name).mkdir(parents=True)
    for i in range(n):
        Image.new("RGB", (50, 50), (40 * i, 60, 200 - 20 * i)).save(tmp_path / "few" / ("blue", "red")[i % 2] / f"{i}.png")
    if n == 1:
        (tmp_path / "few" / "red").rmdir()
    codes, said, told = together(weights, tmp_path / "few", "--json", "--heads", "--crops", "10", size=size, name="many")
    assert codes == [0] * size, told
    codes, alone, _ = together(
        weights, tmp_path / "few", "--json", "--heads", "--crops", "10", "--no-cache", size=1, name="one"
    )
    many, one = json.loads(said[0]), json.loads(alone[0])
    assert many["n"] == one["n"] == n
    assert many["confusion"] == one["confusion"]
    assert many["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert not any(said[1:])
    # What was kept is found by each of them again.
    codes, again, _ = together(weights, tmp_path / "few", "--json", "--heads", "--crops", "10", size=size, name="again")
    assert json.loads(again[0]) == many


@pytest.mark.slow
def test_one_writes_the_calibration(together, saved, muddled: Path, taught) -> None:
    weights = saved(0)
    taught(weights, muddled)
    before = weights.read_bytes()
    codes, said, told = together(weights, muddled, "--calibrate", "--json")
    assert codes == [0, 0], told
    assert json.loads(said[0])["temperature"] > 0
    assert said[1] == ""
    assert weights.read_bytes() != before


class Names:
    def __init__(self, n: int) -> None:
        self.names = [f"{i}.png" for i in range(n)]

    def __len__(self) -> int:
        return len(self.names)


@given(n=st.integers(1, 60), size=st.integers(1, 7), seed=st.integers(0, 9))
def test_shares_put_together_are_every_image_once(n: int, size: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(n, 3)).astype(np.float32)
    unread = set(chance.choice(n, size=n // 20, replace=False).tolist())
    parts = []
    for rank in range(size):
        own = range(n)[rank::size]
        read = [i for i in own if i not in unread]
        parts.append(
            Predictions(heads={MAIN: rows[read]}, indices=tuple(read), skipped=tuple((i, "x") for i in own if i in unread))
        )
    whole = merged(Names(n), parts)
    assert whole.indices == tuple(i for i in range(n) if i not in unread)
    assert np.array_equal(whole.main, rows[list(whole.indices)])
    assert {i for i, _ in whole.skipped} == unread


def team_of(found: list[tuple[object, object]], rank: int) -> Team:
    team = object.__new__(Team)
    team.member = Member(rank, len(found))
    team._everyones = lambda mine: [mine if i == rank else other for i, other in enumerate(found)]
    return team


def test_the_first_error_is_everyones() -> None:
    results = [("a", None), (None, DataError("torn")), ("c", None)]
    for rank in range(3):
        team = team_of(results, rank)

        def work(rank: int = rank) -> object:
            if results[rank][1] is not None:
                raise results[rank][1]
            return results[rank][0]

        with pytest.raises(DataError, match="torn") as caught:
            team.gathered(work)
        assert told(caught.value) == (rank > 0)
        caught.value.__notes__ = []
    assert team_of([("a", None), ("b", None)], 1).gathered(lambda: "b") == ["a", "b"]


def test_only_the_first_tells_what_all_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined() as team:
        assert team is None
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(UsageError) as caught, joined(device="nonsense"):
        pass
    assert told(caught.value)
    monkeypatch.setattr("inceptions.evaluate.together.start", lambda *_: None)
    monkeypatch.setattr("inceptions.evaluate.together.Team", lambda *_, **__: None)
    with pytest.raises(MachineError) as caught, joined(device="cpu"):
        raise MachineError("gone") from RuntimeError("Connection closed by peer")
    assert not told(caught.value), "each notices a lost process for itself"
