"""The thread that alone uses a network: it takes what waits, as many images at a time as pay, and answers each."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from inceptions.deploy.serve.pacing import QUEUE_SECONDS, Pace
from inceptions.errors import InceptionsError
from inceptions.predict import Prediction, Predictor

log = logging.getLogger("inceptions.serve")

Result = TypeVar("Result")

# Of the newest pass in the rate of late.
NEWEST = 0.2


class Full(Exception):
    """There is no place in the queue.

    Attributes:
        seconds: until there may be one.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Failed(Exception):
    """The network failed; the log says under `id` how."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id


@dataclass(frozen=True, slots=True)
class Answered:
    """A prediction, how long its image waited and the pass took, in seconds, and how many images were in the pass."""

    prediction: Prediction
    waited: float
    took: float
    batch: int


@dataclass(slots=True, eq=False)
class Image:
    """One image in the queue, as `Predictor.prepare` made it."""

    prepared: Any
    top: int
    head: str
    future: Future[Answered] = field(default_factory=Future)
    since: float = field(default_factory=time.perf_counter)


@dataclass(slots=True, eq=False)
class Call:
    """Something else that wants the network for itself."""

    function: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)


class Worker:
    """A network's thread and its queue.

    Attributes:
        predictor: the network. Its `prepare` may be called by anybody, everything else by this thread only.
        pace: how it goes about its queue.
        ready: whether it answers.
    """

    def __init__(
        self,
        predictor: Predictor,
        pace: Pace,
        *,
        check: Callable[[Predictor], object],
        broken: Callable[[], None],
        passed: Callable[[int, float], None] = lambda _images, _seconds: None,
    ) -> None:
        """Start the thread.

        Args:
            predictor: the network, warm.
            pace: how to go about the queue.
            check: raises if the network cannot answer; asked after a failure.
            broken: called once, by the thread, when the check has failed: it needs to be replaced.
            passed: called after each pass with the number of images and the seconds.
        """
        self.predictor = predictor
        self.pace = pace
        self.ready = True
        self._check, self._broken, self._passed = check, broken, passed
        self._queue: deque[Image | Call] = deque()
        self._places = 0
        self._rate = pace.rate
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="inceptions-worker", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Images that have a place: being decoded, waiting or being answered."""
        return self._places

    def check_room(self) -> None:
        """See that a request may come at all, before its body is looked at.

        Raises:
            Full: not even one image has a place.
        """
        if self._places and self._places >= self._room():
            raise Full(self._places / self._rate)

    @contextmanager
    def places(self, count: int) -> Iterator[None]:
        """Keep places in the queue while the block runs.

        Raises:
            Full: there are not so many.
        """
        with self._changed:
            # What is larger than the whole queue may come when it is empty; else it never could.
            if self._places and self._places + count > self._room():
                raise Full(self._places / self._rate)
            self._places += count
        try:
            yield
        finally:
            with self._changed:
                self._places -= count
                self._changed.notify_all()

    def ask(self, prepared: Any, *, top: int, head: str) -> Future[Answered]:
        """Queue an image; a future that is cancelled before its turn costs nothing. Needs a place."""
        job = Image(prepared, top, head)
        self._put(job)
        return job.future

    def call(self, function: Callable[[Predictor], Result]) -> Future[Result]:
        """Queue something else to be done with the network. Needs a place."""
        job = Call(lambda: function(self.predictor))
        self._put(job)
        return job.future

    def stop(self) -> None:
        """Answer everything that has a place, then end. Returns at once."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end, and say whether it has come."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _room(self) -> int:
        """Images that may wait: as many as are answered in time at the rate of late, where that is not fixed."""
        if self.pace.least is None:
            return self.pace.queue
        return max(self.pace.least, min(self.pace.queue, round(self._rate * QUEUE_SECONDS)))

    def _put(self, job: Image | Call) -> None:
        with self._changed:
            if self._thread.is_alive():
                self._queue.append(job)
                self._changed.notify_all()
                return
        job.future.set_exception(Failed("stopped"))

    def _work(self) -> None:
        sound = True
        while sound and (jobs := self._next()):
            wanted = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if not self._do(wanted):
                sound = self._recovers()
        self.ready = False
        with self._changed:
            left, self._queue = self._queue, deque()
        for job in left:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(Failed("stopped"))
        if not sound:
            self._broken()

    def _next(self) -> Sequence[Image | Call]:
        """What is to be done at once; empty at the end."""
        with self._changed:
            while not self._queue:
                if self._stopping and not self._places:
                    return []
                self._changed.wait()
            first = self._queue.popleft()
            if isinstance(first, Call):
                return [first]
            batch = [first]
            until = time.perf_counter() + self.pace.wait
            while len(batch) < self.pace.batch:
                if self._queue:
                    following = self._queue[0]
                    if isinstance(following, Call) or following.head != first.head:
                        break
                    self._queue.popleft()
                    batch.append(following)
                    continue
                # Nobody waits for company that is not on its way.
                left = until - time.perf_counter()
                if self._places <= len(batch) or left <= 0:
                    break
                self._changed.wait(left)
            return batch

    def _do(self, jobs: Sequence[Image | Call]) -> bool:
        """Whether all went well."""
        if not jobs:
            return True
        if isinstance(jobs[0], Call):
            (call,) = jobs
            assert isinstance(call, Call), "calls are alone"
            return self._tried(call)
        images = [job for job in jobs if isinstance(job, Image)]
        try:
            self._answer(images)
        except BaseException as error:
            if len(images) == 1:
                self._fail(images[0].future, error)
                return False
            # Strangers share a pass: each is asked again alone, so that only the one that it is about fails.
            log.warning("a pass of %d images failed (%s): each is tried alone", len(images), type(error).__name__)
            alone = [self._do([image]) for image in images]
            return all(alone)
        return True

    def _answer(self, images: list[Image]) -> None:
        began = time.perf_counter()
        top, head = max(image.top for image in images), images[0].head
        predictions = self.predictor.answer([image.prepared for image in images], top=top, head=head)
        took = time.perf_counter() - began
        assert len(predictions) == len(images), "an answer for each"
        self._rate += NEWEST * (len(images) / took - self._rate)
        self._passed(len(images), took)
        for image, prediction in zip(images, predictions, strict=True):
            cut = replace(prediction, top=prediction.top[: image.top])
            image.future.set_result(Answered(cut, began - image.since, took, len(images)))

    def _tried(self, call: Call) -> bool:
        try:
            call.future.set_result(call.function())
        except InceptionsError as error:
            # The user's: a class that is not there, an image that cannot be explained.
            call.future.set_exception(error)
        except BaseException as error:
            self._fail(call.future, error)
            return False
        return True

    def _fail(self, future: Future[Any], error: BaseException) -> None:
        failed = Failed(secrets.token_hex(8))
        log.error("failure %s of the network", failed.id, exc_info=error)
        future.set_exception(failed)

    def _recovers(self) -> bool:
        """Whether the network still answers at all."""
        self.ready = False
        try:
            self._check(self.predictor)
        except BaseException:
            log.exception("the network does not answer any more")
            return False
        self.ready = True
        return True
