"""A service of small networks on a free port, in a thread of the tests' own process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import torch
from PIL import Image

from inceptions.data import evaluation, normalise
from inceptions.deploy.serve.app import create_app
from inceptions.deploy.serve.connections import Service, configured
from inceptions.deploy.serve.guard import own_names
from inceptions.deploy.serve.limits import Limits
from inceptions.deploy.serve.metrics import Metrics
from inceptions.deploy.serve.models import Model, Models, Opened
from inceptions.network import create_model
from inceptions.predict import Predictor, load
from inceptions.weights import Card, Preprocess, save_weights

COLOURS = {"blue": (20, 40, 200), "green": (30, 170, 40), "red": (210, 30, 20)}
SIDE = 64
LEARNT = 40


POST = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def answer_of(connection: socket.socket) -> tuple[int, bytes]:
    """Status and everything that follows until the other side closes or is silent."""
    content = b""
    try:
        while more := connection.recv(65536):
            content += more
    except (TimeoutError, ConnectionResetError):
        pass
    return (int(content.split(b" ", 2)[1]) if content else 0), content


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it never came"
        threading.Event().wait(0.01)


def picture(name: str, seed: int = 0, size: tuple[int, int] = (SIDE, SIDE), form: str = "PNG") -> bytes:
    """A photograph of one colour and a few spots."""
    image = Image.new("RGB", size, COLOURS[name])
    for i in range(3):
        at = (7 * (seed + 3 * i)) % (size[0] - 12)
        image.paste((90 + (13 * seed + 50 * i) % 120, 120, 60), (at, at, at + 6, at + 4))
    content = io.BytesIO()
    image.save(content, form)
    return content.getvalue()


def write_weights(folder: Path, *, seed: int = 0, calibrated: bool = False, classes: tuple[str, ...] = tuple(COLOURS)) -> Path:
    """A small GoogLeNet with random layers, and a classifier that was fitted to tell the colours by what these make of them."""
    model = create_model("googlenet", num_classes=len(classes), aux=True, width=0.125, seed=seed).eval()
    preprocess = Preprocess(size=(SIDE, SIDE), resize="exact")
    shown = [evaluation(preprocess)(Image.open(io.BytesIO(picture(name, i)))) for name in COLOURS for i in range(LEARNT)]
    x = normalise(torch.stack(shown), preprocess)
    wanted = torch.eye(len(classes)).repeat_interleave(LEARNT, 0)[: len(x)]
    for head in model.architecture.heads:
        inside = model.get_submodule(head.name).get_submodule("logits").modules()
        logits = next(layer for layer in inside if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d))
        seen: list[torch.Tensor] = []
        handle = logits.register_forward_hook(lambda _m, given, _o, seen=seen: seen.append(given[0]))
        with torch.no_grad():
            model.heads(x)
            handle.remove()
            given = torch.cat([seen[0].flatten(1), torch.ones(len(x), 1)], 1).double()
            solved = given.T @ torch.linalg.solve(
                given @ given.T + 1e-4 * given.square().mean() * torch.eye(len(x)), wanted.double()
            )
            logits.weight.copy_((8 * solved[:-1].T).reshape(logits.weight.shape))
            logits.bias.copy_(8 * solved[-1])
    calibration = {
        "temperature": 2.0, "threshold": 0.7, "precision_wanted": 0.95, "precision": 0.95, "coverage": 0.8, "images": 100,
        "loss": [0.5, 0.4], "calibration_error": [0.1, 0.05],
    }  # fmt: skip
    card = Card(
        architecture="googlenet",
        variant="bn",
        options=model.architecture.options,
        classes=classes,
        preprocess=preprocess,
        calibration=calibration if calibrated else None,
    )
    save_weights(folder / "weights.safetensors", model.state_dict(), card)
    return folder


@dataclass
class Running:
    """A service that answers.

    Attributes:
        address: without a slash at its end.
        models: what it serves.
        server: uvicorn.
    """

    address: str
    port: int
    models: Models
    server: Service
    http: httpx.Client

    def raw(self, *, timeout: float = 20) -> socket.socket:
        """A connection to write whatever one wants to."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def metric(self, name: str, **headers: str) -> float:
        """The value of a counter or gauge; 0 if there is none yet."""
        lines = self.http.get("/metrics", headers=headers).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@contextlib.contextmanager
def running(
    *sources: Path | str, limits: Limits, key: str | None = None, loading: Callable[[str], Predictor] | None = None
) -> Iterator[Running]:
    """A service in a thread."""
    metrics = Metrics()
    loading = loading or (lambda source: load(source, device="cpu"))

    def opened(source: str) -> Opened:
        predictor = loading(source)
        return Opened(predictor=predictor, whole=predictor)

    models = Models([Model(Path(s).name, str(s), load=opened, limits=limits, metrics=metrics) for s in sources])
    ready = threading.Event()
    app = create_app(models, limits, metrics=metrics, key=key, hosts=own_names(()), started=ready.set)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = Service(configured(app, limits), hangup=lambda: None, ending=lambda: [model.leave() for model in models.all])
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    assert ready.wait(60), "the service never became ready"
    address = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=address, timeout=30) as http:
            yield Running(address, port, models, server, http)
    finally:
        server.handle_exit(15, None)
        thread.join(30)
        assert not thread.is_alive(), "the service did not end"


QUICK = Limits(batch=4, wait=0.005, queue=64, header_seconds=0.4, idle_seconds=0.4, body_seconds=1.0, grace=5.0)


class Blocked:
    """A network that answers when it is let."""

    def __init__(self, source: Path) -> None:
        self.go = threading.Event()
        self.go.set()
        self.answered = 0
        self._source = source

    def load(self, _source: str) -> Predictor:
        predictor = load(self._source, device="cpu")
        plain = predictor.answer

        def answer(prepared, **options):
            assert self.go.wait(30)
            self.answered += len(prepared)
            return plain(prepared, **options)

        predictor.answer = answer  # type: ignore[method-assign]
        return predictor
