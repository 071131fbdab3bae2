from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from inceptions.data import (
    Augment,
    Batch,
    ImageError,
    Loader,
    Readable,
    evaluation,
    evaluation_batches,
    open_data,
    order,
    prepare,
    prepare_evaluation,
    training,
)
from inceptions.data.transforms import Transform
from inceptions.errors import MachineError, UsageError
from inceptions.weights import Preprocess

AUGMENT = Augment(rotation=20, shear=5, brightness=0.3, contrast=0.3, saturation=0.3, erase=0.3)
PREPROCESS = Preprocess.standard(16)


def growing(epoch: int) -> Transform:
    return training(AUGMENT, 16 + 8 * epoch)


@pytest.fixture
def images(plant):
    return open_data(plant({"train/a": 9, "train/b": 12, "val/a": 2, "val/b": 3})).train


@pytest.fixture
def source(images) -> Readable:
    return prepare(images, cache_side=16)


def loader(source: Readable, **options) -> Loader:
    return Loader(source, growing, **{"batch_size": 4, "seed": 7, **options})


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        a.indices == b.indices and torch.equal(a.labels, b.labels) and torch.equal(a.images, b.images)
        for a, b in zip(one, other, strict=True)
    )


def test_batches_hold_every_image_with_its_label(source):
    with loader(source) as batches:
        shown = list(batches.batches(1))
        assert batches.steps == len(shown) == 5
    assert [len(batch.indices) for batch in shown] == [4, 4, 4, 4, 5]
    assert [i for batch in shown for i in batch.indices] == order(7, 1, 21)
    for batch in shown:
        assert batch.images.shape == (len(batch.indices), 3, 24, 24)
        assert batch.images.dtype == torch.uint8
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        assert batch.labels.tolist() == [source.labels[i] for i in batch.indices]
        assert batch.labels.dtype == torch.int64


def test_batches_are_the_same_for_any_number_of_workers_and_after_a_restart(source):
    with loader(source) as plain:
        expected = {epoch: list(plain.batches(epoch)) for epoch in (0, 1, 2)}
    assert not torch.equal(expected[0][0].images, expected[1][0].images[..., :16, :16])
    for workers in (1, 2):
        with loader(source, workers=workers) as several:
            for epoch in (0, 1, 2):  # the same processes for all epochs, and a size that changes
                assert same(list(several.batches(epoch)), expected[epoch])
            abandoned = several.batches(2)
            next(abandoned)
            assert same(list(several.batches(1, start=3)), expected[1][3:])
    with loader(source) as restarted:
        assert same(list(restarted.batches(2, start=2)), expected[2][2:])
        assert list(restarted.batches(2, start=5)) == []


def test_augmentation_depends_on_the_image_not_on_its_batch(source):
    with loader(source) as small, loader(source, batch_size=7) as large:
        shown = [
            {i: batch.images[at] for batch in batches.batches(0) for at, i in enumerate(batch.indices)}
            for batches in (small, large)
        ]
    assert all(torch.equal(shown[0][i], shown[1][i]) for i in range(21))


def test_the_images_need_not_be_in_memory(images, source):
    with loader(source) as kept, loader(prepare(images, cache_side=16, budget_bytes=0), workers=1) as decoded:
        assert same(list(kept.batches(0)), list(decoded.batches(0)))


def test_epochs_of_a_number_of_steps_go_on_where_the_last_one_ended(source):
    with loader(source, steps=3) as batches:
        assert batches.steps == 3
        indices = [i for epoch in range(7) for batch in batches.batches(epoch) for i in batch.indices]
    assert indices == (order(7, 0, 21) + order(7, 1, 21) + order(7, 2, 21) + order(7, 3, 21))[:84]


@pytest.mark.parametrize("workers", [0, 1])
def test_no_global_random_state_is_touched(source, workers):
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    with loader(source, workers=workers) as batches:
        list(batches.batches(0))
    list(evaluation_batches(source.view.images, PREPROCESS, batch_size=4, workers=workers))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]


def test_a_batch_of_one_is_refused(source):
    with pytest.raises(UsageError, match="batch_size must be at least 2"):
        loader(source, batch_size=1)


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_shows_every_image_once_in_order_and_exactly(images, workers):
    expected = torch.stack([evaluation(PREPROCESS)(images.open(i)) for i in range(21)])
    for given in (images, prepare_evaluation(images, PREPROCESS)):
        batches = list(evaluation_batches(given, PREPROCESS, batch_size=5, workers=workers))
        assert [batch.indices for batch in batches] == [list(range(at, min(at + 5, 21))) for at in range(0, 21, 5)]
        assert torch.equal(torch.cat([batch.images for batch in batches]), expected)
        assert torch.cat([batch.labels for batch in batches]).tolist() == list(images.labels)


def test_images_prepared_for_another_network_are_not_evaluated(images):
    with pytest.raises(AssertionError, match="prepared for another network"):
        next(evaluation_batches(prepare_evaluation(images, PREPROCESS), Preprocess.standard(32), batch_size=5))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_vanishes_is_named(images, workers):
    source = prepare(images, cache_side=16, budget_bytes=0)
    (images.root / "train/b/2.png").unlink()
    with (
        loader(source, workers=workers) as batches,
        pytest.raises(ImageError, match=r"train/b/2\.png .*: there is no such file"),
    ):
        list(batches.batches(0))


def processes(batches: Loader) -> list[int]:
    return [worker.pid for worker in batches._stream._loader._iterator._workers]


def test_workers_leave_interrupts_to_the_main_process(source):
    with loader(source, workers=2) as batches:
        shown = batches.batches(0)
        first = next(shown)
        for pid in processes(batches):
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGTERM)
        rest = list(shown)
    assert len(first.indices) + sum(len(batch.indices) for batch in rest) == 21


# Torch reports the death from a signal handler, which may leave whatever it interrupts half-closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_worker_that_dies_is_a_clear_error(source):
    def train_on() -> None:
        with loader(source, workers=1) as batches:
            next(batches.batches(0))
            os.kill(processes(batches)[0], signal.SIGKILL)
            for epoch in range(1000):
                list(batches.batches(epoch))

    with pytest.raises(MachineError, match=r"A process that prepares images died .* with fewer workers\."):
        train_on()


def test_a_worker_that_dies_during_a_step_is_a_clear_error(source):
    def step() -> None:
        with loader(source):
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")

    with pytest.raises(MachineError, match=r"died \(DataLoader worker \(pid 7\) is killed by signal: Killed"):
        step()


def test_other_errors_pass_through(source):
    with pytest.raises(RuntimeError, match="something else"), loader(source):
        raise RuntimeError("something else")


def test_a_program_that_fails_ends_with_its_workers(tmp_path):
    program = """
from inceptions.data import Augment, Loader, open_data, prepare, training
source = prepare(open_data(None).validation, cache_side=8)
loader = Loader(source, lambda epoch: training(Augment(), 16), batch_size=4, seed=0, workers=1)
batches = loader.batches(0)
next(batches)
print("under way")
raise KeyError("a mistake elsewhere")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "under way\n"
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "KeyError: 'a mistake elsewhere'"
