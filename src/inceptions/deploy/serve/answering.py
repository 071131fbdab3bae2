"""From a request's images to its answer: decoded by threads, answered by the model's own, dropped if nobody waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import PIL.Image
from starlette.requests import Request

from inceptions.data import ImageError, decode
from inceptions.deploy.serve import wire
from inceptions.deploy.serve.guard import Flight
from inceptions.deploy.serve.limits import Limits
from inceptions.deploy.serve.looking import Looked, guesses, look, pictures
from inceptions.deploy.serve.metrics import Metrics
from inceptions.deploy.serve.models import Served
from inceptions.deploy.serve.refusals import Gone, Refusal, busy, unreadable
from inceptions.deploy.serve.uploads import Upload
from inceptions.deploy.serve.worker import Answered, Full
from inceptions.errors import UsageError

Result = TypeVar("Result")


@dataclass(slots=True)
class Clock:
    """Seconds that the parts of a request took; of several images the longest."""

    decode: float = 0.0
    queue: float = 0.0
    network: float = 0.0
    batch: int = 0

    def note(self, answered: Answered) -> None:
        """Take an answer's times into account."""
        self.queue = max(self.queue, answered.waited)
        self.network = max(self.network, answered.took)
        self.batch = max(self.batch, answered.batch)

    def timings(self, flight: Flight) -> wire.Timings:
        """In milliseconds."""
        parts = {
            "receive": flight.received - flight.began,
            "decode": self.decode,
            "queue": self.queue,
            "network": self.network,
            "total": time.perf_counter() - flight.began,
        }
        return wire.Timings(**{name: round(1000 * max(0.0, seconds), 2) for name, seconds in parts.items()})


@dataclass(frozen=True, eq=False)
class Desk:
    """Where requests are answered.

    Attributes:
        limits: what is refused.
        metrics: what is counted.
        pool: the threads that decode and draw.
    """

    limits: Limits
    metrics: Metrics
    pool: ThreadPoolExecutor

    async def predict(
        self, request: Request, served: Served, uploads: list[Upload], *, top: int, head: str
    ) -> wire.Predictions:
        """Answer for the images of a request.

        Raises:
            Refusal: there is no place, no such head, no answer in time, or the only image cannot be read.
            Gone: nobody waits for the answer.
            Failed: the network failed.
        """
        try:
            served.opened.predictor.check_head(head)
        except UsageError as error:
            raise refused(error) from error
        clock = Clock()

        async def one(index: int, upload: Upload) -> wire.Result:
            try:
                prepared, (width, height) = await self.aside(lambda: self._prepared(served, upload), clock)
            except ImageError as error:
                self.metrics.unreadable(served.name)
                refusal = unreadable(error)
                if len(uploads) == 1:
                    raise refusal from error
                problem = wire.Problem(code=refusal.code, message=refusal.message)
                return wire.Result(index=index, name=upload.name, error=problem)
            answered = await asyncio.wrap_future(served.worker.ask(prepared, top=top, head=head))
            clock.note(answered)
            prediction = answered.prediction
            return wire.Result(
                index=index, name=upload.name, width=width, height=height, top=guesses(prediction), sure=prediction.sure
            )

        results = await self._placed(
            request, served, len(uploads), lambda: _all([one(i, upload) for i, upload in enumerate(uploads)])
        )
        return wire.Predictions(
            model=served.name,
            version=served.version,
            head=head,
            batch=clock.batch,
            results=results,
            timings=clock.timings(request.state.flight),
        )

    async def explain(
        self,
        request: Request,
        served: Served,
        upload: Upload,
        *,
        label: str | None,
        tap: str | None,
        module: str | None,
        top: int,
    ) -> tuple[Looked, Clock]:
        """Explain the answer to one image.

        Raises:
            Refusal: as `predict`, or no such class, feature map or module.
            Gone: nobody waits for the answer.
            Failed: the network failed.
        """
        clock = Clock()
        whole = served.opened.whole
        if whole is None:
            raise Refusal(422, "exported", "This is an exported file, which shows nothing of its inside: serve its weights.")

        async def work() -> Looked:
            image = await self.aside(lambda: self._decoded(upload), clock)
            asked = time.perf_counter()

            def found(_predictor: Any) -> tuple[Looked, float]:
                began = time.perf_counter()
                return look(whole, image, label=label, tap=tap, module=module, top=top), began

            looked, began = await asyncio.wrap_future(served.worker.call(found))
            clock.queue, clock.network = began - asked, time.perf_counter() - began
            return looked

        try:
            return await self._placed(request, served, 1, work), clock
        except ImageError as error:
            self.metrics.unreadable(served.name)
            raise unreadable(error) from error
        except UsageError as error:
            raise refused(error) from error

    async def explained(self, served: Served, looked: Looked, clock: Clock, flight: Flight) -> wire.Explanation:
        """An explanation with its pictures, as it goes over the wire."""
        photograph, marked, sides = await self.aside(lambda: pictures(looked))
        found = looked.explanation
        assert found.tap is not None, "Grad-CAM looks at one"
        return wire.Explanation(
            model=served.name,
            version=served.version,
            label=found.label,
            index=found.index,
            probability=min(1.0, found.probability),
            tap=found.tap,
            box=list(found.box),
            nothing=not bool(found.heat.any()),
            photograph=photograph,
            overlay=marked,
            heads=[wire.HeadAnswer(head=name, top=guesses(prediction)) for name, prediction in looked.heads],
            module=looked.module,
            branches=sides,
            timings=clock.timings(flight),
        )

    def admit(self, served: Served) -> None:
        """Refuse a request before its body is taken apart, where there is no place for a single image.

        Raises:
            Refusal: there is none.
        """
        try:
            served.worker.check_room()
        except Full as full:
            raise busy(full.seconds) from None

    async def aside(self, function: Callable[[], Result], clock: Clock | None = None) -> Result:
        """Do something in a thread of the pool; with a clock, as decoding."""
        began = time.perf_counter()
        try:
            return await asyncio.get_running_loop().run_in_executor(self.pool, function)
        finally:
            if clock is not None:
                clock.decode = max(clock.decode, time.perf_counter() - began)

    def _decoded(self, upload: Upload) -> PIL.Image.Image:
        return decode(upload.content, limit_pixels=self.limits.pixels)

    def _prepared(self, served: Served, upload: Upload) -> tuple[Any, tuple[int, int]]:
        image = self._decoded(upload)
        return served.opened.predictor.prepare(image), image.size

    async def _placed(
        self, request: Request, served: Served, count: int, work: Callable[[], Coroutine[Any, Any, Result]]
    ) -> Result:
        """Do the work of a request that has places, as long as somebody waits for it."""
        try:
            with served.worker.places(count):
                return await attended(request, work(), self.limits.answer_seconds)
        except Full as full:
            raise busy(full.seconds) from None


async def attended(request: Request, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
    """Work as long as the client waits for it, and no longer than it may.

    Raises:
        Gone: the client went away; the work is cancelled.
        Refusal: it took too long.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        done, _ = await asyncio.wait((working, leaving), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if working in done:
            return working.result()
        if leaving in done:
            raise Gone
        raise Refusal(503, "too_late", "The answer did not come in time. Try again later.", retry_after=seconds / 2)
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _all(works: list[Coroutine[Any, Any, Result]]) -> list[Result]:
    """All results; where one fails, the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def refused(error: UsageError) -> Refusal:
    """The refusal of a name that is not there."""
    return Refusal(422, "unknown_name", str(error))
