"""How much the service takes on, from one request and from all of them together."""

from __future__ import annotations

from dataclasses import dataclass

from inceptions.errors import UsageError

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is refused, so that nobody's request costs anybody else theirs. Sizes in bytes, times in seconds.

    Attributes:
        body: of one request; more is refused while it arrives.
        bodies: of all requests that are being received or answered, together.
        images: in one request.
        pixels: of one image, refused before any is decoded.
        queue: images that wait for one model; None: as many as it answers in `QUEUE_SECONDS`, as measured at the start.
        requests: that are received or answered at a time, of all clients together.
        client_requests: likewise of one address.
        connections: open at a time, used or not.
        header_seconds: until a request's header must have come.
        idle_seconds: that a body may pause.
        body_seconds: until a body must have come.
        answer_seconds: until an answer must be there, from the last byte of the body on.
        send_seconds: that a client may leave an answer unread.
        keep_seconds: that an unused connection stays open.
        grace: that requests in flight get at the end.
        batch: images in one pass through a network; None: measured at the start.
        wait: that the first image of a pass waits for others that are on their way; None: measured at the start.
    """

    body: int = 32 * MIB
    bodies: int = 256 * MIB
    images: int = 32
    pixels: int = 50_000_000
    queue: int | None = None
    requests: int = 256
    client_requests: int = 64
    connections: int = 1024
    header_seconds: float = 10.0
    idle_seconds: float = 10.0
    body_seconds: float = 60.0
    answer_seconds: float = 30.0
    send_seconds: float = 30.0
    keep_seconds: float = 20.0
    grace: float = 20.0
    batch: int | None = None
    wait: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing would be served.

        Raises:
            UsageError: one that is not above 0; the wait alone may be 0.
        """
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not (value > 0 or (name == "wait" and value == 0)):
                raise UsageError(f"--{name.replace('_', '-')} must be above 0, not {value}.")
        if self.queue is not None and self.queue < self.images:
            raise UsageError(f"--queue {self.queue} holds fewer images than one request may bring (--images {self.images}).")
