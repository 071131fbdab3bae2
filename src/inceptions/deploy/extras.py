"""Packages that only some engines and exports need, imported when they do."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from inceptions.errors import MachineError

CALLED = {"onnx": "ONNX", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "nncf": "NNCF", "ray": "Ray"}


def needed(module: str, extra: str) -> ModuleType:
    """A module of an optional package.

    Args:
        module: "onnx.helper", …
        extra: what `pip install 'inceptions[…]'` brings it with.

    Raises:
        MachineError: it is not installed, or does not load on this machine.
    """
    package = module.partition(".")[0]
    called = CALLED.get(package, package)
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise MachineError(f"{called} does not load: it misses {error.name}. Install that package.") from error
        raise MachineError(f"This needs {called}: pip install 'inceptions[{extra}]'.") from error
    except ImportError as error:
        raise MachineError(f"{called} is installed but does not load ({error}). Install it again.") from error
