"""What a frozen network makes of images is computed once, and what is kept is what a fresh pass would give."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
import torch
import victim
from torch import Tensor

from inceptions.data import Readable, evaluation_batches, normalise, prepare
from inceptions.errors import WeightsError
from inceptions.network import Network, create_model
from inceptions.train.tuning import features
from inceptions.train.tuning.features import Features, Watch, compute_features, fingerprint

PREPROCESS = victim.RECIPE.preprocess
AUTOCAST = partial(torch.autocast, "cpu", dtype=torch.bfloat16)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch) -> None:
    monkeypatch.setattr(features, "CHUNK", 10)


@pytest.fixture
def network() -> Network:
    return create_model("googlenet/bn", num_classes=3, width=0.1, depth=0.4, aux=False, seed=0)


@pytest.fixture(scope="module")
def images() -> Readable:
    return prepare(victim.small_splits().train, cache_side=None)


@pytest.fixture
def calls(monkeypatch) -> list[int]:
    """How many images each forward pass had."""
    found: list[int] = []
    real = features.forward

    def counted(network, batch, *args, **options):
        found.append(len(batch.labels))
        return real(network, batch, *args, **options)

    monkeypatch.setattr(features, "forward", counted)
    return found


def compute(network: Network, images: Readable, cache: Path, *, mirror: bool = False, precision: str = "no") -> Features:
    autocast = AUTOCAST if precision == "bf16" else nullcontext
    watch = Watch(show=lambda done, total, figures: None, autocast=autocast, precision=precision)
    return compute_features(network, images, PREPROCESS, mirror=mirror, cache=cache, workers=0, watch=watch)


def direct(network: Network, images: Readable, *, mirror: bool = False) -> Tensor:
    """The same by hand: the main head without its last layer."""
    pooled = []
    network.eval()
    for batch in evaluation_batches(images.view.images, PREPROCESS, batch_size=10):
        x = normalise(batch.images, PREPROCESS)
        last = network.features(x.flip(3) if mirror else x)[network.architecture.taps[-1]]
        pooled.append(last.mean((2, 3)))
    return torch.cat(pooled).detach()


def test_what_is_kept_is_what_the_classifier_gets(network, images, tmp_path) -> None:
    fresh = compute(network, images, tmp_path, mirror=True)
    assert fresh.values.shape == (2, 32, network.get_submodule("main.logits.linear").in_features)
    assert fresh.labels.tolist() == images.labels
    torch.testing.assert_close(fresh.values[0], direct(network, images), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(fresh.values[1], direct(network, images, mirror=True), rtol=1e-5, atol=1e-6)
    kept = compute(network, images, tmp_path, mirror=True)
    assert torch.equal(kept.values, fresh.values)
    assert (fresh.computed, kept.computed) == (32, 0)


def test_only_what_is_missing_or_damaged_is_computed(network, images, tmp_path, calls) -> None:
    whole = compute(network, images, tmp_path)
    assert calls == [10, 10, 10, 2]
    chunks = sorted(tmp_path.iterdir())
    chunks[0].unlink()
    content = bytearray(chunks[1].read_bytes())
    content[-3] ^= 1  # a bit that the parser does not miss
    chunks[1].write_bytes(content)
    chunks[2].write_bytes(chunks[2].read_bytes()[:-9])
    (tmp_path / ".left.1.partial").touch()
    calls.clear()
    again = compute(network, images, tmp_path)
    assert len(calls) == 3
    assert again.computed == sum(calls)
    assert torch.equal(again.values, whole.values)
    assert sorted(tmp_path.iterdir()) == chunks


def test_nothing_that_matters_is_taken_for_the_same(network, images, tmp_path, calls) -> None:
    compute(network, images, tmp_path)
    calls.clear()
    with torch.no_grad():
        network.get_submodule("main.logits.linear").weight.add_(1)
    compute(network, images, tmp_path)
    assert calls == [], "the classifier has no part in it"
    compute(network, images, tmp_path, mirror=True)
    compute(network, images, tmp_path, precision="bf16")
    assert len(calls) == 8
    before = fingerprint(network)
    network.get_submodule(network.architecture.taps[0]).bn.running_mean[0] += 1e-3
    assert fingerprint(network) != before
    compute(network, images, tmp_path)
    other = prepare(victim.small_splits().validation, cache_side=None)
    compute(network, other, tmp_path)
    assert len(calls) == 8 + 4 + 2


def test_bf16_is_near(network, images, tmp_path) -> None:
    exact, rounded = (compute(network, images, tmp_path, precision=precision).values for precision in ("no", "bf16"))
    assert 0 < float((exact - rounded).norm() / exact.norm()) < 0.02


def test_what_is_no_number_is_refused(network, images, tmp_path) -> None:
    with torch.no_grad():
        network.get_submodule(network.architecture.taps[0]).conv.weight.fill_(1e38)
        network.get_submodule(network.architecture.taps[0]).bn.weight.fill_(1e38)
    with pytest.raises(WeightsError, match=r"of digit-0.* is not finite"):
        compute(network, images, tmp_path)
    assert not list(tmp_path.iterdir())
