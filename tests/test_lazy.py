from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import inceptions

HEAVY = ("torch", "torchvision", "accelerate", "matplotlib", "sklearn", "torchmetrics", "huggingface_hub")
ROOMS = ("architecture", "data", "weights", "weights.published", "evaluate", "predict")


def imported(code: str) -> set[str]:
    """Which of the heavy libraries a fresh process has imported after some code."""
    check = f"import json, sys\n{code}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def exported(room: str) -> dict[str, str]:
    """The names of a room and the module of each, as the type checker reads them."""
    tree = ast.parse(Path(inceptions.__file__).parent.joinpath(*room.split("."), "__init__.py").read_text())
    return {
        alias.name: node.module.removeprefix(f"inceptions.{room}.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"inceptions.{room}.")
        for alias in node.names
    }


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_typed_is_what_is_there(room: str) -> None:
    module = import_module(f"inceptions.{room}")
    names = exported(room)
    assert set(names) <= set(dir(module))
    for name, home in names.items():
        assert getattr(module, name) is getattr(sys.modules[f"inceptions.{room}.{home}"], name)
    values = {name: getattr(module, name) for name in dir(module) if not name.startswith("__")}
    ours = {name for name, value in values.items() if str(getattr(value, "__module__", "")).startswith("inceptions")}
    assert {name for name in ours if not isinstance(values[name], ModuleType)} - {"on_first_use"} <= set(names)
    with pytest.raises(AttributeError, match=f"module 'inceptions.{room}' has no attribute 'nothing'"):
        _ = module.nothing


def test_a_name_stays_the_function_when_its_module_is_imported() -> None:
    code = (
        "import inceptions.data.decode, inceptions.data.order, inceptions.data as data\n"
        "assert callable(data.decode) and callable(data.order)\n"
        "from inceptions.data.decode import facts\n"
        "from inceptions.data import decode\n"
        "assert decode.__name__ == 'decode' and callable(decode)"
    )
    imported(code)


def test_nobody_waits_for_torch_who_does_not_use_it() -> None:
    code = (
        "import inceptions, inceptions.data, inceptions.weights, inceptions.predict, inceptions.evaluate, inceptions.deploy\n"
        "import inceptions.cli, inceptions.predict.predictor, inceptions.predict.output, inceptions.data.showing\n"
        "from inceptions.weights import Card, Preprocess\n"
        "from inceptions.data import decode, find_images, showing\n"
        "from inceptions.predict import Prediction, Predictor, expand, predict_files"
    )
    assert imported(code) == set()


def test_a_prediction_on_torch_waits_for_torch_alone() -> None:
    code = "import inceptions.predict.eager, inceptions.weights.source"
    assert imported(code) == {"torch"}
