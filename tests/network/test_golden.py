"""Numbers that may not drift unnoticed: taps and logits of every network, with weights and an image that any machine can make.

After a change that is meant to alter them, write them anew and read the difference before it is committed:

    python tests/network/test_golden.py
"""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inceptions.architecture import names, variants
from inceptions.architecture.catalogue import steps
from inceptions.network import Network, create_model

GOLDEN = Path(__file__).with_name("golden")
# Everything is in double precision, so that rounding stays far below what is written down.
TOLERANCE = {"rel": 1e-6, "abs": 1e-6}


def written(name: str) -> list[str]:
    """The variants of a network, and those with one step left out."""
    return [full for variant in variants(name) for full in (variant, *(f"{variant}-{step}" for step in steps(name, variant)))]


def waves() -> Tensor:
    """An image without random numbers, `[1, 3, 96, 107]`, from -1 to 1."""
    c, y, x = torch.meshgrid(*(torch.arange(size, dtype=torch.float64) for size in (3, 96, 107)), indexing="ij")
    return ((0.1 * y + c).sin() * (0.07 * (c + 1) * x).cos()).unsqueeze(0)


def filled(model: Network) -> Network:
    """Uniform weights, which torch draws alike on every processor, and batch norm statistics unlike (0, 1)."""
    generator = torch.Generator().manual_seed(2015)
    for key, tensor in model.double().eval().state_dict().items():
        if tensor.ndim > 1:
            bound = sqrt(6 / tensor[0].numel())
            tensor.uniform_(-bound, bound, generator=generator)
        elif key.endswith(("bn.weight", "running_var")):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.is_floating_point():
            tensor.uniform_(-0.5, 0.5, generator=generator)
    return model


def measured(name: str) -> dict[str, float]:
    """Mean magnitude of every tap and the logits of every head, at full depth and a tenth of the width."""
    model = filled(create_model(name, num_classes=3, width=0.1, aux=True))
    with torch.no_grad():
        found = {str(tap): out.abs().mean().item() for tap, out in model.features(waves()).items()}
        for head, logits in model.heads(waves()).items():
            found |= {f"{head}, class {i}": logit for i, logit in enumerate(logits[0].tolist())}
    return {what: float(f"{number:.8g}") for what, number in found.items()}


@pytest.mark.parametrize("name", [f"{name}/{variant}" for name in names() for variant in written(name)])
def test_numbers_are_those_written_down(name: str) -> None:
    network, variant = name.split("/")
    expected = json.loads((GOLDEN / f"{network}.json").read_text())[variant]
    assert measured(name) == pytest.approx(expected, **TOLERANCE)


def test_nothing_is_written_down_that_is_not_there() -> None:
    found = {path.stem: set(json.loads(path.read_text())) for path in GOLDEN.glob("*.json")}
    assert found == {name: set(written(name)) for name in names()}


def write() -> None:
    """Write every golden file."""
    for name in names():
        numbers = {variant: measured(f"{name}/{variant}") for variant in written(name)}
        (GOLDEN / f"{name}.json").write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    write()
