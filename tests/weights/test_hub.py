"""Weights on the Hub: a false one on loopback to pull from, and a recorder to push to."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
import yaml
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

import inceptions
from inceptions.errors import MachineError, UsageError, WeightsError
from inceptions.network import create_model
from inceptions.weights import Card, Preprocess, hub, save_weights
from inceptions.weights.hub import Repository, model_card, pull, push_to_hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    model = create_model("plain_cnn", num_classes=3, width=0.125, seed=0)
    save_weights(tmp_path / "run/weights.safetensors", model, card(("ant", "bee", "cat")))
    return tmp_path / "run/weights.safetensors"


def card(classes: tuple[str, ...], licence: str | None = "Apache-2.0") -> Card:
    model = create_model("plain_cnn", num_classes=len(classes), width=0.125, device="meta")
    return Card(
        architecture="plain_cnn",
        variant="tutorial",
        options=model.architecture.options,
        classes=classes,
        preprocess=Preprocess(size=(64, 64), resize="exact"),
        provenance={"data": "insects", "validation_accuracy": 0.75},
        licence=licence,
    )


class FalseHub:
    """As much of the Hub as its client needs to fetch a file."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.spoiled = False
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer(send=False)

            def do_GET(self) -> None:
                self.answer(send=True)

            def answer(self, *, send: bool) -> None:
                outer.asked.append(f"{self.command} {self.path}")
                repository, _, rest = self.path.removeprefix("/").partition("/resolve/")
                revision, _, name = rest.partition("/")
                code = None
                if repository != "ant/bee":
                    code = "GatedRepo" if repository == "ant/closed" else "RepoNotFound"
                elif revision not in ("main", "v1", COMMIT):
                    code = "RevisionNotFound"
                elif name not in outer.files:
                    code = "EntryNotFound"
                if code is not None:
                    self.send_response(403 if code == "GatedRepo" else 404)
                    self.send_header("X-Error-Code", code)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                content = outer.files[name]
                self.send_response(200)
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if send:
                    self.wfile.write(content[:-1] + b"!" if outer.spoiled else content)

            def log_message(self, format: str, *args: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def false_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FalseHub]:
    server = FalseHub()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.http.server_port}")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield server
    huggingface_hub.close_session()
    server.stop()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("hf:ant/bee", Repository("ant/bee")),
        ("hf:ant/bee@v1", Repository("ant/bee", None, "v1")),
        ("hf:a.b/c_d-e/folder/x.safetensors@refs/pr/1", Repository("a.b/c_d-e", "folder/x.safetensors", "refs/pr/1")),
    ],
)
def test_an_address_is_read(address: str, expected: Repository) -> None:
    assert Repository.parse(address) == expected


@pytest.mark.parametrize("address", ["hf:", "hf:ant", "ant/bee", "hf:ant/bee@", "hf:/ant/bee"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(UsageError, match="is no address on the Hub: write hf:owner/name"):
        Repository.parse(address)


def test_weights_come_from_the_hub(false_hub: FalseHub, file: Path) -> None:
    false_hub.files["weights.safetensors"] = file.read_bytes()
    assert inceptions.load("hf:ant/bee").classes == ("ant", "bee", "cat")
    model, found = inceptions.load_model(Path("hf:ant/bee@v1"))
    assert found.licence == "Apache-2.0"
    again = inceptions.create_model("plain_cnn", num_classes=3, width=0.125, weights="hf:ant/bee")
    assert all((again.state_dict()[name] == tensor).all() for name, tensor in model.state_dict().items())
    assert sum(asked.startswith("GET") for asked in false_hub.asked) == 1


def test_the_next_name_is_tried(false_hub: FalseHub, file: Path) -> None:
    false_hub.files["model.safetensors"] = file.read_bytes()
    assert pull("hf:ant/bee", quiet=True).read_bytes() == file.read_bytes()
    assert pull("hf:ant/bee/model.safetensors").name == "model.safetensors"


@pytest.mark.parametrize(
    ("address", "error", "says"),
    [
        ("hf:ant/wasp", WeightsError, "no repository hf:ant/wasp on the Hub, or it is private. If it is yours: Log in"),
        ("hf:ant/closed", MachineError, "only for those whom its owner lets in"),
        ("hf:ant/bee@v9", WeightsError, "no such revision"),
        ("hf:ant/bee", WeightsError, "holds no weights.safetensors and no model.safetensors"),
        ("hf:ant/bee/x.pth", WeightsError, "holds no x.pth"),
        ("hf:ant/-bee-", UsageError, "is no address on the Hub"),
    ],
)
def test_what_is_not_there_is_said(false_hub: FalseHub, address: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        pull(address)


def test_a_damaged_file_is_not_kept(false_hub: FalseHub, file: Path) -> None:
    false_hub.files["weights.safetensors"] = file.read_bytes()
    false_hub.spoiled = True
    with pytest.raises(WeightsError, match="came damaged: its sha256 is"):
        pull("hf:ant/bee")
    false_hub.spoiled = False
    assert pull("hf:ant/bee").read_bytes() == file.read_bytes()


def test_offline_the_cache_answers_or_the_way_is_shown(
    false_hub: FalseHub, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    false_hub.files["weights.safetensors"] = file.read_bytes()
    here = pull("hf:ant/bee")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert pull("hf:ant/bee") == here
    with pytest.raises(MachineError) as raised:
        pull("hf:ant/moth")
    assert str(tmp_path / "hub") in str(raised.value)
    assert f"Fetch {hub.server()}/ant/moth/resolve/main/weights.safetensors elsewhere" in str(raised.value)


class Recorder:
    """Stands for `HfApi`."""

    def __init__(self, calls: list, refusal: Exception | None) -> None:
        self.calls, self.refusal = calls, refusal

    def __call__(self, endpoint: str, token: str | None) -> Recorder:
        self.calls.append(("token", token))
        return self

    def create_repo(self, name: str, **options: object) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.calls.append(("create_repo", name, options))

    def create_commit(self, name: str, operations: list, **options: object) -> object:
        self.calls.append(("create_commit", name, {one.path_in_repo: one.path_or_fileobj for one in operations}, options))
        return type("Commit", (), {"commit_url": f"https://huggingface.co/{name}/commit/1"})


def test_push(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list = []
    monkeypatch.setattr(hub, "HfApi", Recorder(calls, None))
    where = inceptions.push_to_hub(file.parent, "hf:ant/bee@branch", private=True, token="secret")
    assert where == "https://huggingface.co/ant/bee/commit/1"
    assert calls[0] == ("token", "secret")
    assert calls[1] == ("create_repo", "ant/bee", {"private": True, "exist_ok": True})
    _, name, files, options = calls[2]
    assert (name, options["revision"]) == ("ant/bee", "branch")
    assert Path(files["weights.safetensors"]).read_bytes() == file.read_bytes()
    assert files["README.md"].decode().startswith("---\n")


def refusal(code: int, text: str = "no") -> HfHubHTTPError:
    import httpx2

    request = httpx2.Request("POST", "https://huggingface.co/api")
    return HfHubHTTPError(text, response=httpx2.Response(code, request=request))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (LocalTokenNotFoundError("no token"), "wants to know who you are. Log in with `hf auth login`"),
        (refusal(401), r"does not let you do that with hf:ant/bee \(401\). Log in"),
        (refusal(403), r"\(403\)"),
        (refusal(500, "it burns\nhere"), "could not be asked for hf:ant/bee: it burns$"),
        (OSError("no route"), "could not be asked for hf:ant/bee: no route"),
    ],
)
def test_what_the_hub_refuses_is_said(file: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, says: str) -> None:
    monkeypatch.setattr(hub, "HfApi", Recorder([], error))
    with pytest.raises(MachineError, match=says):
        push_to_hub(file, "hf:ant/bee")


def test_only_what_loads_is_pushed(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list = []
    monkeypatch.setattr(hub, "HfApi", Recorder(calls, None))
    other = create_model("plain_cnn", num_classes=3, width=0.25, seed=0)
    save_weights(tmp_path / "wrong.safetensors", other, card(("ant", "bee", "cat")))
    with pytest.raises(WeightsError, match="does not fit"):
        push_to_hub(tmp_path / "wrong.safetensors", "hf:ant/bee")
    with pytest.raises(UsageError, match="push to a repository: hf:ant/bee"):
        push_to_hub(file, "hf:ant/bee/weights.safetensors")
    assert calls == []


def front_matter(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_card_says_what_the_hub_reads_and_people_need() -> None:
    text = model_card(card(("ant", "bee", "cat")), "ant/bee")
    head = front_matter(text)
    assert head["license"] == "apache-2.0"
    assert head["library_name"] == "inceptions"
    assert head["pipeline_tag"] == "image-classification"
    assert {"inception", "plain_cnn"} <= set(head["tags"])
    (result,) = head["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "accuracy", "value": 0.75}]
    assert 'inceptions.load("hf:ant/bee")' in text
    assert "Licence: Apache-2.0" in text


@pytest.mark.parametrize(("licence", "expected"), [(None, (None, None)), ("Unrestricted", ("other", "unrestricted"))])
def test_licences_that_the_hub_does_not_know(licence: str | None, expected: tuple) -> None:
    text = model_card(card(("ant", "bee"), licence), "ant/bee")
    head = front_matter(text)
    assert (head.get("license"), head.get("license_name")) == expected
    assert ("Licence: not stated" in text) == (licence is None)


def test_names_of_classes_are_no_markup() -> None:
    nasty = ("---", "```\n# ant", "bee\n---\nlicense: mit")
    text = model_card(card(nasty), "ant/bee")
    assert front_matter(text)["license"] == "apache-2.0"
    blocks = text.split("```json\n")[1:]
    assert json.loads(blocks[1].split("\n```")[0])[0] == "---"
    assert "\n# ant" not in text


def test_many_classes_are_counted() -> None:
    assert "and 80 more." in model_card(card(tuple(map(str, range(100)))), "ant/bee")
