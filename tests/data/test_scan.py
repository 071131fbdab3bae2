from __future__ import annotations

import numpy as np
import pytest
import torch

from inceptions.data import ImageError, evaluation, open_data, prepare, prepare_evaluation, scan
from inceptions.data.images import Files
from inceptions.errors import DataError
from inceptions.weights import Preprocess


@pytest.fixture
def twenty(plant) -> Files:
    root = plant({"train/cats": 10, "train/dogs": 10, "val/cats": 1, "val/dogs": 1})
    return open_data(root).train


def test_pixels_are_the_same_in_memory_and_decoded_again(twenty):
    sizes = [3 * image.width * image.height for image in map(twenty.open, range(len(twenty)))]
    kept = {budget: prepare(twenty, cache_side=16, budget_bytes=budget) for budget in (10**9, sum(sizes) // 3, 0)}
    assert kept[10**9].cached == 20
    assert 0 < kept[sum(sizes) // 3].cached < 20
    assert kept[0].cached == 0
    assert len(kept[0].storage) == 0
    for i in range(20):
        first, *others = (readable.pixels(i) for readable in kept.values())
        assert first.dtype == torch.uint8
        assert min(first.shape[1:]) == 16
        assert all(torch.equal(first, other) for other in others)


def test_images_are_made_smaller_but_never_larger(twenty):
    for side in (19, 100, None):
        readable = prepare(twenty, cache_side=side)
        for i in range(20):
            image = twenty.open(i)
            small = side is None or min(image.size) <= side
            assert min(readable.pixels(i).shape[1:]) == (min(image.size) if small else side)
            if small:
                assert np.array_equal(readable.pixels(i).permute(1, 2, 0).numpy(), np.asarray(image))
        assert readable.cached == (0 if side is None else 20)


def test_the_memory_is_one_block_whatever_the_threads(twenty, monkeypatch):
    blocks = []
    for threads in (1, 2, 7):
        monkeypatch.setattr(scan, "decoding_threads", lambda threads=threads: threads)
        readable = prepare(twenty, cache_side=16)
        blocks.append(readable.storage)
        starts = [place[0] for place in readable.places]
        assert starts == sorted(starts)
    assert torch.equal(blocks[0], blocks[1])
    assert torch.equal(blocks[0], blocks[2])


def test_evaluation_keeps_what_the_network_will_see(twenty):
    preprocess = Preprocess.standard(16)
    seen, again = (prepare_evaluation(twenty, preprocess, budget_bytes=budget) for budget in (10**9, 0))
    assert (seen.cached, again.cached) == (20, 0)
    for i in range(20):
        expected = evaluation(preprocess)(twenty.open(i))
        assert torch.equal(seen.pixels(i), expected)
        assert torch.equal(again.pixels(i), expected)


def test_unreadable_images_are_skipped_and_listed(twenty):
    whole = prepare(twenty, cache_side=16)
    (twenty.root / "train/cats/3.png").write_bytes(b"")
    (twenty.root / "train/dogs/0.png").write_bytes((twenty.root / "train/dogs/0.png").read_bytes()[:90])
    told = []
    readable = prepare(twenty, cache_side=16, max_unreadable=0.1, progress=lambda done, total: told.append((done, total)))
    assert readable.skipped == [("train/cats/3.png", "it is empty"), ("train/dogs/0.png", "the file is cut off")]
    assert len(readable) == 18
    assert readable.names == [name for name in twenty.names if name not in {"train/cats/3.png", "train/dogs/0.png"}]
    assert readable.labels == [0] * 9 + [1] * 9
    assert torch.equal(readable.pixels(3), whole.pixels(4))
    assert torch.equal(readable.pixels(9), whole.pixels(11))
    assert told == [(i + 1, 20) for i in range(20)]


def test_too_many_unreadable_images_are_refused(twenty):
    for i in range(5):
        (twenty.root / f"train/cats/{i}.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        prepare(twenty, cache_side=16)
    assert str(caught.value) == (
        "5 of 20 images (25.0%) cannot be read, more than the 10% that may be skipped: train/cats/0.png (it is empty); "
        "train/cats/1.png (it is empty); train/cats/2.png (it is empty) and 2 more. Replace or remove them."
    )
    assert len(prepare(twenty, cache_side=16, max_unreadable=0.25)) == 15


def test_a_class_without_a_readable_image_is_refused(plant):
    images = open_data(plant({"train/cats": 30, "train/dogs": 1, "val/cats": 1, "val/dogs": 1})).train
    (images.root / "train/dogs/0.png").write_bytes(b"")
    (images.root / "train/cats/0.png").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"None of the images of a class can be read: train/dogs/0.png \(it is empty\)\. Replace"
    ):
        prepare(images, cache_side=16)
    assert len(prepare_evaluation(images, Preprocess.standard(16))) == 29


def test_nothing_readable_is_refused_whatever_the_share(plant):
    images = open_data(plant({"train/cats": 1, "train/dogs": 1, "val/cats": 1, "val/dogs": 1})).validation
    for name in images.names:
        (images.root / name).write_bytes(b"")
    with pytest.raises(DataError, match="None of the 2 images can be read, there is nothing to go on with"):
        prepare_evaluation(images, Preprocess.standard(16), max_unreadable=1.0)


def test_a_file_that_vanishes_matters_only_if_it_is_needed(twenty):
    in_memory, on_disk = (prepare(twenty, cache_side=16, budget_bytes=budget) for budget in (10**9, 0))
    (twenty.root / "train/cats/0.png").unlink()
    assert in_memory.pixels(0).shape[0] == 3
    with pytest.raises(ImageError, match=r"train/cats/0\.png cannot be read as an image: there is no such file"):
        on_disk.pixels(0)


def test_the_free_memory_is_a_sensible_number():
    assert 2**24 < scan.free_memory() < 2**46
