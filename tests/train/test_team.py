"""Several processes are one: the same order, the same losses, exact figures, one writer, and no survivor of a death."""

from __future__ import annotations

import json
import multiprocessing
import signal
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import victim
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from inceptions.data.shares import Member, counts, share
from inceptions.errors import MachineError, UsageError
from inceptions.train.team import Team, told

FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["inceptions.train"])
# Without batch norm and dropout, which see each process's images alone, one process and several compute the same.
PLAIN = replace(victim.RECIPE, epochs=2, start_size=None, ema=None, dropout=0.0)
PAPER = {"recipe": PLAIN, "model": "googlenet", "variant": "paper", "precision": "fp32", "checkpoint_every": 1e6}


def together(
    run: Path,
    *,
    size: int = 2,
    victims: tuple[int, ...] = (),
    place: str | None = None,
    number: int = 0,
    death: signal.Signals = signal.SIGKILL,
    **options,
) -> list[int]:
    """The exit codes of processes that train one run; some are hit at the n-th call of a place."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [
        FRESH.Process(
            target=victim.fellow,
            args=(rank, size, port, run, options, place if rank in victims else None, number, death),
        )
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert None not in [process.exitcode for process in processes]
    return [process.exitcode for process in processes]


def rows(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_alike(run: Path, other: Path) -> None:
    """The same history and weights, to rounding."""
    assert len(rows(run)) == len(rows(other)) == 4
    for one, two in zip(rows(run), rows(other), strict=True):
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-4)
        assert all(one[name] == two[name] for name in ("epoch", "step", "split", "accuracy", "lr"))
    mine, theirs = (load_file(folder / "weights-last.safetensors") for folder in (run, other))
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, theirs[name], atol=2e-4, rtol=1e-3)


@given(n=st.integers(1, 200), size=st.integers(1, 9))
def test_shares_are_a_partition_and_none_is_too_small_for_batch_norm(n, size) -> None:
    own = [share(n, Member(rank, size)) for rank in range(size) if counts(n, Member(rank, size))]
    assert [i for part in own for i in part] == list(range(n))
    assert all(len(share(n, Member(rank, size))) >= min(2, n) for rank in range(size)), "those without one repeat another's"
    assert max(map(len, own)) - min(map(len, own)) <= 1


@given(n=st.integers(1, 60), size=st.integers(2, 7))
def test_gathered_rows_are_exact_for_every_number_of_images(n, size) -> None:
    everyone = torch.arange(2 * n).view(n, 2)
    shares = [everyone[rank::size] for rank in range(size)]

    def all_gather(received, mine, group) -> None:
        longest = -(-n // size)
        for rank, into in enumerate(received):
            into.zero_()
            into[: len(shares[rank])] = shares[rank]
        assert len(mine) == longest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inceptions.train.team.dist.all_gather", all_gather)
        for rank in range(size):
            team = object.__new__(Team)
            team.member, team._group = Member(rank, size), None
            assert torch.equal(team.gather(shares[rank], n), everyone)


def test_one_process_needs_nobody() -> None:
    team = Team(SimpleNamespace(process_index=0, num_processes=1))
    assert team.leads
    assert team.lead(lambda: 3) == 3
    assert team.agree("SIGTERM", due=True) == ("SIGTERM", True)
    assert team.sum([1.5, 2.0]) == [1.5, 2.0]
    error = UsageError("x")
    assert team.common(error) is error
    assert not told(error)
    with pytest.raises(RuntimeError, match="Connection closed by peer"), team.guarded():
        raise RuntimeError("Connection closed by peer")


def test_two_processes_train_as_one(tmp_path) -> None:
    """35 images: batches of 8 and a last one of 3, too few for two; 17 images to be judged on, 9 and 8."""
    splits = victim.small_splits(35, 17)
    assert together(tmp_path / "two", splits=splits, **PAPER) == [0, 0]
    victim.go(tmp_path / "one", splits=splits, **PAPER)
    assert_alike(tmp_path / "two", tmp_path / "one")
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".partial")]


def test_a_dead_process_ends_the_others_with_its_name(tmp_path) -> None:
    codes = together(tmp_path / "run", victims=(1,), place="update", number=3, death=signal.SIGKILL, **PAPER)
    assert codes == [MachineError.exit_code, -signal.SIGKILL]
    message = (tmp_path / "message-0").read_text()
    assert message.startswith("Process 1 (rank 1 of 2, counted from 0) ended")
    assert "--resume" in message


def test_a_signal_to_one_process_stops_all_with_one_checkpoint(tmp_path) -> None:
    codes = together(tmp_path / "run", victims=(1,), place="update", number=3, death=signal.SIGTERM, **PAPER)
    assert codes == [75, 75]
    assert "Stopped by SIGTERM after 3 steps" in (tmp_path / "message-0").read_text()
    assert (tmp_path / "message-1-told").is_file(), "only one of them speaks"
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000003.safetensors"]
    # One process goes on where two stopped, and sees the same images.
    victim.go(tmp_path / "run", resume=True, **PAPER)
    victim.go(tmp_path / "one", **PAPER)
    assert_alike(tmp_path / "run", tmp_path / "one")


@pytest.mark.slow
def test_two_processes_resume_to_the_bit(tmp_path) -> None:
    """With batch norm, an average, accumulation and workers."""
    recipe = replace(victim.RECIPE, epochs=2, accumulate=2)
    options = {"recipe": recipe, "precision": "fp32", "workers": 1, "checkpoint_every": 0.0}
    assert together(tmp_path / "whole", **options) == [0, 0]
    killed = together(tmp_path / "run", victims=(0,), place="update", number=6, **options)
    assert killed[0] == -signal.SIGKILL
    assert killed[1] == MachineError.exit_code
    assert together(tmp_path / "run", resume=True, **options) == [0, 0]
    for name in ("weights.safetensors", "weights-last.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 13])
def test_validation_figures_are_those_of_one_process(tmp_path, size, n) -> None:
    splits = victim.small_splits(8, n)
    options = {**PAPER, "recipe": replace(PLAIN, epochs=1, optim=replace(PLAIN.optim, lr=1e-12)), "splits": splits}
    assert together(tmp_path / "many", size=size, **options) == [0] * size
    victim.go(tmp_path / "one", **options)
    many, one = rows(tmp_path / "many")[1], rows(tmp_path / "one")[1]
    assert many["accuracy"] == one["accuracy"]
    assert many["loss"] == pytest.approx(one["loss"], rel=1e-6)


@pytest.mark.slow
def test_what_the_first_process_refuses_all_refuse(tmp_path) -> None:
    assert together(tmp_path / "run", **PAPER) == [0, 0]
    assert together(tmp_path / "run", **PAPER) == [UsageError.exit_code] * 2
    assert "already holds a run" in (tmp_path / "message-0").read_text()
    assert (tmp_path / "message-1-told").is_file()
