"""Too much to do, and what fails on our side."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from serving import POST, QUICK, Blocked, answer_of, picture, running, until

from inceptions.predict import Predictor, load

# Too much to do


def test_a_full_queue_refuses(weights: Path) -> None:
    blocked = Blocked(weights)
    limits = replace(QUICK, images=4, queue=4, batch=2)
    with running(weights, limits=limits, loading=blocked.load) as service, ThreadPoolExecutor(8) as pool:
        blocked.go.clear()
        http = service.http
        waiting = [pool.submit(http.post, "/v1/predict", content=picture("red")) for _ in range(4)]
        until(lambda: service.metric("inceptions_queue_images") == 4)
        refused = http.post("/v1/predict", content=picture("red"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
        assert int(refused.headers["retry-after"]) >= 1
        assert http.get("/healthz").status_code == 200, "the event loop is free"
        blocked.go.set()
        assert [one.result().status_code for one in waiting] == [200] * 4
        until(lambda: service.metric("inceptions_queue_images") == 0)
        assert http.post("/v1/predict", content=picture("red")).status_code == 200


def test_nobody_takes_every_place(weights: Path) -> None:
    blocked = Blocked(weights)
    limits = replace(QUICK, client_requests=2)
    with running(weights, limits=limits, loading=blocked.load) as service, ThreadPoolExecutor(8) as pool:
        blocked.go.clear()
        http = service.http
        waiting = [pool.submit(http.post, "/v1/predict", content=picture("red")) for _ in range(2)]
        until(lambda: service.metric("inceptions_requests_in_flight") == 2)
        refused = http.post("/v1/predict", content=picture("red"))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["error"]["code"] == "too_many_requests"
        blocked.go.set()
        assert [one.result().status_code for one in waiting] == [200, 200]


def test_an_answer_that_comes_too_late(weights: Path) -> None:
    blocked = Blocked(weights)
    with running(weights, limits=replace(QUICK, answer_seconds=0.3), loading=blocked.load) as service:
        blocked.go.clear()
        late = service.http.post("/v1/predict", content=picture("red"))
        assert (late.status_code, late.json()["error"]["code"]) == (503, "too_late")
        blocked.go.set()


def test_the_end_does_not_wait_for_ever(weights: Path) -> None:
    blocked = Blocked(weights)
    with ThreadPoolExecutor(1) as pool:
        with running(weights, limits=replace(QUICK, grace=1), loading=blocked.load) as service:
            blocked.go.clear()
            late = pool.submit(httpx.post, f"{service.address}/v1/predict", content=picture("red"), timeout=30)
            until(lambda: service.metric("inceptions_queue_images") == 1)
            service.server.handle_exit(15, None)
            answer = late.result()
            blocked.go.set()
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stopping")


def test_what_nobody_waits_for_is_not_computed(weights: Path) -> None:
    blocked = Blocked(weights)
    with running(weights, limits=replace(QUICK, batch=1), loading=blocked.load) as service:
        answered = blocked.answered
        blocked.go.clear()
        content = picture("red")
        connections = [service.raw() for _ in range(5)]
        for connection in connections:
            connection.sendall(POST + f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
        until(lambda: service.metric("inceptions_queue_images") == 5)
        for connection in connections:
            connection.close()
        until(lambda: service.metric("inceptions_queue_images") == 0)
        blocked.go.set()
        assert service.http.post("/v1/predict", content=content).status_code == 200
        # The one that the network had begun with, and the last.
        assert blocked.answered - answered <= 2


def test_too_many_connections(weights: Path) -> None:
    with running(weights, limits=replace(QUICK, connections=3, header_seconds=20)) as service:
        service.http.get("/healthz")
        more = [service.raw(timeout=5) for _ in range(5)]
        assert any(answer_of(connection) == (0, b"") for connection in more[-2:])
        for connection in more:
            connection.close()
        until(lambda: service.http.get("/healthz").status_code == 200)


# Failures of our own


class Failing:
    """A network that fails as often as it is told to, and on one image always."""

    def __init__(self, source: Path) -> None:
        self.failing = False
        self.loaded = 0
        self._source = source

    def load(self, _source: str) -> Predictor:
        self.loaded += 1
        if self.loaded > 1:
            self.failing = False
        predictor = load(self._source, device="cpu")
        plain = predictor.answer
        poison = predictor.prepare(io.BytesIO(picture("red", 99)))

        def answer(prepared, **options):
            if self.failing or any((one == poison).all() for one in prepared):
                raise RuntimeError("secret: the device is gone")
            return plain(prepared, **options)

        predictor.answer = answer  # type: ignore[method-assign]
        return predictor


@pytest.mark.usefixtures("may_fail")
def test_one_image_that_breaks_the_pass(weights: Path) -> None:
    failing = Failing(weights)
    with running(weights, limits=replace(QUICK, batch=32, wait=0.2), loading=failing.load) as service:
        bodies = [picture("red", 99 if i == 7 else i) for i in range(16)]
        with ThreadPoolExecutor(16) as pool, httpx.Client(base_url=service.address, timeout=30) as http:
            answers = list(pool.map(lambda body: http.post("/v1/predict", content=body), bodies))
        assert [answer.status_code for answer in answers] == [500 if i == 7 else 200 for i in range(16)]
        assert "secret" not in answers[7].text
        assert answers[7].json()["error"]["id"] == answers[7].headers["x-request-id"]
        # While a grey image is tried on the network, it is not ready.
        until(lambda: service.http.get("/readyz").status_code == 200)
        assert failing.loaded == 1, "the network is sound: it was the image"


@pytest.mark.usefixtures("may_fail")
def test_a_broken_network_is_loaded_again(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing(weights)
    with running(weights, limits=QUICK, loading=failing.load) as service:
        failing.failing = True
        failed = service.http.post("/v1/predict", content=picture("red"))
        assert failed.status_code == 500
        error = failed.json()["error"]
        assert error["code"] == "failed"
        assert error["id"] in caplog.text, "the log knows more"
        assert "secret" not in json.dumps(error)
        # The answer may come before the network is found to be broken: ready counts from when it is loaded again.
        until(lambda: failing.loaded == 2 and service.http.get("/readyz").status_code == 200)
        assert service.http.post("/v1/predict", content=picture("red")).status_code == 200
