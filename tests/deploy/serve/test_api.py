from __future__ import annotations

import gc
import io
import threading
import weakref
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from PIL import Image
from serving import COLOURS, QUICK, Running, picture, running, until, write_weights

from inceptions.deploy.serve.models import settle
from inceptions.predict import load

KEY = "a-key-that-nobody-guesses"


def form(*pictures: bytes, name: str = "photo.png") -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("image", (name, content, "image/png")) for content in pictures]


def test_answers_are_those_of_a_direct_prediction(service: Running, weights: Path, calibrated: Path) -> None:
    pictures = [picture(name, seed) for name in COLOURS for seed in range(4)]
    for source in (weights, calibrated):
        expected = load(source, device="cpu").predict(pictures, top=3)
        answer = service.http.post("/v1/predict", params={"model": source.name, "top": 3}, files=form(*pictures)).json()
        assert (answer["model"], answer["head"]) == (source.name, "main")
        assert [row["index"] for row in answer["results"]] == list(range(len(pictures)))
        for row, direct in zip(answer["results"], expected, strict=True):
            assert [one["class"] for one in row["top"]] == [guess.label for guess in direct.top]
            given = [one["probability"] for one in row["top"]]
            assert given == pytest.approx([guess.probability for guess in direct.top], abs=1e-5)
            assert row["sure"] == direct.sure
            assert (row["width"], row["height"], row["error"]) == (64, 64, None)
        assert set(answer["timings"]) == {"receive", "decode", "queue", "network", "total"}
        assert answer["timings"]["total"] >= answer["timings"]["network"] > 0


def test_the_colours_are_told(service: Running) -> None:
    for name in COLOURS:
        answer = service.http.post("/v1/predict", content=picture(name, 9), headers={"content-type": "image/png"}).json()
        assert answer["results"][0]["top"][0]["class"] == name
        assert answer["results"][0]["name"] is None


def test_heads_and_top(service: Running) -> None:
    heads = next(one["heads"] for one in service.http.get("/v1/models").json()["models"])
    assert heads[-1] == "main"
    for head in (*heads, "mean", "best"):
        answer = service.http.post("/v1/predict", params={"head": head, "top": 1}, content=picture("red"))
        assert answer.status_code == 200
        assert len(answer.json()["results"][0]["top"]) == 1
    wrong = service.http.post("/v1/predict", params={"head": "aux_9"}, content=picture("red"))
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "unknown_name")


def test_models(service: Running, weights: Path, calibrated: Path) -> None:
    catalogue = service.http.get("/v1/models").json()
    assert catalogue["default"] == weights.name
    first, second = catalogue["models"]
    assert (first["classes"], first["ready"], first["threshold"]) == (list(COLOURS), True, None)
    assert (second["name"], second["threshold"], second["temperature"]) == (calibrated.name, 0.7, 2.0)
    assert first["version"] != second["version"]
    assert first["batching"] == {"images": 4, "wait": 5.0, "queue": 64}
    assert "inception_3a" in first["modules"]


def test_explain(service: Running) -> None:
    answer = service.http.post("/v1/explain", params={"class": "blue", "module": "inception_4b"}, content=picture("red"))
    found = answer.json()
    assert (found["class"], found["index"], found["module"]) == ("blue", 0, "inception_4b")
    assert [one["head"] for one in found["heads"]] == ["aux_4a", "aux_4d", "main"]
    assert len(found["branches"]) == 4
    assert all(len(branch["channels"]) == 4 for branch in found["branches"])
    assert found["photograph"]["data"].startswith("data:image/jpeg;base64,/9j/")
    assert [found["overlay"][side] for side in ("width", "height")] == [
        found["photograph"][side] for side in ("width", "height")
    ]
    for kind, name in (("png", "PNG"), ("jpeg", "JPEG")):
        drawn = service.http.post("/v1/explain", params={"form": kind}, files=form(picture("red")))
        assert drawn.headers["content-type"] == f"image/{kind}"
        assert Image.open(io.BytesIO(drawn.content)).format == name
    for parameters in ({"class": "violet"}, {"module": "inception_9"}, {"tap": "nowhere"}):
        refused = service.http.post("/v1/explain", params=parameters, content=picture("red"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unknown_name")
    many = service.http.post("/v1/explain", files=form(picture("red"), picture("blue")))
    assert (many.status_code, many.json()["error"]["code"]) == (413, "too_many_images")


def test_explaining_beside_predicting_changes_no_answer(service: Running) -> None:
    expected = service.http.post("/v1/predict", content=picture("green")).json()["results"][0]["top"]
    wrong: list[object] = []

    def ask(path: str) -> None:
        with httpx.Client(base_url=service.address, timeout=30) as http:
            for _ in range(6):
                answer = http.post(path, content=picture("green"))
                if answer.status_code != 200:
                    wrong.append(answer.text)
                elif path.endswith("predict") and answer.json()["results"][0]["top"][0] != pytest.approx(expected[0], abs=1e-5):
                    wrong.append(answer.json())

    threads = [threading.Thread(target=ask, args=(path,)) for path in ("/v1/explain", "/v1/predict", "/v1/predict")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_network(service: Running) -> None:
    network = service.http.get("/v1/architecture").json()
    assert (network["architecture"], network["input"]) == ("googlenet", [3, 64, 64])
    assert len(network["table"]["rows"][0]) == len(network["table"]["headings"])
    drawn = service.http.get("/v1/architecture/diagram")
    assert ElementTree.fromstring(drawn.text).tag.endswith("svg")
    policy = drawn.headers["content-security-policy"]
    assert "script-src 'sha256-" in policy
    assert "sandbox" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


def test_health_and_metrics(service: Running) -> None:
    assert service.http.get("/healthz").json() == {"status": "ok"}
    assert service.http.get("/readyz").status_code == 200
    before = service.metric("inceptions_images_total")
    service.http.post("/v1/predict", files=form(picture("red"), picture("blue")))
    assert service.metric("inceptions_images_total") == before + 2
    assert service.metric('inceptions_requests_total{method="POST",route="/v1/predict",status="200"}') > 0
    for path in ("/nowhere", "/v1/models/x/reload", "/v1/made/up"):
        service.http.get(path)
    text = service.http.get("/metrics").text
    assert "nowhere" not in text, "labels are not the client's to choose"
    assert "made" not in text


def test_every_answer_carries_the_headers(service: Running) -> None:
    for path in ("/", "/page/app.js", "/healthz", "/v1/models", "/nowhere", "/openapi.json"):
        headers = service.http.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-request-id"]
        assert "server" not in headers
    assert service.http.get("/nowhere").json()["error"]["code"] == "not_found"
    assert service.http.get("/docs").status_code == 404, "FastAPI's page loads scripts of others"
    wrong = service.http.get("/v1/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_the_page_is_whole_and_loads_nothing_from_elsewhere(service: Running) -> None:
    page = service.http.get("/").text
    scripts = [service.http.get(f"/page/{name}.js") for name in ("app", "cards", "looks", "network", "parts", "service")]
    assert all(script.headers["content-type"].startswith("text/javascript") for script in scripts)
    for text in (page, service.http.get("/page/style.css").text, *(script.text for script in scripts)):
        assert "https:" not in text
        assert "http:" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "<script>" not in page
    assert "style=" not in page
    assert " on" not in page.replace(" one", "").replace(" on it", "") or "onclick" not in page


def test_description_names_every_refusal(service: Running) -> None:
    document = service.http.get("/openapi.json").json()
    statuses = set(document["paths"]["/v1/predict"]["post"]["responses"])
    assert statuses == {"200", "400", "401", "403", "404", "408", "413", "415", "421", "422", "429", "500", "503"}
    assert "HTTPValidationError" not in str(document)
    assert document["components"]["schemas"]["Guess"]["required"] == ["class", "index", "probability"]


# Keys, names, other sites


def test_key(weights: Path) -> None:
    with running(weights, limits=QUICK, key=KEY) as service:
        for path in ("/v1/models", "/metrics", "/v1/architecture"):
            refused = service.http.get(path)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert service.http.post("/v1/predict", content=picture("red"), headers={"x-api-key": "wrong"}).status_code == 401
        assert service.http.get("/healthz").status_code == 200
        assert service.http.get("/").status_code == 200
        for headers in ({"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}):
            assert service.http.post("/v1/predict", content=picture("red"), headers=headers).status_code == 200
        both = {"authorization": "Basic x", "x-api-key": KEY}
        assert service.http.post("/v1/predict", content=picture("red"), headers=both).status_code == 401
        assert service.http.post("/v1/models/nobody/reload", headers={"x-api-key": KEY}).status_code == 404


def test_no_reload_without_a_key(service: Running) -> None:
    refused = service.http.post(f"/v1/models/{service.models.all[0].name}/reload")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "no_key")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
def test_a_name_that_was_pointed_here_gets_nothing(service: Running, host: str) -> None:
    assert service.http.get("/v1/models", headers={"host": host}).status_code == 421


def test_pages_of_other_sites_get_nothing(service: Running) -> None:
    refused = service.http.post("/v1/predict", content=picture("red"), headers={"sec-fetch-site": "cross-site"})
    assert refused.status_code == 403
    allowed = service.http.post("/v1/predict", content=picture("red"), headers={"sec-fetch-site": "same-origin"})
    assert allowed.status_code == 200
    assert "access-control-allow-origin" not in allowed.headers


# Reloading


def test_reload_is_one_swap(weights: Path, tmp_path: Path) -> None:
    folder = write_weights(tmp_path / "model")
    other = write_weights(tmp_path / "other", seed=5)
    expected = {}
    for source in (folder, other):
        expected[source] = load(source, device="cpu").predict(picture("red")).probability
    answers: list[tuple[str, float]] = []
    stop = threading.Event()
    with running(folder, limits=QUICK, key=KEY) as service:
        http = service.http
        http.headers["x-api-key"] = KEY

        def ask() -> None:
            with httpx.Client(base_url=service.address, headers={"x-api-key": KEY}, timeout=30) as mine:
                while not stop.is_set():
                    found = mine.post("/v1/predict", content=picture("red"))
                    assert found.status_code == 200, found.text
                    answers.append((found.json()["version"], found.json()["results"][0]["top"][0]["probability"]))

        before = service.models.all[0].served()
        asking = threading.Thread(target=ask)
        asking.start()
        (folder / "weights.safetensors").write_bytes((other / "weights.safetensors").read_bytes())
        answer = http.post("/v1/models/model/reload")
        assert answer.status_code == 200, answer.text
        after = service.models.all[0].served()
        assert answer.json() == {"model": "model", "version": after.version}
        assert before.worker.join(10), "what was replaced ends"
        http.post("/v1/predict", content=picture("red"))
        stop.set()
        asking.join()
        (folder / "weights.safetensors").write_bytes(b"no weights")
        refused = http.post("/v1/models/model/reload")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_loaded")
        assert service.models.all[0].served() is after, "what cannot be loaded replaces nothing"
    wanted = {before.version: expected[folder], after.version: expected[other]}
    assert answers
    assert all(probability == pytest.approx(wanted[version], abs=1e-5) for version, probability in answers)


def test_what_was_replaced_is_let_go(weights: Path) -> None:
    with running(weights, limits=QUICK, key=KEY) as service:
        model = service.models.all[0]
        replaced = weakref.ref(model.served().opened.predictor)
        settle()
        try:
            assert service.http.post(f"/v1/models/{model.name}/reload", headers={"x-api-key": KEY}).status_code == 200
            until(lambda: replaced() is None)
            until(lambda: all(thread.name != "inceptions-tidying" for thread in threading.enumerate()))
        finally:
            gc.unfreeze()
