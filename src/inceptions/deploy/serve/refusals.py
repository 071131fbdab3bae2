"""What the service says instead of an answer: a status, a word for programs, a sentence for people."""

from __future__ import annotations

import math

from PIL import UnidentifiedImageError

from inceptions.data import ImageError


class Refusal(Exception):
    """A request that is not answered, and why.

    Attributes:
        status: of HTTP.
        code: one word, stable.
        message: a sentence.
        retry_after: seconds after which it may be worth another try; None where it never is.
        close: whether the rest of the request was left unread, so that the connection is of no more use.
        allow: the methods that the address answers, where it was another one.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        close: bool = False,
        allow: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.close = close
        self.allow = allow

    @property
    def headers(self) -> dict[str, str]:
        """What HTTP wants to be said beside the message."""
        said = {}
        if self.retry_after is not None:
            said["retry-after"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == 401:
            said["www-authenticate"] = "Bearer"
        if self.allow is not None:
            said["allow"] = self.allow
        if self.close:
            said["connection"] = "close"
        return said


class Gone(Exception):
    """The client went away; there is nobody to say it to."""


def unreadable(error: ImageError) -> Refusal:
    """The refusal of an image."""
    sentence = f"The image cannot be read: {error.reason}."
    if isinstance(error.__cause__, UnidentifiedImageError):
        return Refusal(415, "not_an_image", sentence)
    return Refusal(422, "unreadable_image", sentence)


def busy(seconds: float) -> Refusal:
    """The refusal of what would have to wait too long."""
    return Refusal(503, "busy", "More images are waiting than can be answered soon. Try again later.", retry_after=seconds)


def not_ready(name: str) -> Refusal:
    """The refusal while a model is not there."""
    return Refusal(503, "not_ready", f"The model {name} is being made ready. Try again soon.", retry_after=2)
