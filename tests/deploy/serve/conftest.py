from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import QUICK, Running, running, write_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "colours")


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "careful", seed=1, calibrated=True)


@pytest.fixture(scope="module")
def service(weights: Path, calibrated: Path) -> Iterator[Running]:
    """Two models, and limits that can be reached within a test."""
    with running(weights, calibrated, limits=QUICK) as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_fails(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture):
    """Whatever a client does, it is no failure of the service's own."""
    caplog.set_level(logging.INFO, "inceptions.serve")
    yield
    if "may_fail" not in request.fixturenames:
        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.fixture
def may_fail() -> None:
    """For tests of what fails on our side."""
