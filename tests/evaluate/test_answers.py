from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inceptions.data import ImageError, normalise, open_evaluation
from inceptions.data.shares import Member
from inceptions.errors import DataError, UsageError
from inceptions.evaluate.answers import Predictions, ask, log_softmax, merged
from inceptions.evaluate.feed import Feed
from inceptions.evaluate.protocol import Protocol
from inceptions.evaluate.views import viewer

CLASSES = ("blue", "red")
PLAIN = {"device": "cpu", "precision": "fp32", "workers": 0}


def shares(scores: np.ndarray) -> np.ndarray:
    return np.exp(log_softmax(scores))


@pytest.mark.parametrize("average", ["probabilities", "logits"])
@pytest.mark.parametrize(
    "protocol", [{"crops": "10"}, {"crops": "12"}, {"crops": "144"}, {"crops": "full", "scales": (48, 60)}], ids=str
)
def test_the_average_is_the_mean_of_crops_seen_alone(contender, photos: Path, protocol: dict, average: str) -> None:
    one, images = contender(), open_evaluation(photos, CLASSES)
    how = Protocol(**protocol, average=average)
    found = ask(one.network, one.card.preprocess, images, protocol=how, batch_size=50, **PLAIN)
    assert found.indices == tuple(range(20))
    show = viewer(how, one.card.preprocess)
    for i in (0, 7, 19):
        with torch.inference_mode():
            alone = torch.cat(
                [one.network(normalise(crop[None], one.card.preprocess)) for same in show(images.open(i)) for crop in same]
            ).double()
        expected = alone.softmax(1).mean(0) if average == "probabilities" else alone.mean(0).softmax(0)
        np.testing.assert_allclose(shares(found.main[i : i + 1])[0], expected.numpy(), atol=2e-6)


@pytest.mark.parametrize("crops", ["1", "12", "full"])
def test_batches_and_threads_change_nothing(contender, photos: Path, crops: str) -> None:
    one, images = contender(), open_evaluation(photos, CLASSES)
    ways = [(64, 0), (5, 0), (17, 2), (1, 3)]
    found = [
        ask(
            one.network,
            one.card.preprocess,
            images,
            protocol=Protocol(crops=crops),
            batch_size=batch,
            **{**PLAIN, "workers": n},
        )
        for batch, n in ways
    ]
    for other in found[1:]:
        assert other.indices == found[0].indices
        np.testing.assert_allclose(shares(other.main), shares(found[0].main), atol=2e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 25])
def test_any_number_of_processes_sees_every_image_once(contender, photos: Path, size: int) -> None:
    (photos / "blue" / "3.png").write_bytes(b"")
    one, images = contender(), open_evaluation(photos, CLASSES)
    whole = ask(one.network, one.card.preprocess, images, **PLAIN)
    parts = [ask(one.network, one.card.preprocess, images, member=Member(rank, size), **PLAIN) for rank in range(size)]
    together = merged(images, parts)
    assert together.indices == whole.indices
    assert len(together.indices) == 19
    assert together.skipped == whole.skipped == ((3, "it is empty"),)
    np.testing.assert_allclose(shares(together.main), shares(whole.main), atol=2e-6)
    for i in range(3):
        (photos / "red" / f"{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match="4 of 20 images"):
        merged(images, [ask(one.network, one.card.preprocess, images, member=Member(rank, 2), **PLAIN) for rank in range(2)])


def test_heads(contender, photos: Path) -> None:
    one, images = contender(name="googlenet", size=64, width=0.0625, aux=True), open_evaluation(photos, CLASSES)
    found = ask(one.network, one.card.preprocess, images, protocol=Protocol(crops="10"), heads=True, **PLAIN)
    assert list(found.heads) == ["aux_4a", "aux_4d", "main"]
    alone = ask(one.network, one.card.preprocess, images, protocol=Protocol(crops="10"), **PLAIN)
    np.testing.assert_allclose(found.main, alone.main, atol=1e-5)
    joint = found.with_joint_heads()
    every = np.stack([shares(rows) for rows in found.heads.values()])
    np.testing.assert_allclose(shares(joint["mean"]), every.mean(0), atol=1e-6)
    for i in range(20):
        surest = every[:, i].max(1).argmax()
        np.testing.assert_allclose(shares(joint["best"])[i], every[surest, i], atol=1e-6)


def test_the_deepest_of_equally_sure_heads_answers() -> None:
    rows = {name: np.array([row], np.float32) for name, row in {"aux": (0, 1), "main": (1, 0)}.items()}
    joint = Predictions(heads=rows, indices=(0,)).with_joint_heads()
    assert joint["best"].argmax() == 0
    assert Predictions(heads={"main": rows["main"]}, indices=(0,)).with_joint_heads().keys() == {"main"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 20), st.integers(0, 2), st.booleans())
def test_batches_are_full_across_images(views: list[int], batch_size: int, workers: int, sizes: bool) -> None:
    """Every view once, in order within its size; images without views here are unreadable; only the last batch is short."""

    def look(image: int) -> list[Tensor]:
        if not views[image]:
            raise ImageError(f"{image}", "empty")
        return [torch.full((views[image], 3, 2 + (image % 2 if sizes else 0), 2), float(image))]

    feed = Feed(range(len(views)), look, views=1, batch_size=batch_size, workers=workers)
    batches = list(feed)
    assert [image for image, _ in feed.skipped] == [image for image, n in enumerate(views) if not n]
    seen = [0] * len(views)
    for batch in batches:
        assert len({piece.shape[1:] for piece in batch.pieces}) == 1
        for (image, n), piece in zip(batch.parts, batch.pieces, strict=True):
            assert len(piece) == n
            assert (piece == image).all()
            seen[image] += n
    assert seen == views
    counts = [sum(n for _, n in batch.parts) for batch in batches]
    assert all(0 < n <= batch_size for n in counts)
    if not sizes:
        assert all(n == batch_size for n in counts[:-1])


def test_no_more_waits_than_is_needed() -> None:
    """Threads run ahead of the network by a few batches, not by the whole set."""
    begun: list[int] = []

    def look(image: int) -> list[Tensor]:
        begun.append(image)
        return [torch.zeros(12, 3, 2, 2)]

    feed = iter(Feed(range(500), look, views=12, batch_size=24, workers=2))
    for _ in range(10):
        next(feed)
    assert len(begun) <= 20 + 1 + 2 + 4
    feed.close()


def test_whole_images_of_many_sizes_do_not_pile_up() -> None:
    def look(image: int) -> list[Tensor]:
        return [torch.zeros(1, 3, 2, 2 + image)]

    counts = [sum(n for _, n in batch.parts) for batch in Feed(range(60), look, views=1, batch_size=4, workers=0)]
    assert sum(counts) == 60


def test_a_batch_needs_a_view(contender, photos: Path) -> None:
    one = contender()
    with pytest.raises(UsageError, match="at least 1 view"):
        ask(one.network, one.card.preprocess, open_evaluation(photos, CLASSES), batch_size=0, **PLAIN)
