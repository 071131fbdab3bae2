"""The whole Inception family: from the table in the paper to a trained, evaluated and served image classifier."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inceptions.architecture import declare as declare
    from inceptions.deploy.compile import compile as compile
    from inceptions.deploy.opening import load as load
    from inceptions.network import list_models as list_models
    from inceptions.weights import Preprocess as Preprocess
    from inceptions.weights import create_model as create_model
    from inceptions.weights import load_model as load_model
    from inceptions.weights import push_to_hub as push_to_hub
    from inceptions.weights import save_weights as save

# The rooms are opened when a name is first used: `import inceptions` and the commands that only count stay free of torch.
_ROOMS = {
    "compile": ("deploy.compile", "compile"),
    "declare": ("architecture", "declare"),
    "create_model": ("weights", "create_model"),
    "list_models": ("network", "list_models"),
    "load": ("deploy.opening", "load"),
    "load_model": ("weights", "load_model"),
    "push_to_hub": ("weights", "push_to_hub"),
    "save": ("weights", "save_weights"),
    "Preprocess": ("weights", "Preprocess"),
}
__all__ = ["Preprocess", "compile", "create_model", "declare", "list_models", "load", "load_model", "push_to_hub", "save"]


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module 'inceptions' has no attribute {name!r}")
    room, original = _ROOMS[name]
    return getattr(import_module(f"inceptions.{room}"), original)


def __dir__() -> list[str]:
    return sorted(__all__)
