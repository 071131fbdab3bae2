"""Recipes in words, for `inceptions train --recipes`."""

from __future__ import annotations

from textwrap import fill
from typing import Any

from inceptions.recipe.declaration import Recipe

WIDTH = 100


def described(recipe: Recipe) -> dict[str, Any]:
    """What a recipe is, as plain values: all of it that is not a setting."""
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "model": recipe.model,
        "source": recipe.source,
        "command": recipe.command,
        "result": recipe.result,
        "cost": recipe.cost,
        "unknown": list(recipe.unknown),
    }


def line(recipe: Recipe) -> str:
    """A recipe in a list: name, summary, and where it comes from."""
    entries = {"from": recipe.source, "network": recipe.model or ""}
    return "\n".join((f"{recipe.name}: {recipe.summary}", *(_entry(label, text) for label, text in entries.items() if text)))


def recipe_text(recipe: Recipe) -> str:
    """All about a recipe."""
    entries = {
        "from": recipe.source,
        "network": recipe.model or "",
        "command": recipe.command,
        "reaches": recipe.result,
        "costs": recipe.cost,
    }
    lines = [f"{recipe.name}: {recipe.summary}", *(_entry(label, text) for label, text in entries.items() if text)]
    lines += [_entry("not known" if i == 0 else "", text) for i, text in enumerate(recipe.unknown)]
    return "\n".join(lines)


def _entry(label: str, text: str) -> str:
    return fill(text, WIDTH, initial_indent=f"  {label:<10}", subsequent_indent=" " * 12, break_on_hyphens=False)
