"""The recipes by name: the one list of what `--recipe` takes."""

from __future__ import annotations

from inceptions.errors import unknown
from inceptions.recipe import (
    bn_inception_2015,
    digits,
    finetune,
    googlenet_2014,
    inception_resnet_2016,
    inception_v3_2015,
    inception_v4_2016,
    scratch,
    tutorial,
)
from inceptions.recipe.declaration import Recipe

RECIPES: dict[str, Recipe] = {
    entry.name: entry
    for entry in (
        scratch.RECIPE,
        finetune.RECIPE,
        googlenet_2014.RECIPE,
        bn_inception_2015.RECIPE,
        inception_v3_2015.RECIPE,
        inception_v3_2015.RECIPE_151,
        inception_v3_2015.RECIPE_79,
        inception_v4_2016.RECIPE,
        inception_resnet_2016.RECIPE,
        inception_resnet_2016.WARMUP,
        tutorial.RECIPE,
        digits.RECIPE,
    )
}


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
