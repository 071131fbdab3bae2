"""Recipes as data: the named ones, growth of the images, TOML."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from types import NoneType
from typing import get_args

import pytest
import torch

from inceptions.architecture import cost, declare
from inceptions.data import Augment, Shuffle, normalise
from inceptions.errors import UsageError
from inceptions.recipe import Optim, Recipe, Schedule, View, from_table, from_toml, names, recipe, to_toml
from inceptions.recipe.fields import field_types


def small(**changes) -> Recipe:
    return Recipe(
        **{"name": "t", "summary": "", "epochs": 10, "batch_size": 4, "image_size": 128, "optim": Optim(lr=0.1), **changes}
    )


def test_the_tutorial_is_the_published_one() -> None:
    tutorial = recipe("tutorial")
    assert (tutorial.image_size, tutorial.batch_size, tutorial.epochs, tutorial.steps_per_epoch) == (150, 20, 10, 10)
    assert (tutorial.optim.kind, tutorial.optim.lr, tutorial.optim.alpha, tutorial.optim.eps) == ("rmsprop", 1e-4, 0.9, 1e-7)
    augment = tutorial.augment
    assert (augment.rotation, augment.shift, augment.shear, augment.zoom, augment.flip) == (40, 0.2, 0.2, 0.2, True)
    assert augment.fill == "nearest"
    preprocess = tutorial.preprocess
    assert (preprocess.resize, preprocess.size) == ("exact", (150, 150))
    assert (preprocess.mean, preprocess.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_digits_are_never_mirrored() -> None:
    assert not recipe("digits").augment.flip


def test_an_unknown_recipe_says_which_there_are() -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'tutorial'\? Known: scratch, .*tutorial, digits"):
        recipe("tutorail")


def test_images_grow_in_stairs_and_then_stay() -> None:
    growing = small(epochs=64, start_size=80, image_size=128, grow=0.8)
    sizes = [growing.size_at(epoch) for epoch in range(64)]
    assert sizes == [min(128, int(round((80 + 48 * min(1, epoch / 51.2)) / 16) * 16)) for epoch in range(64)]
    assert sizes[0] == 80
    assert set(sizes[52:]) == {128}


def test_growth_between_odd_sizes_stays_between_them() -> None:
    growing = small(start_size=75, image_size=101)
    sizes = [growing.size_at(epoch) for epoch in range(10)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (80, 101)


def test_images_may_be_larger_in_use_than_in_training() -> None:
    assert small(image_size=128).preprocess.size == (128, 128)
    larger = small(image_size=128, test_size=160, view=View(crop_share=0.8)).preprocess
    assert (larger.size, larger.resize_to) == ((160, 160), 200)


@pytest.mark.parametrize("name", names())
def test_toml_there_and_back(name) -> None:
    assert from_toml(to_toml(recipe(name))) == recipe(name)


def test_toml_keeps_every_field_that_differs_from_its_default() -> None:
    unusual = small(
        ema=0.5,
        test_size=144,
        start_size=96,
        steps_per_epoch=3,
        unknown=("a", "b"),
        schedule=Schedule(kind="exponential", decay=0.5),
        optim=Optim(kind="sgd", lr=1, clip=2),
        augment=Augment(crop_scale=(0.08, 1.0)),
    )
    assert from_toml(to_toml(unusual)) == unusual


PAPERS = [name for name in names() if name.rsplit("_", 1)[-1].isdigit() or "_20" in name]


@pytest.mark.parametrize("name", PAPERS)
def test_a_papers_recipe_says_where_it_comes_from_and_names_its_network(name) -> None:
    paper = recipe(name)
    assert "arXiv:" in paper.source
    assert name in paper.command
    assert paper.model is not None
    assert paper.result
    assert paper.cost
    assert len(paper.unknown) > 3
    network = declare(paper.model)
    assert network.minimum_size <= paper.image_size
    assert network.input_size == (paper.image_size, paper.image_size)


def test_the_papers_numbers() -> None:
    """As the papers have them; what they leave open is in `unknown`."""
    google = recipe("googlenet_2014")
    assert (google.optim.kind, google.optim.momentum, google.aux_weight) == ("sgd", 0.9, 0.3)
    assert (google.schedule.decay, google.schedule.every) == (0.96, 8)
    assert google.augment.crop_scale == (0.08, 1.0)
    assert google.augment.crop_ratio == (3 / 4, 4 / 3)
    assert (google.augment.interpolation, google.augment.colour_order) == ("random", "random")
    assert google.polyak is not None
    v3 = recipe("inception_v3_2015")
    optim = v3.optim
    assert (optim.kind, optim.lr, optim.alpha, optim.eps, optim.clip) == ("rmsprop_tf", 0.045, 0.9, 1.0, 2.0)
    assert (v3.schedule.decay, v3.schedule.every, v3.label_smoothing, v3.epochs) == (0.94, 2, 0.1, 100)
    assert [recipe(f"inception_v3_2015{side}").image_size for side in ("", "_151", "_79")] == [299, 151, 79]
    v4, resnet, warmup = (recipe(f"inception_{name}") for name in ("v4_2016", "resnet_2016", "resnet_2016_warmup"))
    assert (v4.optim, v4.schedule) == (resnet.optim, resnet.schedule) == (v3.optim, v3.schedule)
    assert (warmup.residual_scale, warmup.learning_rate(0, 10), warmup.learning_rate(10, 10)) == (1.0, 1e-5, 0.045)


def test_low_resolutions_cost_what_the_high_one_does() -> None:
    """Section 9: "almost identical computational cost"; at 151 pixels even the same maps from the first layer on."""
    high, middle, low = (cost(declare(f"inception_v3/tensorflow{side}")).macs for side in ("", "_151", "_79"))
    assert middle == high
    assert low == pytest.approx(high, rel=0.07)


def test_googlenets_pixels_are_on_caffes_scale() -> None:
    pixels = torch.tensor([0, 117, 255], dtype=torch.uint8).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    shown = normalise(pixels, recipe("googlenet_2014").preprocess)
    expected = [[-123.0, -6.0, 132.0], [-117.0, 0.0, 138.0], [-104.0, 13.0, 151.0]]
    assert torch.allclose(shown[0, :, 0], torch.tensor(expected), atol=1e-3)


def test_an_older_runs_recipe_can_be_read() -> None:
    """As this package first wrote it, without the fields that came later."""
    text = """
name = "digits"
summary = "handwritten digits of 8×8 pixels, drawn larger"
source = ""
command = "inceptions train"
result = ""
unknown = []
seed = 0
epochs = 10
batch_size = 32
image_size = 32
grow = 0.8
aux_weight = 0.3
label_smoothing = 0.0
ema = 0.99

[optim]
kind = "adamw"
lr = 0.002
weight_decay = 0.05
momentum = 0.0
betas = [0.9, 0.999]
alpha = 0.99
eps = 1e-08
clip = 5.0

[schedule]
kind = "cosine"
warmup_epochs = 1.0
floor = 0.0
decay = 0.96
every = 8.0

[augment]
crop = "whole"
crop_scale = [0.35, 1.0]
crop_ratio = [0.75, 1.3333333333333333]
flip = false
rotation = 10.0
shift = 0.08
shear = 0.0
zoom = 0.1
fill = "constant"
brightness = 0.0
contrast = 0.0
saturation = 0.0
hue = 0.0
erase = 0.0

[view]
resize = "exact"
crop_share = 0.875
interpolation = "bilinear"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
"""
    assert from_toml(text) == recipe("digits")


@pytest.mark.parametrize("cls", [Recipe, Optim, Schedule, View, Augment, Shuffle])
def test_what_toml_leaves_out_comes_back_as_none(cls) -> None:
    # TOML has no null: None is left out, so None must be what an absent field means.
    hints = field_types(cls)
    assert all(entry.default is None for entry in fields(cls) if NoneType in get_args(hints[entry.name]))


def test_a_recipe_file_with_a_wrong_field_names_it() -> None:
    table = tomllib.loads(to_toml(small()))
    with pytest.raises(UsageError, match=r"'optim.momentun'\. Did you mean 'optim.momentum'"):
        from_table({**table, "optim": {**table["optim"], "momentun": 0.9}})
    with pytest.raises(UsageError, match=r"optim.lr must be a number above 0, not '0\.1'"):
        from_table({**table, "optim": {"lr": "0.1"}})
    with pytest.raises(UsageError, match="optim must be a table"):
        from_table({**table, "optim": 3})
    with pytest.raises(UsageError, match=r"lacks the field optim\.lr"):
        from_table({**table, "optim": {}})
    with pytest.raises(UsageError, match="not valid TOML"):
        from_toml("name = ")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number from 1 to 1,000,000"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"epochs": True}, "epochs must be a whole number"),
        ({"batch_size": 1}, "batch_size must be a whole number from 2"),
        ({"label_smoothing": 1.0}, "label_smoothing must be a number from 0"),
        ({"label_smoothing": float("nan")}, "label_smoothing must be a number"),
        ({"start_size": 256}, "start_size .256. must not be above image_size"),
        ({"unknown": "text"}, "unknown must be a list, each text"),
        ({"optim": None}, "optim must be"),
    ],
)
def test_recipes_refuse_what_no_run_can_have(wrong, message) -> None:
    with pytest.raises(UsageError, match=message):
        small(**wrong)


def test_replace_checks_again() -> None:
    with pytest.raises(UsageError, match="seed"):
        replace(small(), seed=-1)
