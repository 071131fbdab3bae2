"""Who gets the engine for GPUs, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import create_autospec

import pytest
import torch
from no_gpu import Processor
from random_graphs import random_graph

from inceptions.cli import execute
from inceptions.deploy.agreement import agreement
from inceptions.deploy.choosing import Candidate
from inceptions.deploy.compile import candidates, compile
from inceptions.deploy.engines import catalogue, cuda
from inceptions.deploy.opening import load
from inceptions.errors import MachineError, UsageError
from inceptions.network import create_model
from inceptions.weights import Card, Preprocess, save_weights


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert catalogue.GPU.isdisjoint(catalogue.installed())
    for name in sorted(catalogue.GPU):
        with pytest.raises(MachineError, match="need an NVIDIA GPU"):
            catalogue.named(name, "auto")
        with pytest.raises(MachineError, match="need an NVIDIA GPU"):
            cuda.engine(random_graph(5), name=name)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="float32 or bf16 or fp16, not in int8"):
            cuda.engine(random_graph(5), name=name, precision="int8")  # type: ignore[arg-type]
    model = create_model("googlenet", num_classes=3, width=0.125, seed=3)
    architecture = model.architecture
    card = Card(
        architecture=architecture.name,
        variant=architecture.variant,
        options=architecture.options,
        classes=("ant", "bee", "cat"),
        preprocess=Preprocess.standard(64),
    )
    save_weights(tmp_path / "net.safetensors", model, card)
    with pytest.raises(MachineError, match="here is none: choose auto, or eager"):
        load(tmp_path / "net.safetensors", engine="cuda")
    with pytest.raises(UsageError, match="cuda computes on a GPU, not on cpu"):
        load(tmp_path / "net.safetensors", engine="cuda", device="cpu")
    (tmp_path / "x.jpg").touch()
    assert execute(["predict", str(tmp_path / "net.safetensors"), str(tmp_path / "x.jpg"), "--engine", "cuda"]) == 5
    told = capsys.readouterr().err.strip()
    assert "need an NVIDIA GPU" in told
    assert "Traceback" not in told


def test_which_engines_a_device_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "installed", lambda: ["cuda", "openvino", "eager", "compiled", "cuda-compiled"])
    assert catalogue.named("auto", "auto") == ["cuda", "openvino", "eager"]
    assert catalogue.named("auto", "auto", "cuda:1") == ["cuda"]
    assert catalogue.named("auto", "auto", "cpu") == ["openvino", "eager"]
    assert catalogue.named("cuda-compiled", "auto", "cuda") == ["cuda-compiled"]
    for engine, device, match in (
        ("cuda", "cpu", "computes on a GPU, not on cpu"),
        ("eager", "cuda", "computes on the CPU, not on cuda"),
        ("auto", "mps", "not on mps"),
    ):
        with pytest.raises(UsageError, match=match):
            catalogue.named(engine, "auto", device)
    with pytest.raises(MachineError, match="int8 needs OpenVINO"):
        catalogue.named("cuda", "int8")
    monkeypatch.setattr(catalogue, "installed", lambda: ["openvino", "eager"])
    with pytest.raises(MachineError, match="need an NVIDIA GPU"):
        catalogue.named("auto", "auto", "cuda")


def test_candidates_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    bf16 = create_autospec(torch.cuda.is_bf16_supported, return_value=True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", bf16)
    assert catalogue.precisions("cuda") == ["bf16", "fp16", "float32"]
    bf16.assert_called_once_with(including_emulation=False)
    monkeypatch.setattr(catalogue, "installed", lambda: ["cuda", "eager"])
    processor = catalogue.precisions("eager")
    assert candidates("auto", "auto")[0][0] == Candidate("cuda", "bf16")
    assert candidates("cuda", "auto") == [[Candidate("cuda", "bf16")], [Candidate("cuda", "float32")]]
    assert candidates("auto", "fp16") == [
        [Candidate("cuda", "fp16")],
        [Candidate("cuda", "float32")],
    ]
    # An older GPU is measured in fp16 beside a processor that has bf16.
    bf16.return_value = False
    assert candidates("auto", "auto") == [
        [Candidate("cuda", "fp16"), *[Candidate("eager", one) for one in processor if one == "bf16"]],
        [Candidate("cuda", "float32"), Candidate("eager", "float32")],
    ]
    with pytest.raises(MachineError, match="cuda does not compute these networks in bf16"):
        candidates("cuda", "bf16")


def test_compile_asks_the_gpu_for_the_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The whole way, with a processor in its place."""
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "a GPU")
    given: list[torch.device] = []

    def instead(device: torch.device) -> Processor:
        given.append(device)
        return Processor()

    monkeypatch.setattr(cuda, "Gpu", instead)
    model = create_model("googlenet", num_classes=5, seed=3, width=0.05, depth=0.1).eval()
    fast = compile(model, engine="cuda", size=(64, 64), batch=2)
    x = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert agreement({"main": model(x).numpy()}, {"main": fast(x).numpy()}).difference <= 0.03
    assert (fast.engine, fast.precision, fast.computed_in) == ("cuda", "bf16", "bf16, cuda")
    assert given == [torch.device("cuda", 0)]
    compile(model, size=(64, 64), batch=2, device="cuda:1")
    assert given[1:] == [torch.device("cuda", 1)]
    with pytest.raises(MachineError, match="no cuda:2"):
        compile(model, size=(64, 64), device="cuda:2")
    with pytest.raises(UsageError, match="made of a network on the CPU"):
        compile(model.to("meta"), engine="cuda", size=(64, 64))
