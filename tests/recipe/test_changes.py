"""The seven changes of batch normalisation's paper, each of them alone."""

from __future__ import annotations

from typing import Any

import pytest

from inceptions.errors import UsageError
from inceptions.recipe import Recipe, from_toml, override, recipe, to_toml
from inceptions.recipe.changes import Changes
from inceptions.recipe.overrides import leaves


def values(of: Recipe) -> dict[str, Any]:
    found = {}
    for name, _ in leaves(of):
        value: Any = of
        for part in name.split("."):
            value = getattr(value, part)
        found[name] = value
    return found


# What is different when a change is taken back: the numbers of GoogLeNet's training.
BACK = {
    "higher_rate=1": {"changes.higher_rate": 1.0, "optim.lr": 0.0015},
    "higher_rate=5": {"changes.higher_rate": 5.0, "optim.lr": 0.0075},
    "no_dropout=false": {"changes.no_dropout": False, "dropout": 0.4},
    "weaker_decay=1": {"changes.weaker_decay": 1.0, "optim.weight_decay": 2e-4},
    "faster_schedule=1": {"changes.faster_schedule": 1.0, "schedule.every": 8.0},
    "no_lrn=false": {"changes.no_lrn": False, "model": "bn_inception/paper_lrn"},
    "thorough_shuffling=false": {"changes.thorough_shuffling": False, "shuffle.kind": "shards"},
    "less_distortion=false": {
        "changes.less_distortion": False,
        "augment.brightness": 0.5,
        "augment.contrast": 0.5,
        "augment.saturation": 0.5,
        "augment.lighting": 0.1,
    },
}


@pytest.mark.parametrize("setting", BACK)
def test_each_is_taken_back_alone(setting) -> None:
    published = recipe("bn_inception_2015")
    before, after = values(published), values(override(published, [f"changes.{setting}"]))
    assert {name: value for name, value in after.items() if value != before[name]} == BACK[setting]
    again = f"changes.{setting.split('=')[0]}={getattr(Changes(), setting.split('=')[0])}"
    assert override(override(published, [f"changes.{setting}"]), [again]) == published


def test_all_of_them_taken_back_are_googlenets_training() -> None:
    settings = [setting for setting in BACK if setting != "higher_rate=5"]
    back = override(recipe("bn_inception_2015"), [f"changes.{setting}" for setting in settings])
    google = recipe("googlenet_2014")
    assert back.augment == google.augment
    assert back.schedule == google.schedule
    assert (back.optim.weight_decay, back.optim.momentum) == (google.optim.weight_decay, google.optim.momentum)
    assert back.optim.lr == 0.0015, "the rate that this paper gives for the network before the changes"


def test_the_published_rates_are_exact() -> None:
    assert [Changes(higher_rate=factor).decided()["optim.lr"] for factor in (1, 5, 30)] == [0.0015, 0.0075, 0.045]


def test_what_is_set_by_name_counts_more() -> None:
    changed = override(recipe("bn_inception_2015"), ["optim.lr=0.2", "changes.higher_rate=5", "changes.no_dropout=false"])
    assert (changed.optim.lr, changed.dropout) == (0.2, 0.4)
    later = override(override(recipe("bn_inception_2015"), ["optim.lr=0.2"]), ["changes.no_dropout=false"])
    assert later.optim.lr == 0.2, "another switch leaves it alone"


def test_the_switches_are_written_down() -> None:
    changed = override(recipe("bn_inception_2015"), ["changes.no_lrn=false"])
    assert "[changes]" in to_toml(changed)
    assert from_toml(to_toml(changed)) == changed
    assert "changes" not in to_toml(recipe("scratch"))


def test_other_recipes_have_none_to_set() -> None:
    with pytest.raises(UsageError, match=r"Unknown recipe field .changes\.no_lrn."):
        override(recipe("scratch"), ["changes.no_lrn=false"])
    with pytest.raises(UsageError, match=r"changes\.higher_rate must be a number from 1 to 100, not 0"):
        override(recipe("bn_inception_2015"), ["changes.higher_rate=0"])
