"""Rooms whose doors open when a name is first asked for, so that nobody waits for what he does not use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType


def on_first_use(package: str, homes: Mapping[str, tuple[str, ...]]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__` for names that live in its modules.

    A name may be that of its own module (the function `decode` of the module `decode`): the package's name stays the function.

    Args:
        package: its full name.
        homes: each module, and the names it is the home of.
    """
    home = {name: module for module, names in homes.items() for name in names}

    class Room(ModuleType):
        # Whenever a module is imported, Python sets it in its package.
        def __setattr__(self, name: str, value: object) -> None:
            if not (name in home and isinstance(value, ModuleType)):
                super().__setattr__(name, value)

    sys.modules[package].__class__ = Room

    def get(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{home[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted({*vars(sys.modules[package]), *home})
