from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from inceptions.deploy.serve.pacing import Pace
from inceptions.deploy.serve.worker import Failed, Full, Worker
from inceptions.errors import UsageError
from inceptions.predict import Guess, Prediction


class Network:
    """Answers with what it was given, and notes the passes."""

    def __init__(self) -> None:
        self.passes: list[tuple[str, list[object]]] = []
        self.go = threading.Event()
        self.go.set()

    def answer(self, prepared: list[object], *, top: int, head: str) -> list[Prediction]:
        assert self.go.wait(10)
        self.passes.append((head, list(prepared)))
        if "poison" in prepared:
            raise RuntimeError("poisoned")
        return [Prediction(path=None, top=tuple(Guess(f"{one}{i}", i, 0.5) for i in range(top))) for one in prepared]


def working(
    network: Network, *, broken: Callable[[], None] = lambda: None, check=lambda _network: None, **pace: float
) -> Worker:
    given = {"batch": 3, "wait": 0.0, "queue": 8, "rate": 2.0, **pace}
    return Worker(network, Pace(**given), check=check, broken=broken)


def test_what_waits_is_answered_together_and_in_order() -> None:
    network = Network()
    worker = working(network)
    network.go.clear()
    with worker.places(8):
        first = worker.ask("a", top=1, head="main")
        futures = [worker.ask(i, top=1 + i % 2, head="main") for i in range(7)]
        network.go.set()
        answers = [future.result(10) for future in (first, *futures)]
    assert [answer.prediction.top[0].label for answer in answers] == ["a0", *(f"{i}0" for i in range(7))]
    assert [len(answer.prediction.top) for answer in answers[1:]] == [1, 2, 1, 2, 1, 2, 1], "each gets as many as it asked for"
    assert max(len(images) for _, images in network.passes) == 3
    assert sum(len(images) for _, images in network.passes) == 8
    worker.stop()
    assert worker.join(10)


def test_one_pass_is_for_one_head() -> None:
    network = Network()
    worker = working(network)
    network.go.clear()
    with worker.places(5):
        futures = [worker.ask(i, top=1, head=head) for i, head in enumerate(("main", "main", "aux", "main", "main"))]
        network.go.set()
        for future in futures:
            future.result(10)
    assert all(len({head}) == 1 for head, _ in network.passes)
    assert [one for _, images in network.passes for one in images] == list(range(5))
    worker.stop()


def test_company_on_its_way_is_waited_for() -> None:
    network = Network()
    worker = working(network, batch=2, wait=10.0)
    with worker.places(2):
        first = worker.ask("a", top=1, head="main")
        second = worker.ask("b", top=1, head="main")
        assert {first.result(5).batch, second.result(5).batch} == {2}
    with worker.places(1):
        assert worker.ask("c", top=1, head="main").result(5).batch == 1, "nobody else is on the way"
    worker.stop()


def test_places() -> None:
    worker = working(Network(), queue=4)
    with worker.places(3):
        with pytest.raises(Full) as full, worker.places(2):
            pass
        assert full.value.seconds == 1.5
        assert worker.waiting == 3
        with worker.places(1):
            assert worker.waiting == 4
    assert worker.waiting == 0
    with worker.places(9):
        assert worker.waiting == 9, "what is larger than the queue has it alone"
    worker.stop()


def test_a_network_that_got_slow_takes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 100_000, 10))
    monkeypatch.setattr("inceptions.deploy.serve.worker.time.perf_counter", lambda: float(next(now)))
    worker = working(Network(), batch=1, queue=40, rate=10.0, least=2)
    with worker.places(40):
        for _ in range(30):
            worker.ask("a", top=1, head="main").result(10)
    with worker.places(2), pytest.raises(Full) as full, worker.places(1):
        pass
    assert full.value.seconds > 10, "at the rate of late"
    worker.stop()
    fixed = working(Network(), batch=1, queue=40, rate=10.0)
    with fixed.places(1), fixed.places(39):
        assert fixed.waiting == 40
    fixed.stop()


def test_cancelled_images_cost_nothing() -> None:
    network = Network()
    worker = working(network, batch=1)
    network.go.clear()
    with worker.places(3):
        first = worker.ask("a", top=1, head="main")
        while not first.running():
            threading.Event().wait(0.001)
        gone, last = worker.ask("b", top=1, head="main"), worker.ask("c", top=1, head="main")
        assert gone.cancel()
        network.go.set()
        last.result(10)
    assert [images for _, images in network.passes] == [["a"], ["c"]]
    worker.stop()


def test_only_the_poisoned_image_fails() -> None:
    network = Network()
    worker = working(network, batch=4, wait=5.0)
    with worker.places(4):
        futures = [worker.ask(one, top=1, head="main") for one in ("a", "poison", "b", "c")]
        with pytest.raises(Failed):
            futures[1].result(10)
        assert [futures[i].result(10).prediction.label for i in (0, 2, 3)] == ["a0", "b0", "c0"]
    worker.stop()
    assert worker.join(10)


def test_a_network_that_fails_its_check_is_given_up() -> None:
    broken = threading.Event()

    def check(_network: object) -> None:
        raise RuntimeError("gone")

    network = Network()
    worker = working(network, broken=broken.set, check=check, batch=1)
    network.go.clear()
    with worker.places(2):
        futures = [worker.ask(one, top=1, head="main") for one in ("poison", "a")]
        network.go.set()
        for future in futures:
            with pytest.raises(Failed):
                future.result(10)
    assert broken.wait(10)
    assert not worker.ready
    assert worker.join(10)
    with worker.places(1):
        late = worker.ask("b", top=1, head="main")
    with pytest.raises(Failed):
        late.result(10)


def test_calls_have_the_network_for_themselves() -> None:
    network = Network()
    worker = working(network)

    def wrong(_network: object) -> None:
        raise UsageError("no such class")

    with worker.places(3):
        assert worker.call(lambda given: given is network).result(10)
        with pytest.raises(UsageError):
            worker.call(wrong).result(10)
        assert worker.ready, "a question that means nothing is no failure"
        assert worker.ask("a", top=1, head="main").result(10).prediction.label == "a0"
    worker.stop()


def test_the_end_waits_for_what_has_a_place() -> None:
    network = Network()
    worker = working(network)
    with worker.places(1):
        worker.stop()
        assert worker.ask("late", top=1, head="main").result(10).prediction.label == "late0"
    assert worker.join(10)
