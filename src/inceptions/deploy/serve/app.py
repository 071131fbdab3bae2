"""The API: what each address answers, and its description."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.resources import files
from typing import Annotated, Literal

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.routing import Route

from inceptions.deploy.serve import wire
from inceptions.deploy.serve.answering import Desk
from inceptions.deploy.serve.describing import costs, described, drawn
from inceptions.deploy.serve.description import (
    ABOUT,
    ANYWHERE,
    ASKED,
    LOOKING,
    WORKING,
    describe_keys,
    leave_refusals_to_the_guard,
    responses,
)
from inceptions.deploy.serve.guard import Guard
from inceptions.deploy.serve.limits import Limits
from inceptions.deploy.serve.looking import overlay_file
from inceptions.deploy.serve.metrics import Metrics
from inceptions.deploy.serve.models import Models
from inceptions.deploy.serve.refusals import Refusal
from inceptions.deploy.serve.uploads import BODY, read_images
from inceptions.errors import InceptionsError

PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/page/service.js": ("service.js", "text/javascript; charset=utf-8"),
    "/page/cards.js": ("cards.js", "text/javascript; charset=utf-8"),
    "/page/looks.js": ("looks.js", "text/javascript; charset=utf-8"),
    "/page/parts.js": ("parts.js", "text/javascript; charset=utf-8"),
    "/page/network.js": ("network.js", "text/javascript; charset=utf-8"),
    "/page/icon.svg": ("icon.svg", "image/svg+xml"),
}

Named = Annotated[str | None, Query(description="The model; the first one if left out.", max_length=64)]
Top = Annotated[int, Query(description="How many classes, the likeliest first.", ge=1, le=1000)]


def create_app(
    models: Models,
    limits: Limits,
    *,
    metrics: Metrics,
    key: str | None = None,
    hosts: list[str] | None = None,
    started: Callable[[], None] = lambda: None,
) -> Guard:
    """The whole service as an ASGI application.

    Args:
        models: what is served. They are made ready while the application starts, in a thread, and stopped when it ends.
        limits: what is refused.
        metrics: what is counted, by the models too.
        key: the API key; None: none is asked for.
        hosts: names that the service goes by; None: any.
        started: called when all models are ready.
    """
    pool = ThreadPoolExecutor(threads(), thread_name_prefix="inceptions-decoder")
    desk = Desk(limits, metrics, pool)

    @contextlib.asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(asyncio.to_thread(warm, models, started))
        try:
            yield
        finally:
            for model in models.all:
                model.stop()
            await asyncio.gather(warming, return_exceptions=True)
            await asyncio.to_thread(lambda: [model.join(limits.grace) for model in models.all])
            pool.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="inceptions",
        summary="Classifies images by networks of the Inception family.",
        description=ABOUT,
        version=version("inceptions"),
        license_info={"name": "Apache-2.0"},
        docs_url=None,  # they load scripts of others
        redoc_url=None,
        lifespan=life,
        redirect_slashes=False,
        openapi_tags=[{"name": "answers"}, {"name": "models"}, {"name": "health"}],
    )

    # Where nobody is asked for a key the description says so; reloading needs one in any case.
    asked = ASKED if key is not None else {}

    @app.post(
        "/v1/predict",
        tags=["answers"],
        openapi_extra={"requestBody": BODY, **asked},
        responses=responses(*WORKING),
        summary="Classify one image, or several.",
    )
    async def predict(
        request: Request,
        model: Named = None,
        top: Top = 5,
        head: Annotated[
            str, Query(description="Who answers: main, an auxiliary head by its name, mean or best.", max_length=64)
        ] = "main",
    ) -> wire.Predictions:
        """One image that cannot be read is refused; among several it has an `error` in its place."""
        served = models.named(model).served()
        desk.admit(served)
        return await desk.predict(request, served, await read_images(request, limits), top=top, head=head)

    @app.post(
        "/v1/explain",
        tags=["answers"],
        openapi_extra={"requestBody": BODY, **asked},
        response_model=wire.Explanation,
        responses=responses(*WORKING, ok={"image/png": {}, "image/jpeg": {}}),
        summary="Show what in one image spoke for a class.",
    )
    async def explain(
        request: Request,
        model: Named = None,
        label: Annotated[
            str | None, Query(alias="class", description="The class to explain; the likeliest if left out.", max_length=1000)
        ] = None,
        tap: Annotated[str | None, Query(description="The feature map; the last one if left out.", max_length=200)] = None,
        module: Annotated[
            str | None, Query(description="The module whose branches are shown; the last if left out.", max_length=200)
        ] = None,
        top: Top = 3,
        form: Annotated[
            Literal["json", "png", "jpeg"], Query(description="All of it, or the overlay alone as a picture.")
        ] = "json",
    ) -> Response:
        """Grad-CAM as an overlay, what each head says, and the branches of one module."""
        served = models.named(model).served()
        desk.admit(served)
        uploads = await read_images(request, limits)
        if len(uploads) != 1:
            raise Refusal(413, "too_many_images", "One image is explained at a time.")
        looked, clock = await desk.explain(request, served, uploads[0], label=label, tap=tap, module=module, top=top)
        if form != "json":
            content = await desk.aside(lambda: overlay_file(looked, "PNG" if form == "png" else "JPEG"))
            return Response(content, media_type=f"image/{form}", headers={"x-model-version": served.version})
        explained = await desk.explained(served, looked, clock, request.state.flight)
        return JSONResponse(explained.model_dump(mode="json"))

    @app.get("/v1/models", tags=["models"], openapi_extra=asked, responses=responses(401, *ANYWHERE), summary="What is served.")
    async def catalogue() -> wire.Catalogue:
        return wire.Catalogue(default=models.named(None).name, models=[described(model) for model in models.all])

    @app.post(
        "/v1/models/{name}/reload",
        tags=["models"],
        openapi_extra=ASKED,
        responses=responses(403, 408, 409, 413, 429, 503, *LOOKING),
        summary="Load a model's weights again.",
    )
    async def reload(name: Annotated[str, Path(description="The model.", max_length=64)]) -> wire.Reloaded:
        """What is loaded answers until the new one is warm. Needs an API key, even where nothing else does."""
        model = models.named(name)
        try:
            served = await asyncio.to_thread(model.reload)
        except InceptionsError as error:
            raise Refusal(503, "not_loaded", f"The weights cannot be loaded, the old ones stay: {error}") from error
        return wire.Reloaded(model=served.name, version=served.version)

    @app.get(
        "/v1/architecture",
        tags=["models"],
        openapi_extra=asked,
        responses=responses(*LOOKING),
        summary="What a model's network is and costs.",
    )
    async def architecture(model: Named = None) -> wire.Architecture:
        found = models.named(model)
        return await desk.aside(lambda: costs(found))

    @app.get(
        "/v1/architecture/diagram",
        tags=["models"],
        openapi_extra=asked,
        response_class=Response,
        responses=responses(*LOOKING, ok={"image/svg+xml": {}}),
        summary="A model's network as a drawing.",
    )
    async def drawing(model: Named = None) -> Response:
        found = models.named(model)
        picture, policy = await desk.aside(lambda: drawn(found))
        return Response(picture, media_type="image/svg+xml", headers={"content-security-policy": policy})

    @app.get("/healthz", tags=["health"], responses=responses(*ANYWHERE), summary="Whether the process lives.")
    async def healthz() -> wire.State:
        return wire.State(status="ok")

    @app.get(
        "/readyz",
        tags=["health"],
        responses={503: {"model": wire.State, "description": "Not yet, or not any more."}, **responses(*ANYWHERE)},
        summary="Whether all models answer.",
    )
    async def readyz() -> Response:
        state = wire.State(status="ok" if models.ready else "not ready")
        return JSONResponse(state.model_dump(), 200 if models.ready else 503)

    @app.get(
        "/metrics",
        tags=["health"],
        openapi_extra=asked,
        response_class=Response,
        responses=responses(401, *ANYWHERE, ok={"text/plain": {"schema": {"type": "string"}}}),
        summary="For Prometheus.",
    )
    async def prometheus() -> Response:
        guard.gauge()
        for model in models.all:
            loaded = model.loaded
            metrics.model(model.name, queue=0 if loaded is None else loaded.worker.waiting, ready=model.ready)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    for address, (name, kind) in PAGE.items():
        app.add_api_route(address, page(name, kind), include_in_schema=False, response_class=Response)
    leave_refusals_to_the_guard(app)
    describe_keys(app)
    routes = [route.path for route in app.routes if isinstance(route, Route)]
    guard = Guard(app, limits=limits, metrics=metrics, routes=routes, key=key, hosts=hosts)
    return guard


def warm(models: Models, started: Callable[[], None]) -> None:
    """Make one model after the other ready."""
    for model in models.all:
        model.start()
    if models.ready:
        started()


def threads() -> int:
    """How many images are decoded at a time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, max(2, cores))


def page(name: str, kind: str) -> Callable[[], Awaitable[Response]]:
    """What answers with a file of the page, which is read once."""
    content = (files("inceptions.deploy.serve") / "page" / name).read_bytes()

    async def answer() -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return answer
