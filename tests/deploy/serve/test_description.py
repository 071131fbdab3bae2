"""The OpenAPI description, tried out: whatever it allows is answered as it says, whatever it forbids is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from serving import QUICK, Running, running

KEY = "a-key-that-nobody-guesses"


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, KEY], ids=["open", "with a key"])
def test_schemathesis(weights: Path, key: str | None, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    with running(weights, limits=QUICK, key=key) as service:
        words = [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{service.address}/openapi.json"),
            *("--checks", "all", "--max-examples", "40", "--seed", "1", "--generation-database", "none", "--no-color"),
            *(("-H", f"X-API-Key: {key}") if key else ()),
        ]
        # It sees no difference between a body that is no image and one that is: both are "binary".
        (tmp_path / "schemathesis.toml").write_text(
            '[checks.positive_data_acceptance]\nexpected-statuses = ["2xx", 400, 401, 403, 404, 413, 415, 422, 503]\n'
        )
        done = subprocess.run(
            [*words[:1], "--config-file", str(tmp_path / "schemathesis.toml"), *words[1:]],
            capture_output=True,
            text=True,
            timeout=900,
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": ""},
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert answered(service) > 100


def answered(service: Running) -> float:
    return service.metric("inceptions_request_seconds_count", **({"x-api-key": KEY}))
