"""Whatever a server does, the cache holds the whole right file or none."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from inceptions.errors import InceptionsError, MachineError, WeightsError
from inceptions.weights import Preprocess
from inceptions.weights.checksum import Checksum
from inceptions.weights.published import Patience, Published, fetch, place

from .conftest import Server, cut, status, whole

CONTENT = b"PK\x03\x04" + bytes(range(256)) * 1200
OTHER = CONTENT[:-1] + b"!"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
CHECKSUM = Checksum("sha256", DIGEST)
PAGE = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
HASTY = Patience(silence=20.0, attempts=3, pause=0.0)


def checkpoint(
    address: str,
    *,
    file: str = "model.pth",
    size: int | None = len(CONTENT),
    checksum: Checksum | None = CHECKSUM,
    member: str | None = None,
) -> Published:
    return Published(
        tag="test",
        network="googlenet/bn",
        outputs=1000,
        classes="ImageNet",
        preprocess=Preprocess.standard(224),
        address=address,
        file=file,
        size=size,
        checksum=checksum,
        member=member,
    )


def get(one: Published, patience: Patience = HASTY) -> Path:
    return fetch(one, patience=patience, quiet=True)


def nothing_kept(one: Published) -> bool:
    return not place(one).exists()


def test_a_good_server_is_asked_once(server: Server) -> None:
    server.answers = [whole(CONTENT)]
    one = checkpoint(server.address)
    assert get(one) == place(one) == get(one)
    assert place(one).read_bytes() == CONTENT
    assert server.ranges == [(None, None)]
    assert sorted(entry.name for entry in place(one).parent.iterdir()) == [".lock", "model.pth"]


@pytest.mark.parametrize("checksum", [CHECKSUM, None])
def test_a_cut_download_goes_on_where_it_broke_off(server: Server, checksum: Checksum | None) -> None:
    server.answers = [cut(CONTENT, 1000), cut(CONTENT, 5000), whole(CONTENT)]
    assert get(checkpoint(server.address, checksum=checksum)).read_bytes() == CONTENT
    assert server.ranges == [(None, None), ("bytes=1000-", '"1"'), ("bytes=6000-", '"1"')]


def test_another_call_goes_on_too(server: Server) -> None:
    server.answers = [cut(CONTENT, 1000), status(503)]
    one = checkpoint(server.address)
    with pytest.raises(MachineError, match="the server answers 503"):
        get(one)
    assert nothing_kept(one)
    server.answers = [whole(CONTENT)]
    assert get(one).read_bytes() == CONTENT
    assert server.ranges[-1] == ("bytes=1000-", '"1"')


def test_many_cuts_are_borne_as_long_as_something_comes(server: Server) -> None:
    server.answers = [cut(CONTENT, 30_000)]
    assert get(checkpoint(server.address)).read_bytes() == CONTENT
    assert len(server.ranges) == 11


def test_a_server_without_ranges_starts_over(server: Server) -> None:
    server.answers = [cut(CONTENT, 1000), whole(CONTENT, ranges=False)]
    assert get(checkpoint(server.address)).read_bytes() == CONTENT
    assert server.ranges[1] == ("bytes=1000-", '"1"')


def test_a_file_that_changed_meanwhile_is_taken_whole(server: Server) -> None:
    server.answers = [cut(OTHER, 1000, etag='"0"'), whole(CONTENT)]
    assert get(checkpoint(server.address)).read_bytes() == CONTENT


def test_halves_of_two_files_are_noticed_and_fetched_again(server: Server) -> None:
    server.answers = [cut(b"PK\x03\x04" + bytes(996), 1000, length=len(CONTENT), etag=None), whole(CONTENT, etag=None)]
    assert get(checkpoint(server.address)).read_bytes() == CONTENT
    assert server.ranges == [(None, None), ("bytes=1000-", None), (None, None)]


def test_without_a_way_to_know_the_version_nothing_is_joined(server: Server) -> None:
    server.answers = [cut(CONTENT, 1000, etag=None), whole(CONTENT, etag=None)]
    assert get(checkpoint(server.address, checksum=None)).read_bytes() == CONTENT
    assert server.ranges == [(None, None), (None, None)]


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (cut(CONTENT, 0), MachineError, "broke off after 0 of 307,204 bytes"),
        (cut(CONTENT, 1000, length=1000), WeightsError, "it has 1,000 bytes instead of 307,204"),
        (whole(CONTENT + b"more"), WeightsError, "sends more than the 307,204 bytes of the file"),
        (whole(OTHER), WeightsError, f"its sha256 is {hashlib.sha256(OTHER).hexdigest()} instead of {DIGEST}"),
        (whole(PAGE, kind="text/html; charset=utf-8"), WeightsError, "answers with a web page"),
        (whole(PAGE), WeightsError, "it is a web page"),
        (status(404), MachineError, "the server answers 404 Not Found"),
        (status(403), MachineError, "the server answers 403 Forbidden"),
        (status(503), MachineError, "the server answers 503"),
        (status(302, Location="file:///etc/passwd"), MachineError, "is not allowed"),
        (status(302, Location="ftp://127.0.0.1/model.pth"), MachineError, "unknown url type: ftp"),
        (lambda handler: handler.wfile.write(b"what?\r\n\r\n"), MachineError, "broke off"),
    ],
    ids=["empty", "short", "more", "wrong", "page", "disguised", "404", "403", "503", "file", "ftp", "no-http"],
)
def test_what_is_not_the_file_is_never_kept(server: Server, answer: Callable, error: type[InceptionsError], says: str) -> None:
    server.answers = [answer]
    one = checkpoint(server.address)
    with pytest.raises(error, match=says) as raised:
        get(one)
    assert nothing_kept(one)
    assert f"Fetch {one.address} elsewhere and put it into the folder {place(one).parent} as model.pth." in str(raised.value)
    # A server that has come to its senses is believed.
    server.answers = [whole(CONTENT)]
    assert get(one).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "says"),
    [(PAGE, "it is a web page"), (b"just words", r"does not begin as a \.pth file does"), (b"", r"does not begin")],
)
def test_without_size_and_checksum_it_must_still_look_right(server: Server, content: bytes, says: str) -> None:
    server.answers = [whole(content)]
    one = checkpoint(server.address, size=None, checksum=None)
    with pytest.raises(WeightsError, match=says):
        get(one)
    assert nothing_kept(one)


def test_more_promised_than_sent(server: Server) -> None:
    server.answers = [cut(CONTENT, len(CONTENT), length=len(CONTENT) + 9)]
    # Whoever knows the file knows better than the server.
    assert get(checkpoint(server.address)).read_bytes() == CONTENT
    unknown = checkpoint(server.address, file="unknown.pth", size=None, checksum=None)
    with pytest.raises(MachineError, match="broke off after 307,204 of 307,213 bytes"):
        get(unknown)
    assert nothing_kept(unknown)


def test_a_silent_server_is_left(server: Server) -> None:
    server.answers = [server.silent(CONTENT, 2000), whole(CONTENT)]
    nervous = Patience(silence=0.5, attempts=1, pause=0.0)
    assert get(checkpoint(server.address), nervous).read_bytes() == CONTENT
    assert server.ranges[1] == ("bytes=2000-", '"1"')
    server.answers = [server.silent(CONTENT, 0)]
    with pytest.raises(MachineError, match=r"silent for 0\.5 seconds"):
        get(checkpoint(server.address, file="another.pth"), nervous)


def test_passing_trouble_passes(server: Server) -> None:
    server.answers = [status(503), status(429), whole(CONTENT)]
    assert get(checkpoint(server.address)).read_bytes() == CONTENT


def test_a_redirect_is_followed(server: Server) -> None:
    server.answers = [status(302, Location="/elsewhere"), whole(CONTENT)]
    assert get(checkpoint(server.address)).read_bytes() == CONTENT
    assert server.paths == ["/model.pth", "/elsewhere"]


@pytest.mark.parametrize(
    "address",
    ["http://nowhere.invalid/model.pth", "http://127.0.0.1:9/model.pth", "ftp://127.0.0.1/model.pth", "file:///etc/passwd"],
)
def test_offline_it_says_which_file_to_put_where(address: str) -> None:
    one = checkpoint(address)
    with pytest.raises(MachineError) as raised:
        get(one)
    assert f"Fetch {address} elsewhere and put it into the folder {place(one).parent} as model.pth." in str(raised.value)
    assert place(one).parent.is_dir()
    place(one).write_bytes(CONTENT)
    assert get(one) == place(one)


def test_a_damaged_file_in_the_cache_is_noticed(server: Server) -> None:
    server.answers = [whole(CONTENT)]
    one = checkpoint(server.address)
    get(one).write_bytes(OTHER)
    with pytest.raises(WeightsError, match=r"is not the published file: its sha256 .* Delete it, and it is fetched again"):
        get(one)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha1", "md5"])
def test_every_kind_of_checksum(server: Server, algorithm: str) -> None:
    digest = hashlib.new(algorithm, CONTENT).hexdigest()
    assert Checksum(algorithm, digest).kind == algorithm
    assert Checksum(algorithm, digest[:8]).kind == f"{algorithm} prefix"
    for known in (digest, digest[:8]):
        server.answers = [whole(CONTENT)]
        get(checkpoint(server.address, file=f"{len(known)}.pth", checksum=Checksum(algorithm, known)))
        server.answers = [whole(OTHER)]
        with pytest.raises(WeightsError, match=f"its {algorithm}.* instead of {known}"):
            get(checkpoint(server.address, file=f"{len(known)}-other.pth", checksum=Checksum(algorithm, known)))


def archive(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("linked.ckpt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return packed.getvalue()


def test_an_archive_is_unpacked_once(server: Server) -> None:
    packed = archive(readme=b"words", weights=CONTENT)
    server.answers = [whole(packed)]
    one = checkpoint(server.address, file="a.tar.gz", size=len(packed), checksum=None, member="weights")
    assert get(one) == place(one).with_name("weights")
    assert get(one).read_bytes() == CONTENT
    for missing in ("linked.ckpt", "absent"):
        with pytest.raises(WeightsError, match=f"holds no file {missing}"):
            get(checkpoint(server.address, file="a.tar.gz", size=None, checksum=None, member=missing))


@pytest.mark.parametrize("damage", [lambda packed: packed[:-9], lambda packed: packed[:60] + b"?" + packed[61:]])
def test_a_damaged_archive_is_noticed_without_a_checksum(server: Server, damage: Callable[[bytes], bytes]) -> None:
    server.answers = [whole(damage(gzip.compress(os.urandom(5000), mtime=0)))]
    one = checkpoint(server.address, file="a.tgz", size=None, checksum=None, member="weights")
    with pytest.raises(WeightsError, match="it is cut off or damaged"):
        get(one)
    assert nothing_kept(one)


PROCESS = """
import sys
from inceptions.weights import Preprocess
from inceptions.weights.checksum import Checksum
from inceptions.weights.published import Published, fetch
one = Published(tag="test", network="googlenet/bn", outputs=1000, classes="ImageNet", preprocess=Preprocess.standard(224),
                address=sys.argv[1], file="model.pth", checksum=Checksum("sha256", sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
print(fetch(one))
"""


def test_two_processes_fetch_one_file(server: Server) -> None:
    started = threading.Event()

    def after_both_began(handler) -> None:
        started.wait(60)
        whole(CONTENT)(handler)

    server.answers = [after_both_began]
    command = [sys.executable, "-c", PROCESS, server.address, DIGEST]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    started.set()
    said = [process.communicate(timeout=60) for process in both]
    one = checkpoint(server.address)
    assert [out.strip() for out, _ in said] == [str(place(one))] * 2
    assert len(server.ranges) == 1
    assert sum("Fetching googlenet.test" in err for _, err in said) == 1
    assert place(one).read_bytes() == CONTENT
