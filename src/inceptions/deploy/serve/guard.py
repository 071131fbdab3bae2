"""What every request passes before anything is done for it, and every answer on its way out.

Pure ASGI, because it must see the body while it arrives, and the moment at which a client goes.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import re
import secrets
import time
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inceptions.deploy.serve.limits import Limits
from inceptions.deploy.serve.metrics import ELSEWHERE, METHODS, Metrics
from inceptions.deploy.serve.refusals import Gone, Refusal, busy
from inceptions.deploy.serve.wire import Refusals, Refused
from inceptions.deploy.serve.worker import Failed

log = logging.getLogger("inceptions.serve")

OPEN = frozenset({"/healthz", "/readyz"})
RELOAD = "/v1/models/{name}/reload"
# Read from a client whose request is refused, so that it comes to read the answer.
DRAINED_BYTES, DRAINED_SECONDS = 2 * 2**20, 2.0
CLIENT_GONE = 499

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(slots=True)
class Flight:
    """A request on its way.

    Attributes:
        id: under which the log speaks of it.
        client: the address it came from.
        size: bytes of its body so far.
        received: when its last byte was there, by `time.perf_counter`.
        status: of the answer; 0 before there is one.
    """

    id: str
    client: str
    began: float = field(default_factory=time.perf_counter)
    size: int = 0
    whole: bool = False
    received: float = 0.0
    status: int = 0
    ended: bool = False


class Guard:
    """The outermost layer of the service."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        metrics: Metrics,
        routes: Collection[str],
        key: str | None = None,
        hosts: Collection[str] | None = None,
    ) -> None:
        """Wrap an application.

        Args:
            app: what answers.
            limits: what is refused.
            metrics: what is counted.
            routes: the addresses that exist, for the log and the counters.
            key: what must be known to get answers; None: nothing.
            hosts: names that the service goes by; None: any.
        """
        self.app = app
        self.limits = limits
        self.metrics = metrics
        self.routes = frozenset(routes)
        self.key = key
        self.hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self._clients: Counter[str] = Counter()
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever happens."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        client = scope["client"][0] if scope.get("client") else "unknown"
        flight = Flight(secrets.token_hex(8), client)
        scope.setdefault("state", {})["flight"] = flight
        route = self._route(scope["path"])
        reader, writer = self._reader(flight, receive), self._writer(flight, send)
        working = scope["path"].startswith("/v1/") and scope["method"] == "POST"
        try:
            self._check(scope)
            if working:
                self._admit(client, Headers(scope=scope))
                self._clients[client] += 1
            try:
                await self.app(scope, reader, writer)
            finally:
                if working:
                    self._clients[client] -= 1
                    if not self._clients[client]:
                        del self._clients[client]
        except Refusal as refusal:
            await self._refuse(refusal, flight, scope, reader, writer)
        except asyncio.CancelledError:
            # The service ends, and its grace is over. There is nobody to pass this on to.
            await self._say(stopping(), flight, scope, reader, writer)
        except (Gone, TimeoutError, ConnectionError):
            flight.status = flight.status or CLIENT_GONE
        except Exception as error:
            # What the application has answered already it raises once more.
            if not flight.status:
                await self._fail(error, flight, scope, reader, writer)
            elif not flight.ended:
                log.exception("request %s was broken off", flight.id)
        finally:
            self._bytes -= flight.size
            self._account(route, scope["method"], flight)

    def gauge(self) -> None:
        """Bring the gauges up to date."""
        self.metrics.loads(self._clients.total(), self._bytes)

    def _route(self, path: str) -> str:
        if path in self.routes:
            return path
        return RELOAD if re.fullmatch(r"/v1/models/[^/]+/reload", path) else ELSEWHERE

    def _check(self, scope: Scope) -> None:
        """Refuse whom nothing is for."""
        headers = Headers(scope=scope)
        path = scope["path"]
        if self.hosts is not None and _host(headers.get("host", "")) not in self.hosts:
            # A page of somebody else's, whose name was pointed at this machine, must not read answers.
            raise Refusal(421, "unknown_host", "The service does not go by this name. Start it with --allow-host NAME.")
        if scope["method"] not in ("GET", "HEAD") and headers.get("sec-fetch-site", "same-origin") in (
            "cross-site",
            "same-site",
        ):
            raise Refusal(403, "cross_site", "Pages of other sites may not use this service.")
        if path.startswith("/v1/") or path == "/metrics":
            self._check_key(headers, path)

    def _check_key(self, headers: Headers, path: str) -> None:
        if self.key is None:
            if path.startswith("/v1/models/"):
                raise Refusal(403, "no_key", "Models are reloaded with an API key only, and this service was started without.")
            return
        # Where both are sent, Authorization decides: a key beside a wrong one opens nothing.
        given = headers.get("x-api-key", "")
        if "authorization" in headers:
            scheme, _, bearer = headers["authorization"].partition(" ")
            given = bearer.strip() if scheme.lower() == "bearer" else ""
        if not hmac.compare_digest(given.encode(), self.key.encode()):
            raise Refusal(401, "wrong_key", "The API key is missing or wrong: send it as 'Authorization: Bearer KEY'.")

    def _admit(self, client: str, headers: Headers) -> None:
        announced = headers.get("content-length", "")
        if announced.isdecimal() and (len(announced) > 18 or int(announced) > self.limits.body):
            raise self._too_large(close=True)
        if self._clients[client] >= self.limits.client_requests:
            many = self.limits.client_requests
            raise Refusal(
                429, "too_many_requests", f"No client gets more than {many} requests answered at a time.", retry_after=1
            )
        if self._clients.total() >= self.limits.requests:
            raise busy(1)

    def _too_large(self, *, close: bool) -> Refusal:
        return Refusal(413, "too_large", f"A request may have {self.limits.body:,} bytes.", close=close)

    def _reader(self, flight: Flight, receive: Receive) -> Receive:
        """`receive`, that refuses a body which is too large, too slow, or too much beside all the others."""
        until = time.perf_counter() + self.limits.body_seconds

        async def read() -> Message:
            if flight.whole:
                return await receive()
            left = min(self.limits.idle_seconds, until - time.perf_counter())
            try:
                async with asyncio.timeout(max(0.0, left)):
                    message = await receive()
            except TimeoutError:
                flight.whole = True
                raise Refusal(408, "too_slow", "The request's body did not come in time.", close=True) from None
            if message["type"] == "http.disconnect":
                raise Gone
            size = len(message.get("body", b""))
            flight.size += size
            self._bytes += size
            flight.whole = not message.get("more_body", False)
            flight.received = time.perf_counter()
            if flight.size > self.limits.body:
                raise self._too_large(close=not flight.whole)
            if self._bytes > self.limits.bodies:
                raise busy(1)
            return message

        return read

    def _writer(self, flight: Flight, send: Send) -> Send:
        """`send`, that adds what every answer says, and does not wait for ever for it to be read."""

        async def write(message: Message) -> None:
            if message["type"] == "http.response.start":
                flight.status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = flight.id
            async with asyncio.timeout(self.limits.send_seconds):
                await send(message)
            flight.ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        return write

    async def _refuse(self, refusal: Refusal, flight: Flight, scope: Scope, receive: Receive, send: Send) -> None:
        close = False if flight.status else await self._drained(flight, scope, receive)
        await self._say(refusal, flight, scope, receive, send, close=close)

    async def _say(
        self, refusal: Refusal, flight: Flight, scope: Scope, receive: Receive, send: Send, *, close: bool = False
    ) -> None:
        """Answer with a refusal, unless there is an answer already."""
        if flight.status:
            return
        self.metrics.refused(refusal.code)
        refused = refusal_response(refusal, flight.id)
        if close:
            refused.headers["connection"] = "close"
        try:
            await refused(scope, receive, send)
        except (Gone, TimeoutError, ConnectionError):
            flight.status = flight.status or CLIENT_GONE

    async def _fail(self, error: Exception, flight: Flight, scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(error, Failed):
            log.error("request %s: failure %s", flight.id, error.id)
        else:
            log.error("request %s failed", flight.id, exc_info=error)
        await self._refuse(failure(), flight, scope, receive, send)

    async def _drained(self, flight: Flight, scope: Scope, receive: Receive) -> bool:
        """Read some of what is left of a body; whether there is still more."""
        announced = Headers(scope=scope).get("content-length", "")
        left = int(announced) - flight.size if announced.isdecimal() and len(announced) < 19 else 0
        if flight.whole or left > DRAINED_BYTES or Headers(scope=scope).get("expect"):
            return not flight.whole
        most = flight.size + DRAINED_BYTES
        try:
            async with asyncio.timeout(DRAINED_SECONDS):
                while not flight.whole and flight.size < most:
                    try:
                        await receive()
                    except Refusal:
                        continue
        except (Gone, TimeoutError):
            return True
        return not flight.whole

    def _account(self, route: str, method: str, flight: Flight) -> None:
        seconds = time.perf_counter() - flight.began
        self.metrics.answered(route, method, flight.status, seconds)
        # Nothing of this was written by the client: no name, no address that it made up, no method.
        known = method if method in METHODS else "?"
        log.info(
            "%s %s %s %d %d bytes %.1f ms %s",
            flight.client,
            known,
            route,
            flight.status,
            flight.size,
            1000 * seconds,
            flight.id,
        )


def refusal_response(refusal: Refusal, id: str) -> JSONResponse:
    """A refusal as an answer."""
    said = Refusals(error=Refused(code=refusal.code, message=refusal.message, id=id))
    return JSONResponse(said.model_dump(mode="json"), refusal.status, refusal.headers)


def failure() -> Refusal:
    """What is said of a failure of ours; the log knows more."""
    return Refusal(500, "failed", "The service failed on this request. Its log says more under this id.")


def stopping() -> Refusal:
    """What is said at the end to those who could not be answered any more."""
    return Refusal(503, "stopping", "The service ends. Try again later.", retry_after=5, close=True)


def loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_names(more: Iterable[str]) -> list[str]:
    """What a service that only this machine reaches may be called."""
    return ["localhost", "127.0.0.1", "::1", *more]


def _host(header: str) -> str:
    """The name in a Host header, without the port."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](:\d+)?", header)
    return (bracketed[1] if bracketed else header.rpartition(":")[0] or header).lower()
