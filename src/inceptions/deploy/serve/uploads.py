"""Images out of requests: from a form, one or many, or the body itself. Nothing is written to a disk."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from inceptions.deploy.serve.limits import Limits
from inceptions.deploy.serve.refusals import Refusal

FIELD = "image"
LONGEST_NAME = 255
FEW_FIELDS = 8
RAW = re.compile(r"image/[\w.+-]+|application/octet-stream", re.ASCII)

BODY = {
    "required": True,
    "description": f"A form whose fields `{FIELD}` are files, or one image as the body itself.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {FIELD: {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}},
            },
            "encoding": {FIELD: {"contentType": "image/*, application/octet-stream"}},
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}
"""What the requests look like, for OpenAPI. Any `image/…` is taken as `application/octet-stream` is."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file's content and the name that its sender gave it, which means nothing here."""

    name: str | None
    content: bytes


class Parser(MultiPartParser):
    """Keeps files in memory: how much they may be is decided before."""

    def __init__(self, request: Request, limits: Limits) -> None:
        super().__init__(request.headers, request.stream(), max_files=limits.images, max_fields=FEW_FIELDS)
        self.spool_max_size = limits.body + 1


async def read_images(request: Request, limits: Limits) -> list[Upload]:
    """The images of a request.

    Raises:
        Refusal: it is no form and no image, or has too many images or none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _form(request, limits)
    if kind and not RAW.fullmatch(kind):
        raise Refusal(415, "wrong_type", "Send images as multipart/form-data, or one as image/* or application/octet-stream.")
    content = await request.body()
    if not content:
        raise Refusal(400, "no_image", "The request's body is empty.")
    return [Upload(None, content)]


async def _form(request: Request, limits: Limits) -> list[Upload]:
    try:
        form = await Parser(request, limits).parse()
    except MultiPartException as error:
        if "files" in error.message:
            raise Refusal(413, "too_many_images", f"A request may have {limits.images} images.") from error
        raise Refusal(400, "malformed", "The form cannot be read: it is no multipart/form-data, or is cut off.") from error
    found = []
    try:
        for field, value in form.multi_items():
            if not isinstance(value, UploadFile) or field != FIELD:
                raise Refusal(400, "unknown_field", f"The form has a field that is not a file called {FIELD!r}.")
            found.append(Upload(displayed(value.filename), await value.read()))
    finally:
        await form.close()
    if not found:
        raise Refusal(400, "no_image", f"The form has no file called {FIELD!r}.")
    return found


def displayed(name: str | None) -> str | None:
    """A file's name as it may be shown: without control characters and marks that turn text around, and not endless."""
    if not name:
        return None
    kept = "".join(c if unicodedata.category(c)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for c in name[: 4 * LONGEST_NAME])
    return kept[:LONGEST_NAME]
