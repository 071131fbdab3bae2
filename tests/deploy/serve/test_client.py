from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from serving import COLOURS, QUICK, Blocked, Running, picture, running, until

from inceptions.deploy.client import Client, ServiceError
from inceptions.errors import DataError, MachineError, UsageError
from inceptions.predict import load


@pytest.fixture
def ask() -> Iterator[Callable[..., Client]]:
    """Makes clients, and closes them."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Client(*args, **options))


def test_one_and_many(ask: Callable[..., Client], service: Running, calibrated: Path, tmp_path: Path) -> None:
    client = ask(service.address)
    assert client.ready()
    files = []
    for name in COLOURS:
        files.append(tmp_path / f'{name} "é".png')
        files[-1].write_bytes(picture(name))
    direct = load(calibrated, device="cpu").predict(files, top=2)
    answers = client.predict([*files, b"no image"], model=calibrated.name, top=2)
    assert [answer.name for answer in answers[:3]] == [file.name.replace('"', "%22") for file in files]
    for answer, expected in zip(answers, direct, strict=False):
        assert [guess.label for guess in answer.top] == [guess.label for guess in expected.top]
        assert answer.top[0].probability == pytest.approx(expected.probability, abs=1e-5)
        assert (answer.sure, answer.error, answer.model) == (expected.sure, None, calibrated.name)
    assert answers[3].top == ()
    assert "not an image" in answers[3].error
    one = client.predict(files[0])
    assert one.top[0].label == next(iter(COLOURS))
    assert Image.open(io.BytesIO(client.overlay(files[0], label="red"))).format == "PNG"
    assert {model["name"] for model in client.models()} == {model.name for model in service.models.all}


def test_what_goes_wrong_is_ours(ask: Callable[..., Client], service: Running, tmp_path: Path) -> None:
    client = ask(service.address)
    with pytest.raises(DataError, match="cannot be read"):
        client.predict(b"no image")
    with pytest.raises(DataError, match="No such file"):
        client.predict(tmp_path / "missing.png")
    with pytest.raises(ServiceError, match="no such model") as refused:
        client.predict(picture("red"), model="nobody")
    assert (refused.value.status, refused.value.code, bool(refused.value.id)) == (404, "unknown_model", True)
    with pytest.raises(ServiceError, match="API key"):
        client.reload("colours")
    with pytest.raises(UsageError):
        client.predict([])
    with pytest.raises(UsageError):
        Client("127.0.0.1:8000")
    nobody = ask("http://127.0.0.1:9")
    assert not nobody.ready()
    with pytest.raises(MachineError, match="no service"):
        nobody.models()


def test_a_connection_that_was_closed_is_opened_again(ask: Callable[..., Client], weights: Path) -> None:
    with running(weights, limits=QUICK) as service:
        client = ask(service.address)
        assert client.models()
        for connection in list(service.server.server_state.connections):
            connection.loop.call_soon_threadsafe(connection.transport.abort)
        until(lambda: all(connection.transport.is_closing() for connection in service.server.server_state.connections))
        assert client.models()


def test_a_busy_service_is_asked_again(ask: Callable[..., Client], weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = Blocked(weights)
    pauses = []
    with running(weights, limits=replace(QUICK, answer_seconds=0.2), loading=blocked.load) as service:
        blocked.go.clear()

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            blocked.go.set()

        monkeypatch.setattr("inceptions.deploy.client.time.sleep", sleep)
        assert ask(service.address).predict(picture("red")).top[0].label == "red"
        assert pauses == [1.0]
        blocked.go.clear()
        with pytest.raises(ServiceError, match="too_late"):
            ask(service.address, patience=0).predict(picture("red"))
        blocked.go.set()
