"""The OpenAPI description's share that FastAPI cannot know: what is refused, and how a key is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from inceptions.deploy.serve import wire
from inceptions.deploy.serve.refusals import Refusal

ABOUT = "Images in, classes out. Every refusal is JSON: `error.code` for programs, `error.message` for people."

REASONS = {
    400: "The body is empty, cut off or no form.",
    401: "The API key is missing or wrong.",
    403: "Asked by a page of another site, or a reload without a key.",
    404: "There is no such model.",
    408: "The body came too slowly.",
    409: "It is being loaded already.",
    413: "Too many bytes or images.",
    415: "Not an image.",
    421: "The service does not go by this name.",
    422: "A parameter that means nothing, or an image that is damaged or too large.",
    429: "Too many requests of one client at a time.",
    500: "The service failed; its log says more under the id.",
    503: "Not ready, too much to do, or too late; Retry-After says when to come back.",
}
# Of every address; of those that look a model up; of those that read a body and compute.
ANYWHERE = (421, 500)
LOOKING = (401, 404, 422, *ANYWHERE)
WORKING = (400, 403, 408, 413, 415, 429, 503, *LOOKING)

KEYS = {"bearer": {"type": "http", "scheme": "bearer"}, "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
ASKED: dict[str, Any] = {"security": [{"bearer": []}, {"key": []}]}


def responses(*statuses: int, ok: Mapping[str, Any] | None = None) -> dict[int | str, dict[str, Any]]:
    """What an address may answer beside success; `ok` are other kinds of success than JSON."""
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": wire.Refusals, "description": REASONS[status]} for status in sorted(statuses)
    }
    for status in {429, 503} & set(statuses):
        found[status]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
    if ok is not None:
        found[200] = {"description": "The answer.", "content": dict(ok)}
    return found


def describe_keys(app: FastAPI) -> None:
    """Let the description name the ways in which a key is sent."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {})["securitySchemes"] = KEYS
        return document

    app.openapi = described  # type: ignore[method-assign]


class Silence:
    """An answer that says nothing: the guard around the application, which gets the exception too, says it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say nothing."""


def leave_refusals_to_the_guard(app: FastAPI) -> None:
    """Turn what the framework refuses into our own refusals, and let every exception through."""

    async def invalid(_request: Request, error: Exception) -> Any:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        raise Refusal(422, "invalid_parameter", f"The parameter {where!r} means nothing: {first['msg']}.")

    async def refused(_request: Request, error: Exception) -> Any:
        assert isinstance(error, HTTPException)
        code, sentence = {
            404: ("not_found", "There is nothing at this address."),
            405: ("wrong_method", "This address does not answer this method."),
        }.get(error.status_code, ("refused", str(error.detail)))
        raise Refusal(error.status_code, code, sentence, allow=(error.headers or {}).get("Allow"))

    async def silent(_request: Request, _error: Exception) -> Any:
        return Silence()

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, silent)
