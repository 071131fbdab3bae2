"""The disk is full while any file of a run is written: exit 5, what was there stays whole, and the run can go on."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import victim
from safetensors.torch import load_file

from inceptions.cli import execute
from inceptions.errors import MachineError
from inceptions.train import read_manifest
from inceptions.train.run.checkpoint import found

TINY = (
    "--model",
    "googlenet",
    "--width",
    "0.1",
    "--depth",
    "0.4",
    "--workers",
    "0",
    "--device",
    "cpu",
    "--precision",
    "fp32",
    "--epochs",
    "2",
    "--set",
    "steps_per_epoch=3",
    "--set",
    "batch_size=8",
    "--quiet",
)
# Every kind of file that `inceptions train` writes, and at which of its writings the disk is full.
WRITINGS = [
    (".writable", 1),
    ("recipe.toml", 1),
    ("metrics.jsonl", 1),
    ("metrics.jsonl", 2),
    ("weights.safetensors", 1),
    ("weights-last.safetensors", 1),
    ("accuracy.png", 1),
    ("loss.png", 1),
    ("step-00000006.safetensors", 1),
    ("3.png", 1),
    ("report.html", 1),
]


class Disk:
    """Flushing a file of some name fails at its n-th time: that is when a disk that promised space must keep its word."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number, self.calls, self.hit = name, number, 0, False
        self.real = os.fsync

    def fsync(self, descriptor: int) -> None:
        file = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if file.startswith(f".{self.name}."):
            self.calls += 1
            if self.calls == self.number:
                self.hit = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.real(descriptor)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    assert execute(["train", "--run", str(run), *TINY]) == 0
    return run


def assert_whole(run: Path) -> None:
    """Every file that is there can be read, and none is a part of one."""
    assert not [path for path in run.rglob("*") if path.name.endswith(".partial")]
    for path in run.rglob("*.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(path).values())
    if (run / "recipe.toml").exists():
        read_manifest(run)
    if (run / "metrics.jsonl").exists():
        assert all(json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the test looks up names of open files in /proc")
@pytest.mark.parametrize(("name", "number"), WRITINGS)
def test_a_full_disk_at_every_kind_of_writing(tmp_path, monkeypatch, capsys, undisturbed, name, number) -> None:
    run = tmp_path / "run"
    disk = Disk(name, number)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk.fsync)
        assert execute(["train", "--run", str(run), *TINY]) == MachineError.exit_code
    assert disk.hit
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("inceptions: The disk is full: ")
    assert name in said.err
    assert "untouched; free some space and resume" in said.err
    assert_whole(run)
    again = ("--resume", "--workers", "0", "--device", "cpu", "--quiet") if (run / "recipe.toml").exists() else TINY
    assert execute(["train", "--run", str(run), *again]) == 0
    for file in ("weights.safetensors", "weights-last.safetensors"):
        assert (run / file).read_bytes() == (undisturbed / file).read_bytes()
    assert (run / "report.html").is_file()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if sys.platform != "linux" or mount is None:
        pytest.skip("needs Linux's tmpfs")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.slow
def test_a_disk_that_is_really_full(tmp_path, small_disk) -> None:
    """It holds three quarters of a run; with more room the run goes on."""
    whole, run = tmp_path / "whole", small_disk / "run"
    victim.go(whole, precision="fp32")
    size = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    subprocess.run(["mount", "-o", f"remount,size={size * 3 // 4}", small_disk], check=True)
    with pytest.raises(MachineError, match=r"The disk is full: .* could not be written \(.* free\)"):
        victim.go(run, precision="fp32")
    assert_whole(run)
    assert found(run / "checkpoints")
    subprocess.run(["mount", "-o", f"remount,size={size * 4}", small_disk], check=True)
    victim.go(run, precision="fp32", resume=True)
    for name in ("weights.safetensors", "weights-last.safetensors"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
