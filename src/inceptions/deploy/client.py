"""Asking a service from Python: `Client("http://127.0.0.1:8000").predict("cat.jpg")`. It needs the standard library only."""

from __future__ import annotations

import http.client
import json
import secrets
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, overload
from urllib.parse import urlencode, urlsplit

from inceptions.errors import DataError, InceptionsError, MachineError, UsageError

Image = str | Path | bytes
"""A path, or a file's content."""

AGAIN = (429, 503)
LONGEST_PAUSE = 10.0


class ServiceError(InceptionsError):
    """A request that the service did not answer.

    Attributes:
        status: of HTTP.
        code: the service's word for it.
        id: under which the service's log speaks of it.
    """

    exit_code: ClassVar[int] = MachineError.exit_code

    def __init__(self, status: int, code: str, message: str, id: str) -> None:
        super().__init__(f"The service refused ({status}, {code}): {message}")
        self.status = status
        self.code = code
        self.id = id


@dataclass(frozen=True, slots=True)
class Guess:
    """One class and its probability; `index` is the output it belongs to."""

    label: str
    index: int
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the service says of one image.

    Attributes:
        name: the file's name; None where only its content was sent.
        model: which model answered.
        version: of its weights.
        top: the likeliest classes, best first; empty where the image could not be read.
        sure: whether the answer reaches the model's threshold; None where it has none.
        error: why the image could not be read; None where it could.
    """

    name: str | None
    model: str
    version: str
    top: tuple[Guess, ...]
    sure: bool | None
    error: str | None

    @classmethod
    def read(cls, row: Mapping[str, Any], document: Mapping[str, Any]) -> Self:
        """One of the results of a `/v1/predict`."""
        return cls(
            name=row["name"],
            model=document["model"],
            version=document["version"],
            top=tuple(Guess(one["class"], one["index"], one["probability"]) for one in row["top"] or ()),
            sure=row["sure"],
            error=row["error"]["message"] if row["error"] else None,
        )


class Client:
    """A service. May be used by several threads, each of which keeps a connection of its own until `close`."""

    def __init__(
        self, address: str = "http://127.0.0.1:8000", *, key: str | None = None, timeout: float = 60, patience: float = 60
    ) -> None:
        """Note where the service is; nothing is sent yet.

        Args:
            address: with "http://" or "https://".
            key: the API key, where one is asked for.
            timeout: seconds without a sign of life.
            patience: seconds that a busy service is asked again; 0 raises at once.

        Raises:
            UsageError: no address.
        """
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{address!r} is no address of a service: write http://HOST:PORT.")
        self.address = address.rstrip("/")
        self._host, self._port, self._base = parts.hostname, parts.port, parts.path.rstrip("/")
        self._secure = parts.scheme == "https"
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._timeout, self._patience = timeout, patience
        self._local = threading.local()
        self._opened: weakref.WeakSet[http.client.HTTPConnection] = weakref.WeakSet()

    def __enter__(self) -> Self:
        """Close the connections at the block's end."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all threads; the next request opens one again."""
        for connection in list(self._opened):
            connection.close()

    @overload
    def predict(self, images: Image, *, model: str | None = None, top: int = 5, head: str = "main") -> Answer: ...  # type: ignore[overload-overlap]

    @overload
    def predict(
        self, images: Sequence[Image], *, model: str | None = None, top: int = 5, head: str = "main"
    ) -> list[Answer]: ...

    def predict(
        self, images: Image | Sequence[Image], *, model: str | None = None, top: int = 5, head: str = "main"
    ) -> Answer | list[Answer]:
        """Ask what is on an image, or on each of several (in one request).

        Args:
            images: a path or a file's content, or several.
            model: its name; the service's first if None.
            top: how many classes to name.
            head: who answers: main, an auxiliary head by its name, mean or best.

        Returns:
            One answer, or a list in the order given, in which an image that cannot be read has its `error` said.

        Raises:
            DataError: a file cannot be opened, or the only image cannot be read.
            ServiceError: the service refused.
            MachineError: there is no service.
        """
        one = isinstance(images, (str, Path, bytes))
        content, kind = _form([images] if isinstance(images, (str, Path, bytes)) else images)
        document = json.loads(self._ask("POST", "/v1/predict", {"model": model, "top": top, "head": head}, content, kind))
        answers = [Answer.read(row, document) for row in document["results"]]
        return answers[0] if one else answers

    def overlay(self, image: Image, *, model: str | None = None, label: str | None = None) -> bytes:
        """What in an image spoke for a class (Grad-CAM), as a PNG file's content.

        Args:
            image: a path or a file's content.
            model: its name; the service's first if None.
            label: the class; the likeliest if None.

        Raises:
            DataError: the image cannot be read.
            ServiceError: the service refused.
            MachineError: there is no service.
        """
        content, kind = _form([image])
        return self._ask("POST", "/v1/explain", {"model": model, "class": label, "form": "png"}, content, kind)

    def models(self) -> list[dict[str, Any]]:
        """What is served: plain values, as `/v1/models` gives them."""
        found: list[dict[str, Any]] = json.loads(self._ask("GET", "/v1/models"))["models"]
        return found

    def reload(self, model: str) -> str:
        """Let a model's weights be loaded again, and return its version. Needs the key."""
        version: str = json.loads(self._ask("POST", f"/v1/models/{model}/reload"))["version"]
        return version

    def ready(self) -> bool:
        """Whether all models answer; False where there is no service too."""
        try:
            return self._once("GET", "/readyz", b"", {})[0] == 200
        except MachineError:
            return False

    def _ask(
        self, method: str, path: str, parameters: Mapping[str, object] | None = None, content: bytes = b"", kind: str = ""
    ) -> bytes:
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path
        headers = {**self._headers, **({"Content-Type": kind} if kind else {})}
        until = time.monotonic() + self._patience
        while True:
            status, said, answer = self._once(method, target, content, headers)
            if status == 200:
                return answer
            pause = min(LONGEST_PAUSE, float(said.get("retry-after", "0") or 0))
            if status in AGAIN and pause and time.monotonic() + pause < until:
                time.sleep(pause)
                continue
            raise _refusal(status, answer)

    def _once(self, method: str, target: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """One request; a kept connection that the service has closed meanwhile is opened again."""
        kept: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        for connection in (kept, None) if kept is not None else (None,):
            connection = connection or self._connect()
            try:
                connection.request(method, self._base + target, content, dict(headers))
                response = connection.getresponse()
                return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                self._local.connection = None
                if connection is not kept:
                    raise MachineError(f"There is no service at {self.address} ({error or type(error).__name__}).") from error
        raise AssertionError("the second attempt returns or raises")

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout)
        self._opened.add(connection)
        self._local.connection = connection
        return connection


def _form(images: Sequence[Image]) -> tuple[bytes, str]:
    """Images as multipart/form-data: the content, and its type."""
    if not images:
        raise UsageError("There is no image to ask about.")
    boundary = secrets.token_hex(16)
    parts = []
    for image in images:
        try:
            content = image if isinstance(image, bytes) else Path(image).read_bytes()
        except OSError as error:
            raise DataError(f"{image!s} cannot be opened: {error.strerror}.") from error
        name = "" if isinstance(image, bytes) else Path(image).name
        quoted = name.translate({ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}).encode("utf-8", "replace")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="'.encode() + quoted
        parts.append(head + b'"\r\nContent-Type: application/octet-stream\r\n\r\n' + content + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _refusal(status: int, answer: bytes) -> InceptionsError:
    try:
        said = json.loads(answer)["error"]
        refusal = ServiceError(status, said["code"], said["message"], said["id"])
    except (ValueError, KeyError, TypeError):
        # A proxy's own page, for example.
        return ServiceError(status, "unknown", answer[:200].decode("utf-8", "replace"), "")
    return DataError(said["message"]) if said["code"] in ("not_an_image", "unreadable_image") else refusal
