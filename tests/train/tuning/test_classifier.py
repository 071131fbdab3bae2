"""A run that starts from weights: the exact classifier on the frozen network, then its layers stage by stage."""

from __future__ import annotations

import multiprocessing
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import victim
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression

from inceptions.data import evaluation_batches, open_data
from inceptions.errors import UsageError, WeightsError
from inceptions.network import create_model
from inceptions.recipe import Tuning, recipe
from inceptions.train import Lines, adapted, job, loop, open_start, read_manifest, train, validate
from inceptions.train.tuning import features
from inceptions.train.tuning.classifier import fit_classifier, set_classifier
from inceptions.weights import Card, Preprocess, load_model, save_weights
from inceptions.weights.families.graph_2015 import names

FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["inceptions.train"])
HEAD = replace(victim.RECIPE, name="head", epochs=1, start_size=None, ema=None, aux_weight=0.0, tuning=Tuning())
STAGES = replace(HEAD, epochs=3, ema=0.9, tuning=Tuning(stages=("inception_5a", "inception_4a"), mirror=True))
KNOWN = Preprocess(size=(32, 32), resize="exact")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A weight file of 7 classes; random weights see enough to tell digits apart."""
    network = create_model("googlenet/bn", num_classes=7, width=0.1, depth=0.4, seed=3)
    architecture = network.architecture
    card = Card(
        architecture=architecture.name,
        variant=architecture.variant,
        options=architecture.options,
        classes=tuple("abcdefg"),
        preprocess=KNOWN,
        licence="made here",
    )
    path = tmp_path_factory.mktemp("weights") / "trained.safetensors"
    save_weights(path, network, card)
    return path


def go(run: Path, weights: Path, **options):
    return victim.go(run, weights=weights, **{"recipe": HEAD, "precision": "fp32", "checkpoint_every": 60.0, **options})


def some(n: int, width: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features `[1, n, width]` of overlapping clouds."""
    chance = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    centres = torch.randn(classes, width, generator=chance)
    return (centres[labels] + 1.5 * torch.randn(n, width, generator=chance))[None], labels


def test_the_optimum_is_that_of_scikit_learn() -> None:
    values, labels = some(200, 12, 4)
    weight, bias = fit_classifier(values, labels, classes=4, l2=0.01)
    x = values[0].double()
    scale = float((x - x.mean(0)).square().mean().sqrt())
    oracle = LogisticRegression(C=1 / (0.01 * 200), tol=1e-8, max_iter=5000).fit((x - x.mean(0)).numpy() / scale, labels)
    ours = x @ weight.T + bias
    theirs = oracle.decision_function((x - x.mean(0)).numpy() / scale)
    np.testing.assert_allclose(ours.softmax(1).numpy(), torch.tensor(theirs).softmax(1).numpy(), atol=2e-5)


@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-50, 50), scale=st.floats(0.01, 100), seed=st.integers(0, 3))
def test_shift_and_scale_of_the_features_are_folded_exactly(shift, scale, seed) -> None:
    values, labels = some(40, 6, 3, seed)
    values = values.double()
    weight, bias = fit_classifier(values, labels, classes=3, l2=0.05)
    other_weight, other_bias = fit_classifier(values * scale + shift, labels, classes=3, l2=0.05)
    before, after = values[0] @ weight.T + bias, (values[0] * scale + shift) @ other_weight.T + other_bias
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)


def test_views_count_as_images_and_idle_features_do_no_harm() -> None:
    values, labels = some(30, 5, 2)
    twice = fit_classifier(torch.cat([values, values]), labels, classes=2, l2=0.1)
    once = fit_classifier(values, labels, classes=2, l2=0.1)
    torch.testing.assert_close(twice, once, atol=1e-6, rtol=1e-6)
    weight, bias = fit_classifier(torch.ones(1, 6, 5), torch.arange(6) % 3, classes=3, l2=0.1)
    assert float(weight.abs().max()) < 1e-6
    assert float((bias - bias[0]).abs().max()) < 1e-4


def test_a_run_and_what_it_leaves(tmp_path, weights, monkeypatch) -> None:
    monkeypatch.setattr(loop, "draw_history", lambda rows, folder: None)
    outcome = go(tmp_path / "run", weights)
    assert [(row.epoch, row.step, row.split, row.lr) for row in outcome.rows] == [
        (1, 0, "train", 0.0),
        (1, 0, "validation", 0.0),
    ]
    assert outcome.rows[0].accuracy == 1.0
    network, card = load_model(outcome.run)
    assert (card.classes, card.preprocess, card.licence) == (tuple("0123456789"), KNOWN, "made here")
    assert card.provenance["weights"] == "trained.safetensors"
    held = victim.small_splits().validation
    answers = validate(network, evaluation_batches(held, card.preprocess, batch_size=16), card.preprocess)
    assert (answers.accuracy, answers.loss) == (outcome.accuracy, pytest.approx(outcome.loss, rel=1e-5))
    before, after = load_file(weights), load_file(outcome.run / "weights.safetensors")
    assert set(after) == {name for name in before if not name.startswith("aux")}
    changed = {
        name for name, tensor in after.items() if tensor.shape != before[name].shape or not torch.equal(tensor, before[name])
    }
    assert changed == {"main.logits.linear.weight", "main.logits.linear.bias"}
    manifest = read_manifest(outcome.run)
    assert manifest.weights == str(weights)
    assert (manifest.recipe, len(manifest.trunk)) == (HEAD, 16)
    assert len(list((outcome.run / "features").iterdir())) == 1


def run_process(run: Path, weights: Path, place: str | None, number: int, death: signal.Signals, **options) -> int:
    options = {"weights": weights, "recipe": STAGES, "precision": "fp32", **options}
    process = FRESH.Process(target=killed, args=(run, options, place, number, death))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def killed(run: Path, options, place: str | None, number: int, death: signal.Signals) -> None:
    features.CHUNK = 10
    victim.PLACES["features"] = (features, "forward")
    victim.process(run, options, place, number, death)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, weights) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    assert run_process(run, weights, None, 0, signal.SIGKILL, resume=True) == 0
    return run


@pytest.mark.parametrize(
    ("place", "number", "death"),
    [
        ("features", 3, signal.SIGKILL),
        ("features", 3, signal.SIGTERM),
        ("validation", 1, signal.SIGKILL),
        ("validation", 1, signal.SIGTERM),
        ("update", 2, signal.SIGKILL),  # the first stage
        ("update", 7, signal.SIGTERM),  # the second one
    ],
)
def test_stopped_and_resumed(tmp_path, weights, undisturbed, place, number, death) -> None:
    run = tmp_path / "run"
    code = run_process(run, weights, place, number, death)
    assert code == (75 if death is signal.SIGTERM else -death)
    if place == "features":
        assert len(list((run / "features").glob("*.safetensors"))) == (3 if death is signal.SIGTERM else 2)
    if death is signal.SIGTERM:
        assert (tmp_path / "message").read_text().endswith(f"inceptions train --resume --run {run}")
    # What was known is not computed again: the fourth forward pass of this process would kill it.
    again = ("features", 3, signal.SIGKILL) if place == "features" else (None, 0, death)
    assert run_process(run, weights, *again, resume=True) == 0
    for name in ("weights.safetensors", "weights-last.safetensors"):
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_stages_move_their_own_layers_only(weights, undisturbed) -> None:
    before, after = load_file(weights), load_file(undisturbed / "weights-last.safetensors")
    moved = {
        name.split(".")[0]
        for name, tensor in after.items()
        if not torch.equal(tensor, before[name]) and name.split(".")[0] != "main"
    }
    taps = create_model("googlenet/bn", width=0.1, depth=0.4, device="meta").architecture.taps
    learning = taps[taps.index("inception_4a") :]
    assert moved == {tap for tap in learning if tap.startswith("inception")}
    statistics = [name for name in after if "running" in name or "num_batches" in name]
    assert all(torch.equal(after[name], before[name]) for name in statistics)


def test_other_weights_are_another_run(tmp_path, weights, undisturbed) -> None:
    other = load_file(weights)
    _, card = load_model(weights)
    other["inception_4a.branch_1.1x1.conv.weight"][0, 0, 0, 0] += 1
    path = tmp_path / "other.safetensors"
    save_weights(path, other, card)
    with pytest.raises(UsageError, match="trunk: "):
        go(undisturbed, path, recipe=STAGES, resume=True)


def test_two_images_a_class_are_enough(tmp_path, weights) -> None:
    for name, colour in (("blue", 30), ("red", 220)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (40, 40), (colour, 10 * i, 250 - colour)).save(tmp_path / "photos" / name / f"{i}.png")
    outcome = train(
        open_data(tmp_path / "photos"), HEAD, run=tmp_path / "run", weights=weights, workers=0, device="cpu", precision="fp32"
    )
    assert outcome.accuracy == 1.0


def test_a_recipe_shows_images_as_the_weights_know_them(weights) -> None:
    card = open_start(weights).card
    known = replace(
        card,
        preprocess=Preprocess(
            size=(96, 96), resize_to=100, interpolation="bicubic", mean=(0.1, 0.2, 0.3), std=(1, 2, 3), channels="BGR"
        ),
    )
    shown = adapted(recipe("finetune"), known).preprocess
    assert shown == replace(known.preprocess, resize_to=round(96 / recipe("finetune").view.crop_share))
    with pytest.raises(WeightsError, match="square colour images only"):
        adapted(recipe("finetune"), replace(card, preprocess=Preprocess(size=(96, 80), resize="exact")))


def test_the_job_fills_in_what_the_weights_decide(tmp_path, monkeypatch, weights) -> None:
    monkeypatch.chdir(tmp_path)
    asked = job(data="photos", weights=weights, settings=("tuning.l2=0.1", "view.crop_share=0.9"))
    assert (asked.model, asked.variant, asked.width, asked.depth) == ("googlenet", "bn", 0.1, 0.4)
    assert (asked.recipe.name, asked.recipe.image_size, asked.recipe.view.crop_share) == ("finetune", 32, 0.9)
    assert asked.run == Path("runs/photos-googlenet-1")
    assert job(data="photos", weights=weights, recipe="scratch").recipe.name == "scratch"
    assert job(data="photos", weights=weights, model="googlenet/bn", width=0.1).weights == weights
    for other in ({"model": "inception_v3"}, {"variant": "paper"}, {"width": 0.5}, {"depth": 1.0}):
        with pytest.raises(UsageError, match="The weights are of googlenet/bn"):
            job(data="photos", weights=weights, **other)


def test_weights_are_read_once_for_the_job_and_its_run(tmp_path, monkeypatch, weights) -> None:
    asked = job(data="photos", weights=weights, recipe="finetune", run=tmp_path / "run")
    monkeypatch.setattr("inceptions.train.tuning.start.load_trunk", None)
    read = go(tmp_path / "read", asked.start)
    monkeypatch.undo()
    again = go(tmp_path / "again", weights)
    assert (read.accuracy, read.loss) == (again.accuracy, again.loss)
    assert read_manifest(read.run).weights == str(weights)


def test_what_a_foreign_file_does_not_say_is_said_once_and_kept(tmp_path, monkeypatch, weights) -> None:
    network, card = load_model(weights)
    asked = []

    def opened(path, *, preprocess=None):
        asked.append((str(path), preprocess))
        return network, card

    monkeypatch.setattr("inceptions.train.tuning.start.load_trunk", opened)
    first = job(data="photos", weights=weights, preprocess="torchvision", run=tmp_path / "run")
    outcome = go(tmp_path / "run", first.start)
    assert read_manifest(outcome.run).preprocess == "torchvision"
    resumed = job(resume=True, run=tmp_path / "run", data="photos")
    assert resumed.start.preprocess == "torchvision"
    assert asked == [(str(weights), "torchvision")] * 2


def test_a_resumed_job_knows_its_weights(tmp_path, monkeypatch, weights, undisturbed) -> None:
    monkeypatch.chdir(tmp_path)
    asked = job(run=undisturbed, resume=True)
    assert (asked.weights, asked.recipe) == (str(weights), STAGES)


def test_what_cannot_begin_says_why(tmp_path, weights) -> None:
    with pytest.raises(UsageError, match="name its weight file with --weights"):
        victim.go(tmp_path / "run", recipe=HEAD)
    with pytest.raises(WeightsError, match="There is no weight file"):
        go(tmp_path / "run", tmp_path / "nowhere.safetensors")
    with pytest.raises(UsageError, match="knows images in RGB with mean"):
        go(tmp_path / "run", weights, recipe=replace(HEAD, view=replace(HEAD.view, mean=(0.5, 0.5, 0.5))))
    with pytest.raises(UsageError, match="Unknown tap"):
        go(tmp_path / "run", weights, recipe=replace(HEAD, epochs=2, tuning=Tuning(stages=("mixed_9",))))
    assert not (tmp_path / "run").exists()


def test_the_graph_of_2015_is_recognised(tmp_path) -> None:
    architecture = create_model("inception_v3/fid", num_classes=2, until="mixed_8", device="meta").architecture
    state = create_model("inception_v3/fid", num_classes=2, until="mixed_8", device="meta").state_dict()
    graph = {}
    for ours, theirs in names(architecture).items():
        if f"{ours}.conv.weight" in state:
            graph[f"{theirs}/weight"] = torch.zeros(state[f"{ours}.conv.weight"].shape)
            graph[f"{theirs}/bias"] = torch.ones(len(state[f"{ours}.conv.weight"]))
    save_file(graph, tmp_path / "graph.safetensors")
    start = open_start(tmp_path / "graph.safetensors")
    assert start.network.architecture.full_name == "inception_v3/fid"
    assert start.network.architecture.taps[-1] == "mixed_7a"
    assert start.card.preprocess.size == (299, 299)
    assert bool((start.network.get_submodule("mixed_7a.branch_1.3x3.bn").bias == 1).all())


def test_progress_is_shown_with_its_speed(tmp_path, weights, monkeypatch) -> None:
    shown: list[tuple[str, int, int, str]] = []

    class Bar(Lines):
        def show(self, activity: str, done: int, total: int, detail: str = "") -> None:
            shown.append((activity, done, total, detail))

    monkeypatch.setattr(features, "CHUNK", 10)
    with (tmp_path / "log").open("w") as log:
        go(tmp_path / "run", weights, reporter=Bar(log))
    steps = [entry for entry in shown if entry[0] == "features"]
    assert [(done, total) for _, done, total, _ in steps] == [(0, 32), (10, 32), (20, 32), (30, 32), (32, 32)]
    assert all("images/s" in figures and "left" in figures for _, done, _, figures in steps if done)


def test_a_classifier_without_offset_is_a_broken_promise() -> None:
    network = create_model("googlenet/bn", num_classes=2, width=0.1, depth=0.4, seed=0)
    network.get_submodule("main.logits").linear.bias = None
    with pytest.raises(AssertionError):
        set_classifier(network, torch.zeros(2, 1), torch.zeros(2))
