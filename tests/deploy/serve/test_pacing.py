from __future__ import annotations

from dataclasses import replace

import pytest

from inceptions.deploy.serve.limits import Limits
from inceptions.deploy.serve.pacing import LONGEST_QUEUE, measure
from inceptions.errors import UsageError
from inceptions.weights import Preprocess


class Network:
    """Takes `start` seconds for each pass and `each` for each image, by a clock of its own."""

    preprocess = Preprocess(size=(8, 8), resize="exact")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, start: float, each: float) -> None:
        self._start, self._each, self.now = start, each, 0.0
        for clock in ("perf_counter", "monotonic"):
            monkeypatch.setattr(f"inceptions.deploy.serve.pacing.time.{clock}", lambda: self.now)

    def prepare(self, image: object) -> object:
        return image

    def answer(self, images: list[object], *, top: int) -> None:
        self.now += self._start + self._each * len(images)


def test_no_more_at_a_time_than_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = measure(Network(monkeypatch, start=0.0, each=0.01), Limits())
    assert (alone.batch, alone.wait) == (1, 0.0), "company saves nothing"
    assert alone.queue == 400
    together = measure(Network(monkeypatch, start=0.01, each=0.01), Limits())
    assert together.batch == 16, "of 32 it would be 97 % of the best"
    assert together.wait == pytest.approx(0.02 - 0.17 / 16)
    assert together.rate == pytest.approx(16 / 0.17)


def test_nobody_is_held_up_by_a_long_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = measure(Network(monkeypatch, start=1.0, each=0.1), Limits())
    assert slow.batch == 1
    assert (slow.queue, slow.least) == (32, 32), "room for one request at least"


def test_memory_bounds_the_queue_of_a_fast_network(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure(Network(monkeypatch, start=0.0, each=1e-5), Limits()).queue == LONGEST_QUEUE


def test_what_is_given_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = measure(Network(monkeypatch, start=0.01, each=0.01), Limits(batch=4, wait=0.5, queue=50))
    assert (pace.batch, pace.wait, pace.queue, pace.least) == (4, 0.5, 50, None)


def test_limits_that_serve_nobody() -> None:
    with pytest.raises(UsageError, match="--batch"):
        Limits(batch=0)
    with pytest.raises(UsageError, match="--queue"):
        Limits(queue=4)
    assert replace(Limits(), wait=0).wait == 0
