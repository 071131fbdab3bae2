"""The published arithmetic, to the last digit."""

from __future__ import annotations

import pytest
import torchvision

from inceptions.architecture import cost
from inceptions.claims import CLAIMS
from inceptions.claims.claim import Count, significant
from inceptions.claims.experiments.cost_of_googlenet import depth
from inceptions.claims.references import alexnet, vgg_16
from inceptions.network import from_architecture


@pytest.mark.parametrize("number", [1, 2, 4, 5, 9, 10])
def test_counts_are_the_published_ones(number: int) -> None:
    claim = CLAIMS[number - 1]
    assert claim.counts is not None
    counts = claim.counts()
    assert any(not one.remark for one in counts)
    for one in counts:
        assert one.equal or one.remark, one


def test_the_well_known_figures() -> None:
    found = {one.what: one.ours for claim in CLAIMS if claim.counts for one in claim.counts()}
    assert found["multiplications, 5×5 directly"] == 120_422_400
    assert found["multiplications, both"] == 12_443_648
    assert found["layers with weights"] == 22
    assert found["layers with pooling"] == 27
    assert found["saved by two 3×3 for a 5×5, %"] == pytest.approx(28)
    assert found["saved by 3×1 and 1×3 for a 3×3, %"] == pytest.approx(100 / 3)
    assert found["saved by two 2×2 for a 3×3, %"] == pytest.approx(100 / 9)
    assert found["late / early pooling, multiply-adds"] == 4
    assert found["parameters of AlexNet / GoogLeNet"] == pytest.approx(8.73, abs=0.01)


@pytest.mark.parametrize(("ours", "theirs"), [(alexnet, "alexnet"), (vgg_16, "vgg16")])
def test_the_references_are_torchvisions(ours, theirs: str) -> None:
    """The same parameters in the same order, on "meta": no memory is filled."""
    import torch

    with torch.device("meta"):
        other = getattr(torchvision.models, theirs)(weights=None)
    mine = from_architecture(ours(), device="meta")
    assert [tuple(one.shape) for one in mine.parameters()] == [tuple(one.shape) for one in other.parameters()]
    assert cost(ours()).params == sum(one.numel() for one in other.parameters())


def test_depth_of_vgg_16_is_its_name() -> None:
    network = vgg_16()
    assert depth(network.trunk, pools=False) + depth(network.main.body, pools=False) == 16


def test_a_wrong_count_is_seen() -> None:
    assert significant(12.443648, 3) == 12.4
    assert not Count(what="", ours=12.46, published=12.4, digits=3).equal
    assert not Count(what="", ours=120_422_401, published=120_422_400).equal
