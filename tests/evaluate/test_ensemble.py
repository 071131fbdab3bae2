from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inceptions.data import open_evaluation
from inceptions.errors import DataError, UsageError, WeightsError
from inceptions.evaluate import Asker, Contender, Protocol, evaluate_models, images_for, opened, sorted_out, tabulate
from inceptions.evaluate.answers import log_softmax
from inceptions.evaluate.ensemble import combined

CLASSES = ("blue", "red")
ASKER = Asker(workers=0, device="cpu", precision="fp32")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(0, 2**30), st.sampled_from(["probabilities", "logits"]))
def test_combined_is_the_weighed_mean(models: int, seed: int, average: str) -> None:
    chance = np.random.default_rng(seed)
    scores = [chance.normal(size=(5, 3)).astype(np.float32) for _ in range(models)]
    votes = chance.integers(0, 3, models).astype(float)
    votes[0] += 1
    found = np.exp(log_softmax(combined(scores, votes.tolist(), average)))
    if average == "probabilities":
        expected = np.average([np.exp(log_softmax(one)) for one in scores], axis=0, weights=votes)
    else:
        expected = np.exp(log_softmax(np.average(scores, axis=0, weights=votes)))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_classes_are_lined_up_by_name(contender, photos: Path) -> None:
    """The same network with its outputs in another order says the same, alone and in an ensemble."""
    one, other = contender(0), contender(1)
    turned = contender(1, classes=("red", "blue"))
    state = other.network.state_dict()
    turned.network.load_state_dict(
        {name: rows.flip(0) if name.startswith("main.logits") else rows for name, rows in state.items()}
    )
    turned = Contender("turned", turned.network, turned.card)
    images = open_evaluation(photos, CLASSES)
    straight = evaluate_models([one, other], images, ASKER, protocol=Protocol())
    crossed = evaluate_models([one, turned], images, ASKER, protocol=Protocol())
    assert crossed.loss == pytest.approx(straight.loss, abs=1e-6)
    assert [scored.loss for scored in crossed.models.values()] == pytest.approx(
        [scored.loss for scored in straight.models.values()], abs=1e-6
    )
    assert [score.name for score in crossed.models["turned"].per_class] == list(CLASSES)


def test_different_architectures_and_sizes(contender, photos: Path) -> None:
    small, large = contender(0), contender(1, name="googlenet", size=64, width=0.0625)
    images = open_evaluation(photos, CLASSES)
    found = evaluate_models([small, large], images, ASKER, protocol=Protocol(), votes=(3, 1))
    assert list(found.models) == ["model 0", "model 1"]
    assert found.protocol == "1 crops, as fits each model; mean of 2 models' probabilities, weighed 3:1"
    document = found.to_dict()
    assert [one["weights"] for one in document["models"]] == ["model 0", "model 1"]
    assert document["models"][0]["n"] == document["n"] == 20
    only = evaluate_models([small, large], images, ASKER, protocol=Protocol(), votes=(0, 1))
    assert only.loss == pytest.approx(found.models["model 1"].loss, abs=1e-6)


@pytest.mark.parametrize("votes", [(1,), (1, -1), (0, 0), (1, float("inf")), (float("nan"), 1)])
def test_votes_that_mean_nothing(contender, photos: Path, votes: tuple[float, ...]) -> None:
    images = open_evaluation(photos, CLASSES)
    with pytest.raises(UsageError, match="--votes takes one number"):
        evaluate_models([contender(0), contender(1)], images, ASKER, protocol=Protocol(), votes=votes)


def test_other_classes_are_refused(saved) -> None:
    first = saved(0)
    with pytest.raises(UsageError, match=r"2 are known to one of them only, 'green' to .*1\.safetensors"):
        opened([str(first), str(saved(1, classes=("blue", "green")))])
    with pytest.raises(UsageError, match=r"name a class twice"):
        opened([str(saved(2, classes=("a", "a", "b"))), str(saved(3, classes=("a", "b", "b")))])
    assert len(opened([str(first), str(saved(4, classes=("red", "blue")))])) == 2


def test_a_table_has_each_protocol_for_one_and_for_all(contender, photos: Path) -> None:
    models, images = [contender(i) for i in range(3)], open_evaluation(photos, CLASSES)
    ways = [Protocol(crops="1"), Protocol(crops="10")]
    table = tabulate(models, images, ASKER, protocols=ways)
    assert [(row.models, row.crops, row.cost) for row in table.rows] == [(1, "1", 1), (1, "10", 10), (3, "1", 3), (3, "10", 30)]
    alone = [evaluate_models([one], images, ASKER, protocol=ways[1]) for one in models]
    assert table.rows[1].top1_error == pytest.approx(1 - np.mean([one.top1 for one in alone]))
    assert table.rows[1].loss == pytest.approx(np.mean([one.loss for one in alone]))
    assert table.rows[0].compared == 0
    assert table.rows[3].top1_error == pytest.approx(1 - table.evaluations["10"].top1)
    json.dumps(table.to_dict(), allow_nan=False)
    assert [(row.models, row.cost) for row in tabulate(models[:1], images, ASKER, protocols=ways).rows] == [(1, 1), (1, 10)]


# The words of a command


def run_folder(path: Path, name: str = "recipe.toml") -> Path:
    path.mkdir(parents=True)
    (path / name).write_text('{"models": 2}')
    return path


def test_which_words_name_weights(tmp_path: Path, photos: Path) -> None:
    run, other, weights = run_folder(tmp_path / "a"), run_folder(tmp_path / "b", "weights.safetensors"), tmp_path / "w.pth"
    for words, data in (
        ([run], None),
        ([photos], None),
        ([run, other], None),
        ([run, other, photos], photos),
        ([run, weights], None),
        ([weights, photos], photos),
        ([run, "digits"], "digits"),
        ([run, "missing"], "missing"),
        ([run, "hf-dataset:a/b"], "hf-dataset:a/b"),
        ([run, "hf:a/b"], None),
        (["inception_v3.torchvision_in1k", "hf:a/b", photos], photos),
    ):
        typed = [str(word) for word in words]
        found = (typed, None) if data is None else (typed[:-1], str(data))
        assert sorted_out(typed) == found


def test_an_ensembles_folder_stands_for_its_models(tmp_path: Path, photos: Path) -> None:
    folder = run_folder(tmp_path / "seven", "ensemble.json")
    members = [str(folder / "model-1"), str(folder / "model-2")]
    assert sorted_out([str(folder)]) == (members, None)
    assert sorted_out(["x", str(folder), str(photos)]) == (["x", *members], str(photos))
    with pytest.raises(UsageError, match=r"model-1 is named twice.*--votes"):
        sorted_out([members[0], str(folder)])


def test_photographs_alone_are_no_weights(photos: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds no weights\.safetensors"):
        opened(sorted_out([str(photos)])[0])


def test_data_that_are_not_there(contender, photos: Path) -> None:
    with pytest.raises(DataError, match="Did you mean"):
        images_for([contender()], str(photos.with_name("photo")))


def test_runs_that_held_out_different_images(contender, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = open_evaluation(photos, CLASSES)
    held = {"model 0": files.subset(range(5)), "model 1": files.subset(range(5)), "model 2": files.subset(range(4, 9))}
    monkeypatch.setattr("inceptions.evaluate.contenders.own_images", lambda path: held[str(path)])
    assert len(images_for([contender(0), contender(1)], None)) == 5
    with pytest.raises(UsageError, match="model 0 and model 2 held out different images"):
        images_for([contender(0), contender(1), contender(2)], None)
