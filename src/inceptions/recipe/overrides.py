"""`--set optim.lr=0.045`: any field of a recipe, from the command line."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from inceptions.errors import UsageError, unknown
from inceptions.recipe.declaration import Recipe
from inceptions.recipe.fields import field_types, fit, inner_dataclass


def override(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """A recipe with some fields changed.

    Args:
        recipe: where to start from; it stays as it is.
        settings: "field=value" each, nested fields with a dot: "optim.lr=0.045", "augment.crop_scale=0.08,1", "ema=none". The
            last of several for one field counts. A switch of `changes` sets the fields it decides, unless they are set too.

    Returns:
        The changed recipe; all settings are applied at once, so they need only fit together.

    Raises:
        UsageError: no such field (with the closest name), no value, a value of another type or out of range.
    """
    known = dict(leaves(recipe))
    changes: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"{setting!r} sets nothing: write field=value, as in optim.lr=0.01.")
        if name not in known:
            raise unknown("recipe field", name, known)
        changes[name] = fit(parse(text, known[name]), known[name], name)
    switches = {name: value for name, value in changes.items() if name.startswith("changes.")}
    if recipe.changes is not None and switches:
        before, after = recipe.changes.decided(), _apply(recipe.changes, switches, "changes.").decided()
        changes = {name: value for name, value in after.items() if value != before[name]} | changes
    return changed(recipe, changes)


def changed(recipe: Recipe, changes: dict[str, Any]) -> Recipe:
    """A recipe with some fields changed, by their dotted names.

    Raises:
        UsageError: a value that does not fit.
    """
    new = _apply(recipe, changes, "")
    assert isinstance(new, Recipe)
    return new


def leaves(value: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """The dotted name and the type of every field that can be set."""
    hints = field_types(type(value))
    for entry in fields(value):
        inner = getattr(value, entry.name)
        if is_dataclass(inner):
            yield from leaves(inner, f"{prefix}{entry.name}.")
        elif inner_dataclass(hints[entry.name]) is None:
            yield prefix + entry.name, hints[entry.name]


def parse(text: str, hint: Any) -> object:
    """What a person wrote, as the plain value it looks like: TOML without the quotes, and without brackets round a list."""
    text = text.strip()
    if hint is str:
        return text
    if hint == tuple[str, ...]:
        words = "" if text.lower() in ("none", "off") else text
        return [word.strip(" '\"") for word in words.strip("[]()").split(",") if word.strip()]
    if text.lower() in ("none", "off"):
        return None
    if "," in text and not text.startswith("["):
        text = f"[{text.strip('()')}]"
    elif text.startswith("."):
        text = f"0{text}"
    for form in (text, text.lower()):
        with contextlib.suppress(tomllib.TOMLDecodeError):
            values = tomllib.loads(f"value = {form}")
            # A second line of text would be a second entry.
            if list(values) == ["value"]:
                return values["value"]
    return text


def _apply(value: Any, changes: dict[str, Any], prefix: str) -> Any:
    new: dict[str, Any] = {}
    for entry in fields(value):
        name = prefix + entry.name
        if name in changes:
            new[entry.name] = changes[name]
        elif any(change.startswith(f"{name}.") for change in changes):
            new[entry.name] = _apply(getattr(value, entry.name), changes, f"{name}.")
    return replace(value, **new)
