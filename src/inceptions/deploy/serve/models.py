"""The models that are served, each by its name, and how one takes another's place."""

from __future__ import annotations

import gc
import hashlib
import logging
import re
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import PIL.Image
import torch

from inceptions.deploy.serve.limits import Limits
from inceptions.deploy.serve.metrics import Metrics
from inceptions.deploy.serve.pacing import measure
from inceptions.deploy.serve.refusals import Refusal, not_ready
from inceptions.deploy.serve.worker import Worker
from inceptions.errors import UsageError
from inceptions.predict import Predictor
from inceptions.weights.store import check_classifier

log = logging.getLogger("inceptions.serve")

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VERSION_DIGITS = 12
# Between attempts to bring a broken model back, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Opened:
    """What loading makes of weights or of an exported file.

    Attributes:
        predictor: what answers.
        whole: the network itself, which can be looked into; None of an exported file.
        computed_in: precision and engine, for people.
    """

    predictor: Predictor
    whole: Predictor | None
    computed_in: str = "float32, torch"


@dataclass(frozen=True, eq=False, kw_only=True)
class Served:
    """One loading of a model. A request keeps to the one it began with, whatever happens meanwhile.

    Attributes:
        name: what it is asked for by.
        version: first digits of the SHA-256 of its weights and their card.
        opened: what answers.
        worker: its thread.
    """

    name: str
    version: str
    opened: Opened
    worker: Worker


class Model:
    """A name, the weights behind it, and what is loaded of them now.

    Attributes:
        name: what it is asked for by.
        source: where the weights are: a path, or a name that `inceptions.load` knows.
    """

    def __init__(self, name: str, source: str, *, load: Callable[[str], Opened], limits: Limits, metrics: Metrics) -> None:
        """Load the weights; nothing is computed yet.

        Raises:
            InceptionsError: they cannot be loaded.
        """
        self.name = name
        self.source = source
        self._load, self._limits, self._metrics = load, limits, metrics
        self._loading = threading.Lock()
        self._stopped = threading.Event()
        self._first = self._loaded()
        self._current: Served | None = None

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        current = self._current
        return current is not None and current.worker.ready and not self._stopped.is_set()

    @property
    def loaded(self) -> Served | None:
        """What answers now; None before the first warm-up."""
        return self._current

    def served(self) -> Served:
        """What answers now.

        Raises:
            Refusal: nothing does.
        """
        current = self._current
        if current is None or not self.ready:
            raise not_ready(self.name)
        return current

    @property
    def opened(self) -> Opened:
        """What answers now, or will after its warm-up."""
        current = self._current
        return self._first if current is None else current.opened

    def start(self) -> None:
        """Warm up, measure, and begin to answer; where that fails, it is tried again in the background."""
        try:
            with self._loading:
                self._current = self._made(self._first)
        except Exception:
            log.exception("model %s does not answer", self.name)
            self._broken()

    def reload(self) -> Served:
        """Load the weights again; what is loaded answers until the new one is warm, and finishes what it began.

        Raises:
            Refusal: another loading of it is on the way.
            InceptionsError: the weights cannot be loaded; what is loaded stays.
        """
        if not self._loading.acquire(blocking=False):
            raise Refusal(409, "reloading", f"The model {self.name} is being loaded already.", retry_after=5)
        try:
            made = self._made(self._loaded())
            before, self._current, self._first = self._current, made, made.opened
            if before is not None:
                before.worker.stop()
                gone = weakref.ref(before.worker)
                threading.Thread(target=_let_go, args=(gone,), name="inceptions-tidying", daemon=True).start()
            log.info("model %s is version %s", self.name, made.version)
            return made
        finally:
            self._loading.release()

    def leave(self) -> None:
        """Take nothing new; what was begun is still answered."""
        self._stopped.set()

    def stop(self) -> None:
        """Finish what has a place, then answer no more. Returns at once."""
        self.leave()
        if self._current is not None:
            self._current.worker.stop()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the work, and say whether it has come."""
        return self._current is None or self._current.worker.join(timeout)

    def _loaded(self) -> Opened:
        opened = self._load(self.source)
        check_classifier(opened.predictor.card, self.source)
        return opened

    def _made(self, opened: Opened) -> Served:
        pace = measure(opened.predictor, self._limits)
        worker = Worker(
            opened.predictor,
            pace,
            check=check,
            broken=self._broken,
            passed=lambda images, seconds: self._metrics.passed(self.name, images, seconds),
        )
        log.info("model %s: %d at a time, %.1f ms wait, %.1f images/s", self.name, pace.batch, 1000 * pace.wait, pace.rate)
        return Served(name=self.name, version=fingerprint(opened, self.source), opened=opened, worker=worker)

    def _broken(self) -> None:
        threading.Thread(target=self._bring_back, name="inceptions-revival", daemon=True).start()

    def _bring_back(self) -> None:
        """Load a broken model again, until it answers or the service ends."""
        pause = FIRST_PAUSE
        while not self._stopped.is_set():
            try:
                self.reload()
                return
            except Refusal:
                return
            except Exception:
                log.exception("model %s cannot be brought back; next try in %.0f s", self.name, pause)
            self._stopped.wait(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)


def settle() -> None:
    """Keep the collector of garbage away from what stays: to look through all of it would stop every request for 0.3 s."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _let_go(replaced: weakref.ref[Worker]) -> None:
    """When a network has given its last answer, look once for what is left of it."""
    if (worker := replaced()) is not None:
        worker.join()
        del worker
    if gc.get_freeze_count():
        settle()


class Models:
    """The models that are served; the first is the one that answers where none is named."""

    def __init__(self, models: Sequence[Model]) -> None:
        assert models, "there is something to serve"
        self._models = {model.name: model for model in models}

    @property
    def all(self) -> list[Model]:
        """In the order given."""
        return list(self._models.values())

    @property
    def ready(self) -> bool:
        """Whether each of them answers."""
        return all(model.ready for model in self._models.values())

    def named(self, name: str | None) -> Model:
        """A model, or the first.

        Raises:
            Refusal: there is none of the name. It is only looked up, never opened.
        """
        if name is None:
            return next(iter(self._models.values()))
        if name not in self._models:
            raise Refusal(404, "unknown_model", f"There is no such model. There are: {', '.join(self._models)}.")
        return self._models[name]


def check(predictor: Predictor) -> None:
    """Let a network answer for a grey image.

    Raises:
        Exception: whatever keeps it from answering.
    """
    height, width = predictor.preprocess.size
    predictor.answer([predictor.prepare(PIL.Image.new("RGB", (width, height), "grey"))], top=1)


def fingerprint(opened: Opened, source: str) -> str:
    """What tells one loading's weights, classes and preprocessing from another's."""
    digest = hashlib.sha256(opened.predictor.card.to_json().encode())
    if opened.whole is None:
        file = Path(source)
        digest.update(file.read_bytes())
        if file.suffix == ".xml":  # OpenVINO's, which keeps its weights beside it
            digest.update(file.with_suffix(".bin").read_bytes())
        return digest.hexdigest()[:VERSION_DIGITS]
    for name, tensor in sorted(opened.whole.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:VERSION_DIGITS]


def named(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Name and source of each model, from "NAME=WEIGHTS" or "WEIGHTS" alone, named after its run or its file.

    Raises:
        UsageError: no model, a name that cannot stand in an address, or one twice.
    """
    if not arguments:
        raise UsageError("Name weights to serve: a run's folder, a weight file, or NAME=WEIGHTS.")
    found: dict[str, str] = {}
    for argument in arguments:
        name, separator, source = argument.partition("=")
        if not separator or "/" in name or Path(argument).exists():
            name, source = _own_name(argument), argument
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot be a model's name: letters, digits, '.', '_' and '-'. Write NAME={source}.")
        if not source:
            raise UsageError(f"{argument!r} names no weights: write {name}=WEIGHTS.")
        if name in found:
            raise UsageError(f"Two models are called {name!r}: write NAME={source} to call one differently.")
        found[name] = source
    return list(found.items())


def _own_name(source: str) -> str:
    path = Path(source)
    if path.is_file() and path.stem in ("weights", "weights-last"):
        path = path.resolve().parent  # runs call their files alike
    elif path.exists():
        path = path.resolve()
    stem = source.removeprefix("hf:") if source.startswith("hf:") else path.stem if path.is_file() else path.name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")
