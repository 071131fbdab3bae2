"""uvicorn, with what it leaves open: a time for a request's header to come, a limit to connections, an end with 0."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, ClassVar

import h11
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from inceptions.deploy.serve.guard import HEADERS
from inceptions.deploy.serve.limits import Limits

log = logging.getLogger("inceptions.serve")

TOO_LATE = b"The request's header did not come in time."


class Protocol(H11Protocol):
    """One connection. Until a request's header is there, it has `header_seconds` from its first byte on."""

    limits: ClassVar[Limits]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or drop it if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._expect_header()

    def data_received(self, data: bytes) -> None:
        """Note when a header begins, and when it is there."""
        if self._deadline is None and self.conn.their_state is h11.IDLE:
            self._expect_header()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._forget()

    def on_response_complete(self) -> None:
        """Note that the next header may have begun to come before this answer was given."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0] and self._deadline is None:
            self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._forget()
        super().connection_lost(exc)

    def _expect_header(self) -> None:
        self._deadline = self.loop.call_later(self.limits.header_seconds, self._too_late)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.conn.our_state is h11.IDLE:
            headers = [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(TOO_LATE)).encode()),
                (b"connection", b"close"),
                *((name.encode(), value.encode()) for name, value in HEADERS.items()),
            ]
            events = (h11.Response(status_code=408, headers=headers, reason=b"Request Timeout"), h11.Data(data=TOO_LATE))
            for event in (*events, h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class Service(Server):
    """A server whose end is an ordinary one: what was in flight is finished, and the process leaves with 0."""

    def __init__(self, config: Config, *, hangup: Callable[[], None], ending: Callable[[], None]) -> None:
        """Prepare a server.

        Args:
            config: uvicorn's.
            hangup: called on SIGHUP, in a thread of its own.
            ending: called when the end was asked for.
        """
        super().__init__(config)
        self._hangup, self._ending = hangup, ending

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as a request to end, a second one as one to end at once, and SIGHUP as one to reload."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers: dict[int, Callable[[int, FrameType | None], None]] = {
            signal.SIGTERM: self.handle_exit,
            signal.SIGINT: self.handle_exit,
        }
        if hasattr(signal, "SIGHUP"):
            handlers[signal.SIGHUP] = lambda _number, _frame: threading.Thread(target=self._hangup, daemon=True).start()
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end, or end at once."""
        del sig, frame
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
        self._ending()


def configured(app: Any, limits: Limits) -> Config:
    """How uvicorn is to run."""
    protocol = type("LimitedProtocol", (Protocol,), {"limits": limits})
    return Config(
        app,
        http=protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=max(1, round(limits.keep_seconds)),
        timeout_graceful_shutdown=max(1, round(limits.grace)),
    )
