"""Starting the service, and everything that must be right before it does."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inceptions.deploy.serve.limits import Limits
from inceptions.errors import MachineError, UsageError

if TYPE_CHECKING:
    from inceptions.deploy.serve.models import Opened

log = logging.getLogger("inceptions.serve")

KEY_VARIABLE = "INCEPTIONS_API_KEY"
SHORTEST_KEY = 16
USUAL_BATCH = 8
NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def serve(
    weights: Sequence[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    key_file: Path | None = None,
    allow_hosts: Sequence[str] = (),
    device: str = "auto",
    engine: str | None = None,
    precision: str = "auto",
    limits: Limits | None = None,
    quiet: bool = False,
    ready: Callable[[dict[str, Any]], None],
) -> None:
    """Serve weights until the process is told to stop (SIGTERM or SIGINT; SIGHUP loads all weights again).

    Args:
        weights: each "WEIGHTS" or "NAME=WEIGHTS"; the first is the default.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        key_file: a file that holds the API key; the environment's INCEPTIONS_API_KEY if None; if that is not set either,
            nobody is asked for a key.
        allow_hosts: names that the service goes by, beside this machine's own. Only used on an address that no other machine
            reaches; behind a proxy that passes the name on, for example.
        device: "auto", "cpu", "cuda", …
        engine: what computes, as `inceptions.load` takes it.
        precision: what an engine computes in.
        limits: what is refused; the usual if None.
        quiet: no line for each request.
        ready: called when all models answer, with `address`, `models` (name and version of each) and `pid`.

    Raises:
        UsageError: names or numbers that mean nothing.
        WeightsError: weights that cannot be read.
        MachineError: the address is not to be had, or a package is missing.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise MachineError(f"The service needs {', '.join(missing)}: pip install 'inceptions[serve]'.")
    from inceptions.deploy.serve.app import create_app
    from inceptions.deploy.serve.connections import Service, configured
    from inceptions.deploy.serve.guard import loopback, own_names
    from inceptions.deploy.serve.metrics import Metrics
    from inceptions.deploy.serve.models import Model, Models, named, settle
    from inceptions.network.hardware import share_memory

    share_memory()
    limits = limits or Limits()
    wanted = named(weights)
    key = read_key(key_file)
    _log_to_standard_error(quiet)
    listening = bound(host, port)
    with listening:
        metrics = Metrics()
        load = loader(device=device, engine=engine, precision=precision, batch=limits.batch or USUAL_BATCH)
        models = Models([Model(name, source, load=load, limits=limits, metrics=metrics) for name, source in wanted])
        private = loopback(host)
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        if not private:
            protected = "the API key" if key else "nothing: anybody who reaches it may use it. Set a key"
            log.warning(
                "%s is reached by other machines; it is protected by %s. It speaks HTTP, not HTTPS.", address, protected
            )

        def started() -> None:
            settle()
            answering = [{"name": model.name, "version": model.served().version} for model in models.all]
            ready({"address": address, "models": answering, "pid": os.getpid()})

        app = create_app(
            models,
            limits,
            metrics=metrics,
            key=key,
            hosts=own_names(allow_hosts) if private else None,
            started=started,
        )

        def hangup() -> None:
            for model in models.all:
                try:
                    model.reload()
                except Exception as error:
                    log.error("model %s stays as it is: %s", model.name, error)

        def ending() -> None:
            for model in models.all:
                model.leave()

        try:
            Service(configured(app, limits), hangup=hangup, ending=ending).run(sockets=[listening])
        finally:
            gc.unfreeze()


def loader(*, device: str, engine: str | None, precision: str, batch: int) -> Callable[[str], Opened]:
    """What opens a model: the one place that knows how networks are made fast.

    Args:
        device: where torch computes.
        engine: what computes; None: torch as it is, or what an exported file was written for.
        precision: what an engine computes in.
        batch: how many images come at once, as a rule.
    """
    from inceptions.deploy.opening import answerer, is_exported, require_main
    from inceptions.deploy.serve.models import Opened
    from inceptions.evaluate.answerer import Answerer
    from inceptions.predict import Predictor

    def opened(source: str) -> Opened:
        made, card = answerer(source, device=device, engine=engine, precision=precision, batch=batch, every_head=True)
        require_main(source, made)
        predictor = Predictor(made, card, device=device)
        if not isinstance(made, Answerer):
            return Opened(predictor=predictor, whole=predictor, computed_in=f"float32, torch on {predictor.device}")
        whole = None
        if not is_exported(source):
            # What was compiled shows nothing of its inside: explanations are the network's own.
            network, _ = answerer(source, device=device)
            whole = Predictor(network, card, device=device)
        return Opened(predictor=predictor, whole=whole, computed_in=made.computed_in)

    return opened


def read_key(file: Path | None) -> str | None:
    """The API key; None if there is none. It is never an argument, because every process can read those.

    Raises:
        UsageError: the file cannot be read, or holds no key worth the name.
    """
    if file is not None:
        try:
            key = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The API key cannot be read from {file}: {error}.") from error
        where = str(file)
    else:
        key, where = os.environ.get(KEY_VARIABLE, "").strip(), KEY_VARIABLE
        if not key:
            return None
    if len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(f"{where} holds no API key: at least {SHORTEST_KEY} letters and digits, without spaces.")
    return key


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address, not listening yet.

    Raises:
        UsageError: no address, or no port.
        MachineError: it is not to be had.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"--port must be a number from 0 to 65535, not {port}.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError(f"There is no address {host!r} to listen on ({error}).") from error
    found = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        found.close()
        raise MachineError(
            f"{host}, port {port} is not to be had: {error.strerror}. Name another --port, or 0 for a free one."
        ) from error
    return found


def _log_to_standard_error(quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name, level in (("inceptions.serve", logging.WARNING if quiet else logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
    # It writes a line for every form that is none.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
