"""`torch.compile` on each network and variant: one graph, the same answers."""

from __future__ import annotations

import pytest
import torch

from inceptions.architecture import names, variants
from inceptions.architecture.catalogue import steps
from inceptions.network import create_model, list_models


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_compiled_code_gives_the_same_answers(name: str) -> None:
    torch.compiler.reset()
    model = create_model(name, num_classes=3, seed=1, width=0.05, depth=0.1).eval()
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(model, fullgraph=True)(x), model(x), rtol=1e-4, atol=1e-5)


# The default of each name, and the variants with layers that those lack; the others take as long and show little.
PLAIN = {f"{name}/{next(iter(variants(name)))}" for name in names()} | {
    "bn_inception/slim",
    "googlenet/paper",
    "googlenet/slim",
}
EVERY = [*list_models(), *(f"inception_v3/paper-{step}" for step in steps("inception_v3", "paper"))]


@pytest.mark.parametrize("name", [name if name in PLAIN else pytest.param(name, marks=pytest.mark.slow) for name in EVERY])
def test_captures_one_graph(name: str) -> None:
    torch.compiler.reset()
    model = create_model(name, num_classes=3, seed=1, width=0.05, depth=0.1).eval()
    x = torch.randn(2, 3, 80, 83, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        # A break of the graph is an error under fullgraph.
        torch.testing.assert_close(torch.compile(model, fullgraph=True, backend="eager")(x), model(x))
