"""The recipes by name: the one list of what `--recipe` takes."""

from __future__ import annotations

from inceptions.errors import unknown
from inceptions.recipe import digits, scratch, tutorial
from inceptions.recipe.declaration import Recipe

RECIPES: dict[str, Recipe] = {entry.name: entry for entry in (scratch.RECIPE, tutorial.RECIPE, digits.RECIPE)}


def names() -> list[str]:
    """Every recipe."""
    return list(RECIPES)


def recipe(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        UsageError: no recipe of that name; says which there are.
    """
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]
