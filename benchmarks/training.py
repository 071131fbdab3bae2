"""A training step of each network beside torchvision's, timm's and facenet-pytorch's: images a second, and memory at its peak.

Every system lives in a process of its own, so that none changes the others' settings of the C library's memory, and they take
steps in turn. `python -m benchmarks.training [NETWORK...] [--cpu-time] [--rounds N]`: `--cpu-time` counts the processor time of
one thread, so that a machine that is busy with other things tells the same ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.interleaved import Measured
from inceptions.architecture import Options, declare
from inceptions.data import Augment, Batch
from inceptions.network import create_model, from_architecture
from inceptions.recipe import Optim, Recipe, recipe
from inceptions.train.machine import start
from inceptions.train.optim import optimiser
from inceptions.train.optim.loss import AllHeads
from inceptions.train.optim.rearrange import rearrange
from inceptions.train.run.checkpoint import Counters, State
from inceptions.train.step import Step
from inceptions.train.team import Team

BATCH, CLASSES, AUX_WEIGHT = 16, 1000, 0.3
NETWORKS = {
    "googlenet": ("torchvision", 224),
    "bn_inception": ("the plain network", 224),  # no library of today has it: our layers as anybody would run them
    "inception_v3": ("torchvision", 299),
    "inception_v4": ("timm", 299),
    "inception_resnet_v1": ("facenet-pytorch", 160),
    "inception_resnet_v2": ("timm", 299),
}
WAYS = ("float32", "bf16", "ours")
STEPS_FOR_MEMORY = 4


def measure() -> Measured:
    """Inception-v3 with its auxiliary head."""
    return measured("inception_v3")


def measured(network: str, *, rounds: int = 7, cpu_time: bool = False) -> Measured:
    """One network's three ways; the memory that each needed is in the note."""
    peer, size = NETWORKS[network]
    ways = (f"{peer}, float32 as it comes", f"{peer}, bf16 autocast, channels last", "inceptions, bf16")
    names = dict(zip(WAYS, ways, strict=True))
    with ExitStack() as stack:
        children = {names[way]: stack.enter_context(Child(network, way, cpu_time)) for way in WAYS}
        peaks = {name: child.ask("memory") for name, child in children.items()}
        found = Measured(f"{network}: training step, batch {BATCH}, {size}×{size}, SGD", "", {name: [] for name in children})
        for _ in range(rounds):
            for name, child in children.items():
                found.rates[name].append(BATCH / child.ask("step")["seconds"])
    found.note = "Memory beyond imports, network and images: " + "; ".join(
        f"{name} {peak['grown'] / 2**20:,.0f} MiB (process {peak['peak'] / 2**20:,.0f})" for name, peak in peaks.items()
    )
    return found


class Child:
    """A process that takes a training step when it is told to."""

    def __init__(self, network: str, way: str, cpu_time: bool) -> None:
        words = [sys.executable, "-m", "benchmarks.training", "--child", network, way, *(["--cpu-time"] if cpu_time else [])]
        threads = {"OMP_NUM_THREADS": "1"} if cpu_time else {}
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **threads}
        )

    def ask(self, what: str) -> dict[str, float]:
        """Give an order and wait for what it came to."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(what, file=self._process.stdin, flush=True)
        while not (line := self._process.stdout.readline()).startswith("{"):
            assert line, "the process is gone"
        found: dict[str, float] = json.loads(line)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def child(network: str, way: str, *, cpu_time: bool) -> None:
    """Read orders and answer them, one line each."""
    if cpu_time:
        torch.set_num_threads(1)
    clock = time.process_time if cpu_time else time.perf_counter
    size = NETWORKS[network][1]
    step = ours(network, size) if way == "ours" else theirs(network, size, bf16=way == "bf16")
    before = resident("VmRSS")
    for order in sys.stdin:
        if order.strip() == "memory":
            for _ in range(STEPS_FOR_MEMORY):
                step()
            peak = resident("VmHWM")
            print(json.dumps({"peak": peak, "grown": peak - before}), flush=True)
        else:
            began = clock()
            step()
            print(json.dumps({"seconds": clock() - began}), flush=True)


def resident(what: str) -> int:
    """Bytes of memory that the process holds ("VmRSS"), or held at most ("VmHWM")."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def theirs(network: str, size: int, *, bf16: bool) -> Callable[[], object]:
    """The loop of the tutorials: forward, losses of all heads, backward, SGD."""
    model = peer(network).train()
    x, labels = torch.randn(BATCH, 3, size, size), torch.arange(BATCH)
    if bf16:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        sgd.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            found = model(x)
            main, *auxiliary = found if isinstance(found, tuple) else (found,)
            loss = cross_entropy(main, labels)
            for logits in auxiliary:
                loss = loss + AUX_WEIGHT * cross_entropy(logits, labels)
        loss.backward()
        sgd.step()

    return step


def peer(network: str) -> Any:
    """The other library's network."""
    library, _ = NETWORKS[network]
    if library == "torchvision":
        import torchvision

        return getattr(torchvision.models, network)(weights=None, aux_logits=True, init_weights=False)
    if library == "timm":
        import timm

        return timm.create_model(network, pretrained=False)
    if library == "facenet-pytorch":
        from facenet_pytorch import InceptionResnetV1

        return InceptionResnetV1(classify=True, num_classes=CLASSES)

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = AllHeads(create_model(network, aux=has_heads(network), num_classes=CLASSES))

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            heads = self.network(x)
            return heads.pop("main"), *heads.values()

    return Logits()


def has_heads(network: str) -> bool:
    """Whether the other library's network has auxiliary heads: ours then gets its own."""
    return NETWORKS[network][0] == "torchvision"


def ours(network: str, size: int) -> Callable[[], object]:
    """What `train` does with a batch of bytes: as the loop does, and with what it counts on the way."""
    chosen = replace(
        recipe("scratch"),
        batch_size=BATCH,
        image_size=size,
        start_size=None,
        source_size=None,
        aux_weight=AUX_WEIGHT if has_heads(network) else 0.0,
        label_smoothing=0.0,
        ema=None,
        augment=Augment(),
        optim=Optim(kind="sgd", lr=0.01, momentum=0.9, weight_decay=0.0, clip=None),
    )
    step = made(network, chosen)
    pixels = torch.randint(0, 256, (BATCH, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    batch = Batch(pixels, torch.arange(BATCH), list(range(BATCH)))

    def one() -> None:
        step.gradients(batch, BATCH)
        step.update(0.01)

    return one


def made(network: str, chosen: Recipe) -> Step:
    """A step put together as `Session` does it, in bf16 on the CPU."""
    device = torch.device("cpu")
    accelerator = start(device, "bf16")
    architecture = declare(network, None, Options(num_classes=CLASSES, aux=chosen.aux_weight > 0))
    model = from_architecture(architecture, seed=0).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = State(network=model, optimiser=optimiser.build(model, chosen.optim), average=None, counters=Counters())
    rearrange(model)
    return Step(chosen, state, accelerator=accelerator, team=Team(accelerator), classes=CLASSES)


def main() -> int:
    """Measure what the arguments name, and print it; or be one of the processes that are measured."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("networks", nargs="*", choices=[*NETWORKS, []], default=[])
    words.add_argument("--cpu-time", action="store_true")
    words.add_argument("--rounds", type=int, default=7)
    words.add_argument("--child", nargs=2, metavar=("NETWORK", "WAY"))
    chosen = words.parse_args()
    if chosen.child:
        child(*chosen.child, cpu_time=chosen.cpu_time)
        return 0
    for network in chosen.networks or NETWORKS:
        found = measured(network, rounds=chosen.rounds, cpu_time=chosen.cpu_time)
        found.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
