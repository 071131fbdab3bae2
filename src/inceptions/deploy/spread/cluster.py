"""Pieces answered by workers of Ray: on this machine's cores, or on as many machines as a cluster has.

A worker opens the weights once and answers piece after piece; answers come back to the process that asked, which alone writes.
So the machines share nothing but the images and the weights, under the same names.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from inceptions import errors
from inceptions.deploy.exported import is_exported
from inceptions.deploy.extras import needed
from inceptions.deploy.spread.parts import Piece
from inceptions.deploy.spread.question import Asked, Question
from inceptions.errors import InceptionsError, MachineError, UsageError
from inceptions.predict.sources import Source

EXTRA = "ray"
ADDRESS = "RAY_ADDRESS"
ATTEMPTS = 3
"""How often a piece is tried if workers die over it. Ray itself would try for ever."""

MOST_THREADS = 4
"""Of one worker: beyond that, more workers are faster than more threads, and below it they take less memory."""

MEMORY = 2**27
"""Bytes for what travels between processes: names of files and rows of answers."""

KEPT = "What was answered so far is kept: run the same command again"

# Read when Ray is loaded: nobody was asked whether its makers may count him, and people wait for an answer, not for Ray's log.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_DEDUP_LOGS": "0"}


class Tally:
    """Who began what, counted outside of the processes that may die."""

    def __init__(self) -> None:
        self._pieces: Counter[str] = Counter()
        self._openings = 0

    def opening(self) -> int:
        """A worker begins to open the weights: how many did since the last one that came further."""
        self._openings += 1
        return self._openings

    def beginning(self, piece: str) -> int:
        """A worker begins a piece: how many did."""
        self._openings = 0
        self._pieces[piece] += 1
        return self._pieces[piece]


class Worker:
    """What answers in a process of Ray's. What goes wrong is part of its answer: exceptions lose their kind on the way.

    Args:
        opening: opens the weights.
        threads: for an engine.
        tally: asks a `Tally`: of what, and with which arguments.
        workers: how many begin at once.
    """

    def __init__(self, opening: Callable[..., Asked], threads: int, tally: Callable[..., int], workers: int) -> None:
        self._notes: list[str] = []
        self._tally = tally
        self._asked: Asked | None = None
        self._fault: InceptionsError | None = None
        try:
            if tally("opening") > ATTEMPTS * workers:
                raise MachineError("Workers of Ray die while they open the weights: too little memory, perhaps. Take fewer.")
            self._asked = opening(threads=threads, say=self._notes.append)
        except InceptionsError as error:
            self._fault = error

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """The rows of pieces, as JSON."""
        found: dict[str, list[str]] = {"name": [], "rows": [], "notes": [], "fault": []}
        for name, packed in zip(batch["name"], batch["sources"], strict=True):
            rows: list[dict[str, Any]] = []
            fault = self._fault
            if self._asked is not None:
                sources = [Source(Path(path), named) for path, named in json.loads(str(packed))]
                try:
                    if self._tally("beginning", str(name)) > ATTEMPTS:
                        raise MachineError(
                            f"Workers of Ray died {ATTEMPTS} times over the images from {sources[0].path} to "
                            f"{sources[-1].path}: of too little memory, or of one of these. {KEPT}, with fewer --workers or "
                            "without that image."
                        )
                    rows = self._asked.rows(sources)
                except InceptionsError as error:
                    fault = error
            said = "" if fault is None else json.dumps([_kind(fault), str(fault)])
            for key, value in (("name", str(name)), ("rows", json.dumps(rows)), ("notes", json.dumps(self._notes))):
                found[key].append(value)
            found["fault"].append(said)
        return found


def on_ray(
    question: Question, wanted: Sequence[Piece], *, workers: int | None = None, say: Callable[[str], None] = lambda _: None
) -> Generator[tuple[str, list[dict[str, Any]]]]:
    """Answer pieces on the cluster that $RAY_ADDRESS names, or on one that is started on this machine for it.

    Args:
        question: what is asked.
        wanted: the pieces.
        workers: processes that answer; as many as the cores allow if None.
        say: told what the first worker found.

    Yields:
        The name of a part and its rows, in the order in which they are done.

    Raises:
        MachineError: Ray is missing, its cluster does not answer, or workers die again and again.
        UsageError: more workers than the cluster has cores for; or as `Question.open`.
        InceptionsError: as `Asked.rows`.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be at least 1, not {workers}.")
    yield from _answered(question, question.open, wanted, workers, say)


def _answered(
    question: Question,
    opening: Callable[..., Asked],
    wanted: Sequence[Piece],
    workers: int | None,
    say: Callable[[str], None],
) -> Generator[tuple[str, list[dict[str, Any]]]]:
    with ExitStack() as loud, _quiet():
        loud.enter_context(_mute())
        ray = needed("ray", EXTRA)
        data = needed("ray.data", EXTRA)
        try:
            with _connected(ray, workers):
                count, threads, gpus = _shares(ray.nodes(), question, workers)
                context = data.DataContext.get_current()
                context.enable_progress_bars = context.print_on_execution_start = False
                items = [{"name": one.name, "sources": _packed(one)} for one in wanted]
                count = min(count, len(items))
                tally = ray.remote(num_cpus=0)(Tally).remote()
                answered = data.from_items(items, override_num_blocks=len(items)).map_batches(
                    Worker,
                    fn_constructor_args=(opening, threads, partial(_asked, tally), count),
                    batch_size=1,
                    compute=data.ActorPoolStrategy(size=count),
                    num_cpus=threads,
                    num_gpus=gpus,
                )
                for number, row in enumerate(answered.iter_rows()):
                    loud.close()  # behind here nothing more is said by Ray, and progress is
                    if row["fault"]:
                        kind, message = json.loads(row["fault"])
                        raise getattr(errors, kind)(message)
                    for note in json.loads(row["notes"]) if number == 0 else ():
                        say(note)
                    yield row["name"], json.loads(row["rows"])
        except InceptionsError:
            raise
        except (ray.exceptions.RayError, ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
            raise MachineError(f"Ray failed ({_first_line(error)}). {KEPT}.") from error


def _asked(tally: Any, what: str, *arguments: str) -> int:
    """Ask the actor that counts, from within another."""
    import ray

    found: int = ray.get(getattr(tally, what).remote(*arguments))
    return found


@contextmanager
def _connected(ray: Any, workers: int | None) -> Iterator[None]:
    """A cluster for as long as the block runs; one that is there already stays."""
    if ray.is_initialized():
        yield
        return
    settings: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        if os.environ.get(ADDRESS, "local") == "local":
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            settings |= {"address": "local", "num_cpus": max(cores, workers or 1), "include_dashboard": False}
            settings |= {"object_store_memory": MEMORY, "_temp_dir": folder}
        ray.init(**settings)
        try:
            yield
        finally:
            ray.shutdown()


def _shares(nodes: Sequence[dict[str, Any]], question: Question, workers: int | None) -> tuple[int, int, int]:
    """How many workers, and of how many cores and GPUs each.

    Raises:
        UsageError: the cluster has no room for so many.
    """
    rooms = [node["Resources"] for node in nodes if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not rooms:
        raise UsageError("The cluster has no core that is free to compute: start it with some (ray start --num-cpus).")
    # Ray shows a worker no GPU but its own.
    asked = question.engine in (None, "auto", "cuda", "cuda-compiled") and question.device != "cpu"
    on_torch = asked and not is_exported(Path(question.weights))
    gpus = sum(int(room.get("GPU", 0)) for room in rooms) if on_torch else 0
    cores = [int(room["CPU"]) for room in rooms]
    # A machine of two or four cores gets a worker for each of them.
    threads = max(1, min(MOST_THREADS, min(cores) // 4))
    most = gpus or sum(one // threads for one in cores)
    if workers is not None and workers > most:
        threads, most = 1, gpus or sum(cores)
        if workers > most:
            raise UsageError(f"The cluster has room for {most} workers, not for {workers}.")
    return workers or most, threads, 1 if gpus else 0


def _packed(piece: Piece) -> str:
    return json.dumps([[str(source.path), source.named] for source in piece.sources])


def _kind(error: InceptionsError) -> str:
    """The class in `inceptions.errors` that an error is of."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)


def _first_line(error: BaseException) -> str:
    """What Ray has to say, without the places in its code: the last line of a traceback, else the first of all."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = getattr(error, "cause", None)
    return str(cause or (lines[-1] if lines else type(error).__name__)).rstrip(".")


@contextmanager
def _mute() -> Iterator[None]:
    """Nothing on standard error, not even what Ray's own library writes there on its way up."""
    sys.stderr.flush()
    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray tells how it goes through Python's log, and on standard output, where only answers are wanted."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
