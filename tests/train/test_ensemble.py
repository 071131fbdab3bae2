"""Several models of one recipe: equal weights to begin with, other samplings, one command, resumable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import victim
from safetensors.torch import load_file

from inceptions.errors import Interrupted, UsageError
from inceptions.recipe import override
from inceptions.train import Job, loop, told
from inceptions.train.ensemble import Ensemble, ensemble_size, members, train_ensemble
from inceptions.train.loop import Loop
from inceptions.train.progress import Silent
from inceptions.train.run.job import is_finished_ensemble
from inceptions.weights import load_model

RECIPE = override(victim.RECIPE, ["epochs=1", "seed=7"])


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch) -> None:
    monkeypatch.setattr(loop, "draw_history", lambda rows, folder: None)


def asked(run: Path, **changes) -> Job:
    job = Job(data="digits", recipe=RECIPE, model="googlenet", variant=None, width=0.1, depth=0.4, run=run, resume=False)
    return replace(job, **changes)


def go(job: Job, models: int = 2) -> Ensemble:
    return train_ensemble(
        job, models, victim.small_splits(), reporter=Silent(), device="cpu", precision="fp32", workers=0, checkpoint_every=0.0
    )


def test_members_differ_in_the_seed_of_their_data_alone(tmp_path) -> None:
    jobs = members(asked(tmp_path / "all"), 3)
    assert [job.run.name for job in jobs] == ["model-1", "model-2", "model-3"]
    assert [job.recipe.seed for job in jobs] == [7, 7, 7]
    assert [job.recipe.sampling_seed for job in jobs] == [7, 8, 9]
    assert {replace(job.recipe, data_seed=None) for job in jobs} == {RECIPE}


def test_an_ensemble_and_what_it_says_together(tmp_path) -> None:
    outcome = go(asked(tmp_path / "all"))
    runs = [model.run for model in outcome.models]
    assert runs == [tmp_path / "all" / "model-1", tmp_path / "all" / "model-2"]
    one, other = (load_file(run / "weights.safetensors") for run in runs)
    assert any(not torch.equal(one[name], other[name]) for name in one), "other samplings, other weights"
    record = tmp_path / "all" / "ensemble.json"
    assert not is_finished_ensemble(record), "their reports are missing"
    for run in runs:
        (run / "report.html").touch()
    assert is_finished_ensemble(record)
    # The first one is what a single run of that seed gives.
    alone = victim.go(tmp_path / "alone", recipe=RECIPE, precision="fp32")
    assert (outcome.models[0].accuracy, outcome.models[0].loss) == (alone.accuracy, alone.loss)
    assert all(torch.equal(one[name], tensor) for name, tensor in load_file(alone.run / "weights.safetensors").items())
    # The mean of probabilities, by hand.
    from inceptions.data import evaluation_batches
    from inceptions.train import validate

    images = victim.small_splits().validation
    total = torch.zeros(len(images), 10, dtype=torch.float64)
    for run in runs:
        network, card = load_model(run)
        batches = evaluation_batches(images, card.preprocess, batch_size=5)
        total += validate(network, batches, card.preprocess).logits.double().softmax(1) / 2
    labels = torch.tensor(images.labels)
    assert outcome.n == len(images)
    assert outcome.accuracy == float((total.argmax(1) == labels).double().mean())
    assert outcome.loss == pytest.approx(float(-total[range(len(labels)), labels].log().mean()), rel=1e-5)


def test_stopped_in_the_second_model_it_goes_on_there(tmp_path, monkeypatch) -> None:
    whole = go(asked(tmp_path / "whole"))
    calls, update = 0, Loop.update

    def counted(self, *batch) -> None:
        nonlocal calls
        calls += 1
        update(self, *batch)
        if calls == 6:
            self.interrupts.requested = "SIGTERM"

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "update", counted)
        with pytest.raises(Interrupted, match=r"Stopped in model 2 of 2; .*--resume --run \S*/all$"):
            go(asked(tmp_path / "all"))
    with pytest.raises(UsageError, match="already holds an ensemble"):
        go(asked(tmp_path / "all"))
    resumed = go(asked(tmp_path / "all", resume=True))
    assert [(model.accuracy, model.loss) for model in resumed.models] == [(one.accuracy, one.loss) for one in whole.models]
    for one, other in zip(whole.models, resumed.models, strict=True):
        before, after = (load_file(model.run / "weights.safetensors") for model in (one, other))
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_each_model_is_told_when_it_is_done_and_again_if_its_report_is_missing(tmp_path) -> None:
    done = []
    options = {"device": "cpu", "precision": "fp32", "workers": 0, "checkpoint_every": 60.0, "reporter": Silent()}
    job = asked(tmp_path / "all")

    def finished(outcome) -> None:
        done.append((outcome.run.name, len(outcome.held), outcome.answers is not None))
        if len(done) != 2:
            (outcome.run / "report.html").touch()

    train_ensemble(job, 2, victim.small_splits(), finished=finished, **options)
    assert done == [("model-1", 16, True), ("model-2", 16, True)]
    train_ensemble(replace(job, resume=True), 2, victim.small_splits(), finished=finished, **options)
    # It had come to its end, and what it answered is forgotten.
    assert done[2:] == [("model-2", 16, False)]
    assert is_finished_ensemble(tmp_path / "all" / "ensemble.json")


@pytest.mark.parametrize("rank", [0, 1])
def test_several_processes_are_refused_before_anything_is_written(tmp_path, monkeypatch, rank) -> None:
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="in one process, and there are 2: start it without a launcher") as caught:
        go(asked(tmp_path / "all"))
    assert told(caught.value) == (rank == 1), "the first process says it for all"
    assert not (tmp_path / "all").exists()


def test_how_many_models_a_job_means(tmp_path) -> None:
    job = asked(tmp_path)
    assert ensemble_size(job, None) is None
    assert ensemble_size(job, 3) == 3
    with pytest.raises(UsageError, match="takes 2 models or more, not 1"):
        ensemble_size(job, 1)
    (tmp_path / "ensemble.json").write_text('{"models": 7}')
    again = replace(job, resume=True)
    assert ensemble_size(again, None) == 7
    assert ensemble_size(again, 7) == 7
    with pytest.raises(UsageError, match="has 7 models, not 3"):
        ensemble_size(again, 3)
    (tmp_path / "ensemble.json").write_text("[]")
    with pytest.raises(UsageError, match=r"ensemble\.json is damaged"):
        ensemble_size(again, None)
