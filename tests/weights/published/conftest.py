"""A server on loopback that does what it is told, request by request, however badly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Answers each request with the next of its answers, and with the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.ranges: list[tuple[str | None, str | None]] = []
        self.paths: list[str] = []
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.ranges.append((self.headers["Range"], self.headers["If-Range"]))
                outer.paths.append(self.path)
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                answer(self)

            def log_message(self, format: str, *args: object) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.handle_error = lambda *_: None  # clients hang up on purpose
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/model.pth"

    def stop(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def silent(self, content: bytes, after: int) -> Answer:
        """Sends a part, then nothing more, and keeps the connection open."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            _head(handler, 200, len(content), {"ETag": '"1"'})
            handler.wfile.write(content[:after])
            handler.wfile.flush()
            self.released.wait()

        return answer


def whole(content: bytes, *, ranges: bool = True, etag: str | None = '"1"', kind: str = "application/octet-stream") -> Answer:
    """A good server: the whole file, or the rest of it if that is asked for and still the same."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        headers = {"Content-Type": kind} | ({"ETag": etag} if etag else {})
        asked, condition = handler.headers["Range"], handler.headers["If-Range"]
        if ranges and asked and condition in (None, etag):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                _head(handler, 416, 0, headers)
                return
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            _head(handler, 206, len(content) - start, headers)
            handler.wfile.write(content[start:])
            return
        _head(handler, 200, len(content), headers)
        handler.wfile.write(content)

    return answer


def cut(content: bytes, after: int, *, length: int | None = None, etag: str | None = '"1"') -> Answer:
    """Hangs up after some bytes. `length` is what it says there will be."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers["Range"]
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        headers = {"ETag": etag} if etag else {}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        _head(handler, 206 if asked else 200, (len(content) if length is None else length) - start, headers)
        handler.wfile.write(content[start : start + after])

    return answer


def status(code: int, **headers: str) -> Answer:
    """Nothing but a status."""
    return lambda handler: _head(handler, code, 0, headers)


def _head(handler: BaseHTTPRequestHandler, code: int, length: int, headers: dict[str, str]) -> None:
    handler.send_response(code)
    handler.send_header("Content-Length", str(length))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no proxy on the way to loopback."""
    monkeypatch.setenv("INCEPTIONS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "home"
