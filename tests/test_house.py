"""The walls: rooms import one way, and what only counts or explains itself does not wait for torch."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "torchvision", "numpy", "PIL", "sklearn", "matplotlib")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_imports_run_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        None,
        ["--help"],
        ["train", "--help"],
        ["predict", "--help"],
        ["models"],
        ["cost", "googlenet"],
        ["cost", "googlenet", "--json"],
        ["cost", "--compare", "googlenet,inception_v3", "--csv"],
        ["cost", "--explain-bottleneck"],
    ],
    ids=lambda arguments: "import" if arguments is None else " ".join(arguments),
)
def test_answers_without_torch(arguments: list[str] | None) -> None:
    call = (
        "import inceptions" if arguments is None else f"from inceptions.cli import execute; assert execute({arguments!r}) == 0"
    )
    loaded = run(f"{call}\nimport sys\nprint('\\nloaded', [name for name in {HEAVY!r} if name in sys.modules])")
    assert loaded.endswith("loaded []\n")


def test_public_names_are_there() -> None:
    import inceptions

    for name in inceptions.__all__:
        assert getattr(inceptions, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = inceptions.nonsense


def test_constraints_are_names_and_versions_only() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    names = set()
    for line in lines:
        name, equals, number = line.partition("==")
        assert equals, line
        assert not set(line) & set("@/+; "), line
        assert number[0].isdigit(), line
        names.add(name.lower().replace("_", "-"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    optional = (one for extra in extras.values() for one in extra if not one.startswith("inceptions["))
    wanted = [*project["dependencies"], *optional]
    assert {name.split(">")[0].split("[")[0].lower().replace("_", "-") for name in wanted} <= names
    assert not {name for name in names if name.startswith(("nvidia", "cuda", "triton"))}
