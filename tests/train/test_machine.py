"""Device, precision and workers: chosen, or as asked for."""

from __future__ import annotations

import pytest
import torch

from inceptions.errors import MachineError, UsageError
from inceptions.train.machine import Readback, check_compiler, choose_device, choose_precision, choose_workers, start

CPU = torch.device("cpu")


def test_devices(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device() == CPU
    assert choose_device("cpu") == CPU
    with pytest.raises(MachineError, match="no cuda on this machine"):
        choose_device("cuda")
    for wrong in ("gpu", "meta", "cpu:x"):
        with pytest.raises(UsageError, match="Unknown device"):
            choose_device(wrong)


@pytest.mark.parametrize(
    ("has", "expected"),
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx512_bf16": False}, "fp32"), ({}, "fp32")],
)
def test_bf16_where_the_cpu_has_it(monkeypatch, has, expected) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    assert choose_precision("auto", CPU) == expected
    assert choose_precision("fp32", CPU) == "fp32"
    assert choose_precision("bf16", CPU) == "bf16"


def test_an_unknown_precision() -> None:
    with pytest.raises(UsageError, match=r"Unknown precision 'bf61'\. Did you mean 'bf16'"):
        choose_precision("bf61", CPU)


def test_workers() -> None:
    assert choose_workers("auto", CPU) >= 1
    assert choose_workers(0, CPU) == 0
    for wrong in (-1, "many", 1.5, True, 10**6):
        with pytest.raises(UsageError, match="workers must be auto or a whole number"):
            choose_workers(wrong, CPU)


def test_one_process_may_compute_in_one_precision_after_the_other() -> None:
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32), ("bf16", torch.bfloat16)):
        accelerator = start(CPU, precision)
        assert accelerator.device.type == "cpu"
        with accelerator.autocast():
            assert torch.nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2)).dtype == dtype


def test_fp16_needs_a_gpu() -> None:
    with pytest.raises(UsageError, match=r"fp16 is for GPUs .* not for cpu: take bf16"):
        choose_precision("fp16", CPU)
    assert choose_precision("fp16", torch.device("cuda")) == "fp16"


def test_numbers_come_back() -> None:
    readback = Readback(CPU)
    for values in ([1.5, 2.0], [float("inf"), -1.0]):
        readback.fetch(torch.tensor(values))
        assert readback.numbers() == values


def test_compiling_needs_a_compiler(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(MachineError, match=r"--compile needs a C\+\+ compiler, and g\+\+ is not here: install it"):
        check_compiler(CPU)
    check_compiler(torch.device("cuda"))
    (tmp_path / "c++").touch(mode=0o755)
    monkeypatch.setenv("CXX", "c++")
    check_compiler(CPU)
