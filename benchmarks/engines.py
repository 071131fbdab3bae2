"""Our engines against torch and OpenVINO on torchvision's own models, answers compared.

In processor time of one thread, so that a machine that is busy with other things tells the same; what several threads lose by
waiting for one another is not in it. `python -m benchmarks.engines NETWORK BATCH PRECISION [ROUNDS [compiled]]`: "compiled"
adds what has to be compiled for minutes first.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
import torchvision

from benchmarks.interleaved import Measured
from inceptions.deploy.agreement import agreement
from inceptions.deploy.engines import catalogue
from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.lower import lower
from inceptions.deploy.rewrites import rewrite
from inceptions.network import create_model
from inceptions.weights.families import torchvision as families
from inceptions.weights.published.cache import home

SIZES = {"googlenet": 224, "inception_v3": 299}


def measure(
    network: str = "inception_v3", batch: int = 16, precision: Precision = "bf16", rounds: int = 5, compiled: bool = False
) -> Measured:
    """Images a second of one thread, from the same float32 tensor `[batch, 3, height, width]` to the logits."""
    torch.set_num_threads(1)
    logging.getLogger("torch").setLevel(logging.ERROR)
    peer = getattr(torchvision.models, network)(weights=None, init_weights=False, transform_input=False).eval()
    ours = create_model(network, aux=True, seed=1).eval()
    # Our weights in their network: with its own fresh ones, next to nothing arrives at the logits.
    peer.load_state_dict(getattr(families, network)(ours.architecture).to_theirs(ours.state_dict()), strict=False)
    dtype = {"bf16": torch.bfloat16, "float32": torch.float32}[precision]
    x = torch.randn(batch, 3, SIZES[network], SIZES[network], generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        exact = {"main": peer(x).numpy()}
        systems: dict[str, Callable[[], np.ndarray]] = {"torchvision, float32 as it comes": lambda: peer(x).numpy()}
        last = getattr(torchvision.models, network)(weights=None, init_weights=False, transform_input=False).eval()
        last.load_state_dict(peer.state_dict())
        last = last.to(dtype=dtype, memory_format=torch.channels_last)

        def laid() -> torch.Tensor:
            return x.to(dtype=dtype, memory_format=torch.channels_last)

        systems[f"torchvision, {precision} channels last"] = lambda: last(laid()).float().numpy()
        if compiled:
            frozen = torch.compile(last)
            with torch._inductor.config.patch(freezing=True):
                frozen(laid())
            systems["torchvision, torch.compile with freezing"] = lambda: frozen(laid()).float().numpy()
    systems["torchvision, OpenVINO"] = _openvino(peer, x, precision)
    names = [name for name in catalogue.installed() if name not in catalogue.GPU and (name != "compiled" or compiled)]
    for name in names:
        if precision in catalogue.precisions(name):
            graph, _ = rewrite(lower(ours), engine=name, precision=precision, batch=batch)
            made = catalogue.make(name, graph, precision=precision, batch=batch, threads=1, cache=home() / "engines")
            systems[f"inceptions, {name}"] = lambda made=made: made.run(x.numpy())["main"]
    measured = Measured(f"{network}, batch {batch}, {precision}, one thread", "", {name: [] for name in systems})
    told = []
    for number in range(rounds + 1):
        for name, call in systems.items():
            with torch.inference_mode():
                start = time.process_time()
                logits = call()
                seconds = time.process_time() - start
            if number:
                measured.rates[name].append(batch / seconds)
            else:
                told.append(f"{name}: {agreement(exact, {'main': logits}).difference:.1e}")
    measured.note = "Largest difference of a logit, as a share of the largest. " + "; ".join(told)
    return measured


def _openvino(peer: torch.nn.Module, x: torch.Tensor, precision: Precision) -> Callable[[], np.ndarray]:
    """The unmodified model, converted and compiled by OpenVINO itself."""
    import openvino

    model = openvino.convert_model(peer, example_input=x)
    model.reshape(list(x.shape))
    hint = {"bf16": "bf16", "float32": "f32"}[precision]
    settings = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    tensor = openvino.Tensor(x.numpy(), shared_memory=True)
    return lambda: request.infer([tensor])[0].copy()


def main() -> int:
    """Measure what the arguments name, and print it."""
    network, batch, precision, *rest = sys.argv[1:]
    rounds = int(rest[0]) if rest else 5
    measured = measure(network, int(batch), precision, rounds, "compiled" in rest)  # type: ignore[arg-type]
    measured.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
