"""Damaged files by the thousand: each is read as a whole or refused with a sentence; none crashes, hangs, or takes memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory and the forks of the HDF5 reader are Linux's")
# These check themselves, so that what is read is never anything else than what was written.
CHECKED = ("pytorch", "numpy", "keras-zip", "tensorflow-v1", "tensorflow-v2")
SAMPLES = (
    *("pytorch", "pytorch-legacy", "safetensors", "numpy", "numpy-single", "keras-h5", "keras-weights", "keras-zip"),
    *("tensorflow-v1", "tensorflow-v2", "graphdef", "caffe", "onnx"),
)


def damage(samples: dict[str, Path], names: tuple[str, ...], count: int, seed: int) -> None:
    """Check what became of so many damaged copies of each sample."""
    command = [sys.executable, FOLDER / "mutate.py", str(count), str(seed), *(samples[name] for name in names)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    for name, report in zip(names, json.loads(done.stdout), strict=True):
        outcomes = report["outcomes"]
        print(f"{name}: {outcomes}, at most {report['peak_kib'] // 1024} MiB in memory")
        assert report["failures"] == []
        died = outcomes.pop("the HDF5 library died", 0)
        assert sum(outcomes.values()) == count
        assert died <= outcomes["refused"] > count / 10
        assert "refused without saying what" not in outcomes
        if name in CHECKED:
            assert outcomes.keys() <= {"refused", "the same"}


def test_some_damaged_files_of_every_format(samples: dict[str, Path]) -> None:
    """In one process for all, since most of the time goes into starting it."""
    damage(samples, SAMPLES, 100, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_ten_thousand_damaged_files(samples: dict[str, Path], name: str) -> None:
    damage(samples, (name,), 10_000, 3)
