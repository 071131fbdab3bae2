"""The command in a process of its own: how it starts, and how it ends."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from serving import picture, until

from inceptions.deploy.export import export
from inceptions.deploy.serve.models import fingerprint, named
from inceptions.deploy.serve.running import bound, loader, read_key, serve
from inceptions.errors import MachineError, UsageError


def refuse(_document: object) -> None:
    raise AssertionError("it must not start")


def test_names_of_models(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "photos 1"
    run.mkdir(parents=True)
    (run / "weights.safetensors").write_bytes(b"")
    assert named([str(run), f"b={run}", "hf:owner/name", "inception_v3.torchvision_in1k"]) == [
        ("photos-1", str(run)),
        ("b", str(run)),
        ("owner-name", "hf:owner/name"),
        ("inception_v3.torchvision_in1k", "inception_v3.torchvision_in1k"),
    ]
    assert named([str(run / "weights.safetensors")])[0][0] == "photos-1"
    with pytest.raises(UsageError, match="Two models are called"):
        named([str(run), str(run)])
    with pytest.raises(UsageError, match="cannot be a model's name"):
        named([f"a b={run}"])
    with pytest.raises(UsageError, match="names no weights"):
        named(["a="])
    with pytest.raises(UsageError, match="Name weights"):
        named([])


def test_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text("0123456789abcdef\n")
    assert read_key(file) == "0123456789abcdef"
    monkeypatch.delenv("INCEPTIONS_API_KEY", raising=False)
    assert read_key(None) is None
    monkeypatch.setenv("INCEPTIONS_API_KEY", "short")
    with pytest.raises(UsageError, match="at least 16"):
        read_key(None)
    with pytest.raises(UsageError, match="cannot be read"):
        read_key(tmp_path / "missing")


def test_addresses() -> None:
    with bound("127.0.0.1", 0) as first:
        first.listen()
        with pytest.raises(MachineError, match="not to be had"):
            bound("127.0.0.1", first.getsockname()[1])
    with pytest.raises(UsageError, match="--port"):
        bound("127.0.0.1", 70000)
    with pytest.raises(UsageError, match="no address"):
        bound("no.such.host.invalid", 0)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inceptions.deploy.serve.running.find_spec", lambda name: None if name == "fastapi" else object())
    with pytest.raises(MachineError, match=r"fastapi.*pip install 'inceptions\[serve\]'"):
        serve(["weights"], ready=refuse)


def test_other_machines_are_warned_of(
    weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("inceptions.deploy.serve.connections.Service.run", lambda *_args, **_options: None)
    loggers = [logging.getLogger(name) for name in ("inceptions.serve", "uvicorn")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    try:
        serve([str(weights)], host="0.0.0.0", port=0, device="cpu", ready=refuse)
        assert "reached by other machines; it is protected by nothing" in capsys.readouterr().err
        serve([str(weights)], host="127.0.0.1", port=0, device="cpu", ready=refuse)
        assert "other machines" not in capsys.readouterr().err
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.level, logger.propagate = handlers, level, propagate


def test_the_version_of_an_openvino_file_is_that_of_its_weights(weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    export(weights, tmp_path / "net.xml", to="openvino")
    opened = loader(device="auto", engine=None, precision="auto", batch=1)(str(tmp_path / "net.xml"))
    assert opened.whole is None
    before = fingerprint(opened, str(tmp_path / "net.xml"))
    content = (tmp_path / "net.bin").read_bytes()
    # Under another name: what was opened may still read its own.
    (tmp_path / "other.xml").write_bytes((tmp_path / "net.xml").read_bytes())
    (tmp_path / "other.bin").write_bytes(content)
    assert fingerprint(opened, str(tmp_path / "other.xml")) == before
    (tmp_path / "other.bin").write_bytes(content[:-4] + b"1234")
    assert fingerprint(opened, str(tmp_path / "other.xml")) != before


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_from_its_start_to_its_end(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes((weights / "weights.safetensors").read_bytes())
    words = [sys.executable, "-m", "inceptions", "serve", str(folder), "--port", "0", "--json", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    assert process.stdout is not None
    text = ""
    while not text.endswith("\n}\n"):
        line = process.stdout.readline()
        assert line, (tmp_path / "log").read_text()
        text += line
    document = json.loads(text)
    port = int(document["address"].rpartition(":")[2])
    with httpx.Client(base_url=document["address"], timeout=60) as http, ThreadPoolExecutor(4) as pool:
        first = http.get("/v1/models").json()["models"][0]["version"]
        assert document["models"] == [{"name": "model", "version": first}]

        # SIGHUP loads the weights again.
        process.send_signal(signal.SIGHUP)
        until(lambda: (tmp_path / "log").read_text().count("model model is version") == 1)
        assert http.post("/v1/predict", content=picture("red")).status_code == 200

        # A request whose body is still coming when SIGTERM does is answered.
        body = picture("blue")
        with socket.create_connection(("127.0.0.1", port), timeout=60) as slow:
            slow.sendall(
                f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:50]
            )
            until(lambda: "inceptions_requests_in_flight 1.0" in http.get("/metrics").text)
            late = [pool.submit(http.post, "/v1/predict", content=picture("green")) for _ in range(3)]
            assert [one.result().status_code for one in late] == [200] * 3
            process.send_signal(signal.SIGTERM)

            def refused() -> bool:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                except ConnectionRefusedError:
                    return True
                return False

            until(refused)
            slow.sendall(body[50:])
            answer = slow.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200"), answer
    assert process.wait(60) == 0
    process.stdout.close()
    assert "Traceback" not in (tmp_path / "log").read_text()
