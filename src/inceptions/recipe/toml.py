"""Recipes as TOML and back."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import tomli_w

from inceptions.errors import UsageError, unknown
from inceptions.recipe.declaration import Recipe
from inceptions.recipe.fields import field_types, fit, inner_dataclass


def to_table(value: Any) -> dict[str, Any]:
    """A dataclass tree as plain nested values; None is left out, since TOML has no word for it."""
    table: dict[str, Any] = {}
    for entry in fields(value):
        item = getattr(value, entry.name)
        if is_dataclass(item):
            table[entry.name] = to_table(item)
        elif item is not None:
            table[entry.name] = list(item) if isinstance(item, tuple) else item
    return table


def from_table(table: Mapping[str, Any]) -> Recipe:
    """The inverse of `to_table` for a recipe.

    Raises:
        UsageError: an unknown or missing field, or a value that does not fit; names the field.
    """
    recipe = _build(Recipe, table, "")
    assert isinstance(recipe, Recipe)
    return recipe


def to_toml(recipe: Recipe) -> str:
    """The whole recipe as a TOML document."""
    return tomli_w.dumps(to_table(recipe))


def from_toml(text: str) -> Recipe:
    """The inverse of `to_toml`.

    Raises:
        UsageError: the text is not TOML, or `from_table` refuses it.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The recipe is not valid TOML: {error}.") from error
    return from_table(table)


def _build(cls: type, table: Mapping[str, Any], prefix: str) -> Any:
    hints = field_types(cls)
    if extra := [name for name in table if name not in hints]:
        raise unknown("recipe field", prefix + extra[0], [prefix + name for name in hints])
    values: dict[str, Any] = {}
    for entry in fields(cls):
        hint = hints[entry.name]
        if entry.name in table:
            given = table[entry.name]
            if (inner := inner_dataclass(hint)) is not None:
                if not isinstance(given, Mapping):
                    raise UsageError(f"{prefix}{entry.name} must be a table of fields, not {given!r}.")
                values[entry.name] = _build(inner, given, f"{prefix}{entry.name}.")
            else:
                values[entry.name] = fit(given, hint, prefix + entry.name)
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise UsageError(f"The recipe lacks the field {prefix}{entry.name}.")
    return cls(**values)
