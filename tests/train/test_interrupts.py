"""The first signal is noted, the second does what signals do."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from inceptions.train.interrupts import Interrupts


@pytest.fixture(autouse=True)
def in_the_foreground() -> Iterator[None]:
    """Shells start background jobs with SIGINT ignored; the tests are about a process that does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request(number) -> None:
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert interrupts.requested is None
        os.kill(os.getpid(), number)
        assert interrupts.requested == number.name
        # Already given back, so that a second one is not swallowed.
        assert signal.getsignal(number) == before
    assert signal.getsignal(number) == before


def test_the_second_signal_is_an_order() -> None:
    with Interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_come_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RuntimeError), Interrupts():
        raise RuntimeError
    assert signal.getsignal(signal.SIGTERM) == before


def test_outside_the_main_thread_nothing_changes() -> None:
    seen: list[object] = []

    def work() -> None:
        with Interrupts() as interrupts:
            seen.append((interrupts.requested, signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(None, before)]
