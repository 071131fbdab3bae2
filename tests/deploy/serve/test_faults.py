"""What strangers send: slow, cut off, endless, forged."""

from __future__ import annotations

import io
import socket
import struct
import threading
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from serving import COLOURS, POST, QUICK, Running, answer_of, picture, running, until


def png(width: int, height: int, content: bytes = b"") -> bytes:
    """A PNG that says it is so large, whatever is in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def in_flight(service: Running) -> float:
    return service.metric("inceptions_requests_in_flight") + service.metric("inceptions_body_bytes")


# Slow, cut off, endless


def test_client_leaves_in_the_middle_of_its_upload(service: Running) -> None:
    with service.raw() as connection:
        connection.sendall(POST + b"Content-Length: 100000\r\n\r\n" + b"x" * 5000)
    until(lambda: in_flight(service) == 0)
    assert service.metric('inceptions_requests_total{method="POST",route="/v1/predict",status="499"}') >= 1


@pytest.mark.parametrize("start", [b"", b"POST /v1/pre", POST, POST + b"X-Slow: " + b"a" * 3000])
def test_a_header_that_does_not_come(service: Running, start: bytes) -> None:
    with service.raw() as connection:
        connection.sendall(start)
        status, content = answer_of(connection)
    assert status == 408
    assert b"header did not come in time" in content


def test_a_header_that_does_not_come_on_a_used_connection(service: Running) -> None:
    with service.raw() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /hea")
        _, content = answer_of(connection)
    assert content.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in content


def test_a_body_that_pauses(service: Running) -> None:
    with service.raw() as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\nabc")
        status, content = answer_of(connection)
    assert status == 408
    assert b"too_slow" in content
    until(lambda: in_flight(service) == 0)


def test_a_body_of_drops(service: Running) -> None:
    """Each comes in time, but all of them would take for ever."""
    done = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not done.wait(0.1):
            try:
                connection.sendall(b"x")
            except OSError:
                return

    with service.raw() as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        dripping = threading.Thread(target=drip, args=(connection,))
        dripping.start()
        status, _ = answer_of(connection)
        done.set()
        dripping.join()
    assert status == 408


def test_less_than_announced(service: Running) -> None:
    with service.raw() as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\n" + picture("red")[:50])
        connection.shutdown(socket.SHUT_WR)
        answer_of(connection)
    until(lambda: in_flight(service) == 0)


def test_more_than_announced(service: Running) -> None:
    content = picture("red")
    head = POST + f"Content-Length: {len(content)}\r\n\r\n".encode()
    with service.raw() as connection:
        connection.sendall(head + content + b"\x00 and more of no request\r\n\r\n")
        status, answer = answer_of(connection)
    assert status == 200
    assert b"HTTP/1.1 400" in answer, "what follows is no request"


@pytest.mark.parametrize("length", [b"-1", b"abc", b"1e9", b"10, 20", b"99999999999999999999999999"])
def test_a_length_that_is_none(service: Running, length: bytes) -> None:
    with service.raw() as connection:
        connection.sendall(POST + b"Content-Length: " + length + b"\r\n\r\n")
        status, _ = answer_of(connection)
    assert status in (400, 413)


def test_two_gigabytes_announced(service: Running) -> None:
    with service.raw() as connection:
        connection.sendall(POST + b"Content-Length: 2147483648\r\n\r\n")
        status, content = answer_of(connection)
    assert status == 413
    assert b"connection: close" in content


def test_two_gigabytes_in_chunks(weights: Path) -> None:
    limits = replace(QUICK, body=300_000)
    with running(weights, limits=limits) as service, service.raw() as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        sent = 0
        try:
            while sent < 2**31:
                connection.sendall(chunk)
                sent += 65536
        except OSError:
            pass
        assert sent < 2**24, "it is not read to its end"
        until(lambda: in_flight(service) == 0)
        assert service.metric('inceptions_requests_total{method="POST",route="/v1/predict",status="413"}') == 1


def test_a_little_too_much_is_told_to_the_client(weights: Path) -> None:
    limits = replace(QUICK, body=1000)
    with running(weights, limits=limits) as service:
        refused = service.http.post("/v1/predict", content=b"x" * 500_000)
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_large")


def test_too_many_images_and_too_many_fields(service: Running) -> None:
    many = [("image", ("a.png", b"x", "image/png"))] * (QUICK.images + 1)
    refused = service.http.post("/v1/predict", files=many)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_many_images")
    fields = service.http.post("/v1/predict", files=[(f"field{i}", (None, b"x")) for i in range(50)])
    assert fields.status_code == 400


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"abc", 400),
        ("multipart/form-data; boundary=b", b"abc", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", 400),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="url"\r\n\r\nhttp://x\r\n--b--\r\n',
            400,
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\nx\r\n--b--',
            400,
        ),
        ("multipart/form-data; boundary=" + "b" * 300, b"x", 400),
        ("multipart/form-data; boundary=\u00e9", b"x", 400),
        ("application/json", b'{"url": "http://169.254.169.254/"}', 415),
        ("text/html", b"<p>", 415),
        ("image/png", b"", 400),
    ],
)
def test_forms_that_are_none(service: Running, kind: str, body: bytes, status: int) -> None:
    refused = service.http.post("/v1/predict", content=body, headers={"content-type": kind.encode("latin-1")})
    assert refused.status_code == status, refused.text
    assert refused.json()["error"]["message"]


# Images that are none, or more than they seem


def bad_images() -> dict[str, bytes]:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a.txt", "a")
    whole = picture("red", size=(300, 300), form="JPEG")
    return {
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "xml": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>',
        "html": b"<!doctype html><script>alert(1)</script>",
        "zip": zipped.getvalue(),
        "text": b"no image",
        "nothing but zeros": bytes(1000),
        "script in a GIF's head": b"GIF89a/*" + b"x" * 40 + b"*/=alert(1)//",
        "cut off": whole[: len(whole) // 2],
        "bomb": png(60_000, 60_000, zlib.compress(bytes(10_000))),
        "wide bomb": png(2**31 - 1, 1, zlib.compress(b"")),
        "over the limit": png(10_000, 5_001, zlib.compress(bytes(1000))),
    }


@pytest.mark.parametrize("kind", list(bad_images()))
def test_bad_images(service: Running, kind: str) -> None:
    for path in ("/v1/predict", "/v1/explain"):
        refused = service.http.post(path, content=bad_images()[kind], headers={"content-type": "image/png"})
        assert refused.status_code in (415, 422), refused.text
        assert refused.headers["content-type"] == "application/json"
        assert "alert" not in refused.text, "nothing of it comes back"


def test_an_image_with_an_archive_behind_it_is_an_image(service: Running) -> None:
    both = picture("red", form="JPEG") + bad_images()["zip"] + b"<script>alert(1)</script>"
    answer = service.http.post("/v1/predict", content=both)
    assert answer.json()["results"][0]["top"][0]["class"] == "red"
    assert b"alert" not in service.http.post("/v1/explain", params={"form": "jpeg"}, content=both).content


def test_one_bad_image_among_strangers(service: Running) -> None:
    """Thirty-two requests at a time, one of them with a damaged image: the others get their own answers."""
    names = [list(COLOURS)[i % 3] for i in range(32)]
    bodies = [bad_images()["cut off"] if i == 17 else picture(name, i) for i, name in enumerate(names)]
    with httpx.Client(base_url=service.address, timeout=30) as http, ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda body: http.post("/v1/predict", content=body), bodies))
    for i, (name, answer) in enumerate(zip(names, answers, strict=True)):
        if i == 17:
            assert answer.status_code == 422
        else:
            assert answer.json()["results"][0]["top"][0]["class"] == name


def test_one_bad_image_in_a_form(service: Running) -> None:
    files = [("image", (f"{i}.png", bad_images()["svg"] if i == 5 else picture("blue", i), "image/png")) for i in range(32)]
    answer = service.http.post("/v1/predict", files=files)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [row["error"]["code"] if row["error"] else row["top"][0]["class"] for row in results] == [
        "not_an_image" if i == 5 else "blue" for i in range(32)
    ]


# Names


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\r\nSet-Cookie: x=1", "\u202egnp.exe", "x" * 5000, "a\x00b"]
)
def test_a_files_name_is_only_a_word(service: Running, caplog: pytest.LogCaptureFixture, name: str, tmp_path: Path) -> None:
    quoted = name.replace("\r\n", "%0D%0A") if "\r" in name else name
    body = (
        f'--b\r\nContent-Disposition: form-data; name="image"; filename="{quoted}"\r\n\r\n'.encode()
        + picture("red")
        + b"\r\n--b--\r\n"
    )
    answer = service.http.post("/v1/predict", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        said = answer.json()["results"][0]["name"]
        assert len(said) <= 255
        assert not any(ord(character) < 32 or character == "\u202e" for character in said)
    assert "set-cookie" not in answer.headers
    assert name[:8] not in caplog.text


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "http://127.0.0.1/", "", "x\ny", "\u202e"])
def test_a_models_name_is_only_looked_up(service: Running, caplog: pytest.LogCaptureFixture, name: str) -> None:
    for path in ("/v1/predict", "/v1/explain"):
        refused = service.http.post(path, params={"model": name}, content=picture("red"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_model")
    assert all("\n" not in record.getMessage() for record in caplog.records)
    assert "passwd" not in caplog.text


def test_addresses_do_not_reach_the_log(service: Running, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/%0Aforged", "/page/%2e%2e/%2e%2e/etc/passwd", "/page/../app.py", "/v1/models/%0Aforged/reload"):
        service.http.request("POST", path)
        assert service.http.get(path).status_code in (403, 404, 405)
    with service.raw() as connection:
        connection.sendall(b"EVIL\x1b[31m /x HTTP/1.1\r\n\r\n")
        assert answer_of(connection)[0] == 400
    assert "forged" not in caplog.text
    assert "passwd" not in caplog.text
    assert "\x1b" not in caplog.text
