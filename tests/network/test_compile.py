"""`torch.compile` on one variant of each network, and on the one with layers the others lack."""

from __future__ import annotations

import pytest
import torch

from inceptions.architecture import names
from inceptions.network import Network, create_model

pytestmark = pytest.mark.parametrize("name", [*names(), "bn_inception/slim"])


def small(name: str) -> tuple[Network, torch.Tensor]:
    torch.set_num_threads(1)
    torch.compiler.reset()
    return create_model(name, num_classes=3, seed=1, width=0.05, depth=0.1).eval(), torch.ones(1, 3, 80, 83)


def test_captures_one_graph(name: str) -> None:
    model, x = small(name)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(model, fullgraph=True, backend="eager")(x), model(x))


@pytest.mark.slow
def test_compiles(name: str) -> None:
    model, x = small(name)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(model, fullgraph=True)(x), model(x), rtol=1e-3, atol=1e-4)
