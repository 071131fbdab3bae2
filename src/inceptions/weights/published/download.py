"""One file from a web address: resumed where it was cut off, checked before anybody sees it, put in place as a whole."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from inceptions.errors import MachineError, WeightsError
from inceptions.files import TEMPORARY, explained
from inceptions.weights.checksum import Checksum
from inceptions.weights.published.content import fault

BLOCK = 256 * 1024
LARGEST = 2 * 2**30
"""No published Inception comes near this; a server that sends more sends something else."""

PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be, if that is known."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download waits, and for what.

    Attributes:
        silence: seconds without a byte after which a connection is given up.
        attempts: connections in a row that bring nothing new.
        pause: seconds before the second of them; doubled before each further one.
    """

    silence: float = 30.0
    attempts: int = 4
    pause: float = 1.0


class _Passing(Exception):
    """Something that may be over at the next attempt."""


def download(
    address: str,
    target: Path,
    *,
    size: int | None = None,
    checksum: Checksum | None = None,
    patience: Patience | None = None,
    progress: Progress = lambda _done, _total: None,
) -> None:
    """Fetch a file. What was fetched before a cut stays beside `target` and is continued, even by another process later.

    Only one process at a time may do this for one `target`.

    Args:
        address: http or https; redirects stay within these, and from https to https.
        target: where it goes, only when it is whole and right. Its name says what it must look like inside.
        size: in bytes, if known.
        checksum: if known.
        patience: the usual one if None.
        progress: told about every block.

    Raises:
        MachineError: the server cannot be reached, keeps breaking off, does not have the file, or the disk refuses.
        WeightsError: what came is not the file; nothing of it was kept.
    """
    _Download(address, target, size, checksum, patience or Patience(), progress).run()


def by_hand(address: str, target: Path) -> str:
    """What to do where this machine cannot fetch a file itself."""
    return f"Fetch {address} elsewhere and put it into the folder {target.parent} as {target.name}."


@dataclass(frozen=True, slots=True)
class _Download:
    """The state is on the disk: the partial file, and beside it what the server calls that version of the file."""

    address: str
    target: Path
    size: int | None
    checksum: Checksum | None
    patience: Patience
    progress: Progress

    @property
    def partial(self) -> Path:
        return self.target.with_name(f".{self.target.name}{TEMPORARY}")

    @property
    def version(self) -> Path:
        return self.partial.with_name(f"{self.partial.name}.version")

    @property
    def have(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def run(self) -> None:
        """Connect until the file is whole, check it, put it in place."""
        if urlsplit(self.address).scheme not in ("http", "https"):
            raise MachineError(f"{self.address} is no http(s) address. {by_hand(self.address, self.target)}")
        fruitless, furthest, resumed = 0, 0, False
        while True:
            try:
                if self.size is None or self.have != self.size:
                    resumed |= self.attempt()
                wrong = fault(self.partial, self.target.name, self.size, self.checksum)
                if wrong is None:
                    break
                self.discard()
                if not resumed:
                    raise self.refused(f"gave something else than the file: {wrong}")
                # Two halves of different files, perhaps: once more, in one piece.
                resumed, furthest = False, 0
            except _Passing as reason:
                fruitless = 0 if self.have > furthest else fruitless + 1
                furthest = max(self.have, furthest)
                if fruitless >= self.patience.attempts:
                    raise self.unreachable(str(reason)) from reason
                time.sleep(self.patience.pause * 2 ** max(0, fruitless - 1))
        with explained(self.target):
            with self.partial.open("rb") as file:
                os.fsync(file.fileno())
            self.partial.replace(self.target)
            self.version.unlink(missing_ok=True)

    def attempt(self) -> bool:
        """One connection. Returns whether it continued an earlier one; raises `_Passing` where another may help."""
        request, done = self.request()
        with closing(self.open(request)) as response:
            if response.headers.get_content_type() == "text/html":
                after = "" if response.geturl() == self.address else f" after a redirect to {response.geturl()}"
                raise self.refused(f"answers with a web page{after}")
            if done and not _continues(response, done):
                done = 0
            resumed = done > 0
            if not resumed:
                self.remember(response)
            length = response.headers.get("Content-Length", "")
            total = done + int(length) if length.isdigit() else None
            with explained(self.target), self.partial.open("ab" if resumed else "wb") as file:
                self.progress(done, total or self.size)
                for block in self.blocks(response):
                    done += len(block)
                    if done > (LARGEST if self.size is None else self.size):
                        break
                    file.write(block)
                    self.progress(done, total or self.size)
                else:
                    if total is not None and done < total:
                        raise _Passing(f"the connection broke off after {done:,} of {total:,} bytes")
                    return resumed
        self.discard()
        raise self.refused(f"sends more than the {self.size or LARGEST:,} bytes of the file")

    def request(self) -> tuple[Request, int]:
        """What to ask for, and how many bytes need not be sent again."""
        # Compressed in transit, the bytes would be others than those that sizes and checksums speak of.
        headers = {"User-Agent": "inceptions", "Accept-Encoding": "identity"}
        have, known = self.have, self.version.read_text() if self.version.exists() else ""
        if not have or not (known or self.checksum):
            return Request(self.address, headers=headers), 0
        headers["Range"] = f"bytes={have}-"
        if known:
            headers["If-Range"] = known
        return Request(self.address, headers=headers), have

    def open(self, request: Request) -> http.client.HTTPResponse:
        """The answer, if it brings the file."""
        try:
            response: http.client.HTTPResponse = _opener().open(request, timeout=self.patience.silence)
            return response
        except HTTPError as error:
            error.close()
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self.discard()
                raise _Passing("the server has less of it than was fetched before") from error
            said = f"the server answers {error.code} {error.reason}"
            if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in PASSING:
                raise _Passing(said) from error
            raise self.unreachable(said) from error
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            if isinstance(reason, (socket.gaierror, ssl.SSLCertVerificationError, str)):
                # No network, no such host, no trust: waiting does not help.
                raise self.unreachable(f"{reason} (is this machine online?)") from error
            raise _Passing(self.said(reason)) from error

    def blocks(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        """What comes, as it comes: of a connection that breaks off, everything before."""
        while True:
            try:
                block = response.read1(BLOCK)
            except (OSError, http.client.HTTPException) as error:
                raise _Passing(self.said(error)) from error
            if not block:
                return
            yield block

    def remember(self, response: http.client.HTTPResponse) -> None:
        """Keep what the server calls this version, so that only the rest of the same one is taken later."""
        tag = response.headers.get("ETag", "")
        with explained(self.version):
            # A weak tag stands for files that differ in bytes.
            self.version.write_text(response.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag)

    def discard(self) -> None:
        """Start over."""
        with explained(self.partial):
            self.partial.unlink(missing_ok=True)
            self.version.unlink(missing_ok=True)

    def said(self, reason: object) -> str:
        """What broke off a connection."""
        if isinstance(reason, TimeoutError):
            return f"the server was silent for {self.patience.silence:g} seconds"
        return f"the connection broke off ({reason or type(reason).__name__})"

    def refused(self, what: str) -> WeightsError:
        """The error for a server that answers with something else."""
        return WeightsError(f"{self.address} {what}; nothing of it was kept. {by_hand(self.address, self.target)}")

    def unreachable(self, why: str) -> MachineError:
        """The error for a server that does not answer."""
        return MachineError(f"{self.target.name} could not be fetched: {why}. {by_hand(self.address, self.target)}")


def _continues(response: http.client.HTTPResponse, have: int) -> bool:
    """Whether the answer is the rest that was asked for, not the whole again."""
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return response.status == HTTPStatus.PARTIAL_CONTENT and start == str(have)


class _Redirects(HTTPRedirectHandler):
    """Follows redirects, but never out of https."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        """The next request."""
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise URLError("it redirects from https to an address that anybody may read and change")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    """No files, no FTP, no cookies: http, https and the proxies the environment names."""
    opener = OpenerDirector()
    handlers = (
        ProxyHandler,
        UnknownHandler,
        HTTPHandler,
        HTTPSHandler,
        HTTPDefaultErrorHandler,
        _Redirects,
        HTTPErrorProcessor,
    )
    for handler in handlers:
        opener.add_handler(handler())
    return opener
