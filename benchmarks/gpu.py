"""On a GPU, in bf16: our engines against torch's own ways with the unmodified networks, answers compared.

`python -m benchmarks.gpu [NETWORK…] [--batch 1,32,256] [--rounds 9] [--compiled] [--profile]`. All start from the same float32
tensor on the GPU and leave logits there, but for those that say "from memory": these start from and end in the processor's.
Every call is waited for. `--compiled` adds what torch.compile makes, of theirs and of ours, which takes minutes for each;
`--profile` shows where our time goes, kernel by kernel.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.interleaved import Measured, in_turn
from inceptions.architecture import cost
from inceptions.deploy.agreement import agreement
from inceptions.deploy.bench.unmodified import unmodified, without_heads
from inceptions.deploy.choosing import smooth
from inceptions.deploy.engines import catalogue
from inceptions.deploy.engines.cuda import Cuda, engine, exact
from inceptions.deploy.lower import lower
from inceptions.deploy.rewrites import rewrite
from inceptions.network import Network, create_model

NETWORKS = ("googlenet", "bn_inception", "inception_v3", "inception_v4", "inception_resnet_v1", "inception_resnet_v2")
MATRIX = 8192
PASSES = 32
"""Images in a turn, at least: a single one is too short to be timed."""


def ceiling() -> float:
    """Operations a second of the best matrix multiplication in bf16, of random numbers: of ones, chips are faster."""
    left, right = (torch.randn(MATRIX, MATRIX, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    taken = []
    for _ in range(13):
        torch.cuda.synchronize()
        start = time.perf_counter()
        left @ right
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return 2 * MATRIX**3 / median(taken[3:])


def measure(network: Network, batch: int, *, rounds: int, compiled: bool) -> tuple[Measured, dict[str, float], Cuda]:
    """Images a second of one network, how far the logits are from float32's, and our engine.

    Args:
        network: without auxiliary heads, in evaluation.
        batch: images at once.
        rounds: how many.
        compiled: whether torch.compile is measured.
    """
    architecture = network.architecture
    size = architecture.input_size
    images = smooth((3, *size), batch, pixels=False).astype(np.float32)
    x = torch.from_numpy(images).cuda()
    whose = unmodified(network)
    with exact():
        plain = copy.deepcopy(whose.module).cuda()
        right = {"main": np.concatenate([plain(part).cpu().numpy() for part in x.split(32)])}
    theirs: nn.Module = plain.to(dtype=torch.bfloat16, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def laid(module: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return module(x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)).float()

    def replayed(ours: Cuda) -> Tensor:
        with ours.gpu.working():
            ours.recorded.images.copy_(x)
            ours.recorded.replay()
            return ours.recorded.logits[0]

    graph, _ = rewrite(lower(network), engine="cuda", precision="bf16", batch=batch)
    ours = engine(graph, precision="bf16", batch=batch)
    systems: dict[str, Callable[[], Tensor | np.ndarray]] = {
        f"{whose.owner}, eager channels_last": partial(laid, theirs, x),
        "inceptions, cuda": partial(replayed, ours),
    }
    if compiled:
        systems[f"{whose.owner}, torch.compile max-autotune"] = partial(
            laid, torch.compile(theirs, mode="max-autotune", dynamic=False), x
        )
        graph, _ = rewrite(lower(network), engine="cuda-compiled", precision="bf16", batch=batch)
        systems["inceptions, cuda-compiled"] = partial(
            replayed, engine(graph, name="cuda-compiled", precision="bf16", batch=batch)
        )
    systems[f"{whose.owner}, eager channels_last, from memory"] = lambda: laid(theirs, torch.from_numpy(images).cuda()).cpu()
    systems["inceptions, cuda, from memory"] = lambda: ours.run(images)["main"]
    turns = max(1, PASSES // batch)

    def turn(call: Callable[[], Tensor | np.ndarray]) -> None:
        for _ in range(turns):
            call()
            torch.cuda.synchronize()

    apart = {}
    for name, call in systems.items():
        logits = call()
        torch.cuda.synchronize()
        found = logits.cpu().numpy() if isinstance(logits, Tensor) else logits
        apart[name] = agreement(right, {"main": found}).difference
    measured = in_turn(
        f"{architecture.full_name}, batch {batch}, bf16",
        {name: partial(turn, call) for name, call in systems.items()},
        batch * turns,
        rounds=rounds,
    )
    return measured, apart, ours


def profiled(ours: Cuda) -> str:
    """Where the time of a recorded batch goes, kernel by kernel."""
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as found, ours.gpu.working():
        for _ in range(5):
            ours.recorded.replay()
        torch.cuda.synchronize()
    return found.key_averages().table(sort_by="self_device_time_total", row_limit=12, max_name_column_width=90)


def main() -> int:
    """Measure what the arguments name, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    parser.add_argument("--batch", default="1,32,256")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    if "cuda" not in catalogue.installed() or "bf16" not in catalogue.precisions("cuda"):
        print("There is no NVIDIA GPU with bf16 here that torch can use, so nothing was measured.", file=sys.stderr)
        return 5
    best = ceiling()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}: {best / 1e12:.0f} TFLOP/s in bf16, {MATRIX} × {MATRIX}")
    with torch.inference_mode():
        for name in given.networks:
            network = without_heads(create_model(name, seed=1, aux=False))
            for batch in map(int, given.batch.split(",")):
                measured, apart, ours = measure(network, batch, rounds=given.rounds, compiled=given.compiled)
                macs = cost(network.architecture, network.architecture.input_size).macs
                table = Table(title=measured.title, caption="max. difference: of a logit from float32's, of the largest")
                for heading in ("what", "images/s", "ratio", "least", "most", "of ceiling", "max. difference"):
                    table.add_column(heading, justify="left" if heading == "what" else "right")
                for row in measured.rows():
                    share = 2 * macs * median(measured.rates[row[0]]) / best
                    table.add_row(*row, f"{share:.1%}", f"{apart[row[0]]:.1e}")
                Console(width=140).print(table)
                if given.profile:
                    print(profiled(ours))
    return 0


if __name__ == "__main__":
    sys.exit(main())
