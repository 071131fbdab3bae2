"""Any field of a recipe from the command line."""

from __future__ import annotations

import pytest

from inceptions.errors import UsageError
from inceptions.recipe import Recipe, override, recipe


@pytest.fixture
def scratch() -> Recipe:
    return recipe("scratch")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs=3", 3),
        ("optim.lr=0.045", 0.045),
        ("optim.lr=1e-3", 1e-3),
        ("optim.lr=.5", 0.5),
        ("optim.lr=1", 1.0),
        (" optim.lr = 0.1 ", 0.1),
        ("optim.kind=sgd", "sgd"),
        ("optim.kind='sgd'", "sgd"),
        ("optim.clip=none", None),
        ("ema=off", None),
        ("ema=0.9", 0.9),
        ("optim.betas=0.8,0.9", (0.8, 0.9)),
        ("optim.betas=[0.8, 0.9]", (0.8, 0.9)),
        ("augment.crop_scale=(0.08, 1)", (0.08, 1.0)),
        ("augment.flip=false", False),
        ("augment.flip=True", True),
        ("view.resize=exact", "exact"),
        ("name=3", "3"),
        ("command=a=b", "a=b"),
    ],
)
def test_a_setting_is_read_by_its_fields_type(scratch, setting, value) -> None:
    changed = override(scratch, [setting])
    found = changed
    for part in setting.split("=")[0].strip().split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value)


def test_the_rest_stays_and_the_original_too(scratch) -> None:
    changed = override(scratch, ["optim.lr=1", "optim.lr=0.5"])
    assert changed.optim.lr == 0.5
    assert override(changed, [f"optim.lr={scratch.optim.lr}"]) == scratch


def test_settings_need_only_fit_together(scratch) -> None:
    changed = override(scratch, ["start_size=200", "image_size=224"])
    assert (changed.start_size, changed.image_size) == (200, 224)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optim.rl=1", r"Unknown recipe field 'optim\.rl'\. Did you mean 'optim\.lr'"),
        ("epoch=1", "Did you mean 'epochs'"),
        ("optim=1", "Unknown recipe field 'optim'"),
        ("epochs", "write field=value"),
        ("=3", "write field=value"),
        ("epochs=", "epochs must be a whole number from 1 to 1,000,000, not ''"),
        ("epochs=many", "epochs must be a whole number from 1 to 1,000,000, not 'many'"),
        ("epochs=2.0", "epochs must be a whole number"),
        ("epochs=0", "epochs must be a whole number from 1 to 1,000,000, not 0"),
        ("epochs=none", "epochs must be a whole number"),
        ("optim.lr=nan", "optim.lr must be a number above 0"),
        ("optim.lr=inf", "optim.lr must be a number above 0"),
        ("optim.lr=0", "optim.lr must be a number above 0, not 0"),
        ("optim.lr=1\nseed=2", "optim.lr must be a number above 0"),
        ("optim.lr=true", "optim.lr must be a number above 0, not True"),
        ("optim.kind=adam", "optim.kind must be one of 'adamw', 'sgd', 'rmsprop', 'rmsprop_tf', 'adagrad', not 'adam'"),
        ("optim.betas=0.9", "optim.betas must be 2 values"),
        ("optim.betas=0.9,2", "optim.betas must be 2 values, each a number from 0"),
        ("augment.flip=3", "augment.flip must be true or false, not 3"),
        ("label_smoothing=1", "label_smoothing must be a number from 0"),
        ("start_size=512", "must not be above image_size"),
    ],
)
def test_a_wrong_setting_names_the_field_and_what_it_takes(scratch, setting, message) -> None:
    with pytest.raises(UsageError, match=message):
        override(scratch, [setting])
