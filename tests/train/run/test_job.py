from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from inceptions.architecture import Options
from inceptions.errors import UsageError
from inceptions.recipe import override, recipe
from inceptions.train import Manifest, job
from inceptions.train.run.job import begun, is_finished, is_finished_ensemble, new_run, unfinished_run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def begin(run: Path, *, epochs: int = 3, done: int = 0, checkpoint: bool = True, reported: bool = True, when: int = 0) -> Path:
    """A run's folder as `train` leaves it after some epochs."""
    manifest = Manifest(
        recipe=override(recipe("tutorial"), [f"epochs={epochs}"]),
        data="photos",
        fingerprint="00",
        images=(8, 2),
        classes=("a", "b"),
        model="plain_cnn",
        variant="tutorial",
        options=asdict(Options(num_classes=2, width=0.5)),
        precision="fp32",
        versions={},
    )
    (run / "checkpoints").mkdir(parents=True)
    (run / "recipe.toml").write_text(manifest.to_toml())
    rows = [{"epoch": epoch, "step": 10 * epoch} for epoch in range(1, done + 1)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if checkpoint:
        (run / "checkpoints" / f"step-{10 * done:08d}.safetensors").touch()
    if reported:
        (run / "report.html").touch()
    for name in ("recipe.toml", "metrics.jsonl"):
        os.utime(run / name, (when, when))
    return run


def test_the_digits_are_the_default() -> None:
    found = job()
    assert (found.data, found.recipe, found.model, found.variant) == ("digits", recipe("digits"), "googlenet", None)
    assert (found.width, found.depth, found.resume, found.run) == (1.0, 1.0, False, Path("runs/digits-googlenet-1"))


def test_a_folder_gets_the_recipe_for_folders(tmp_path: Path) -> None:
    found = job(data="some/photos/", settings=("epochs=7",), model="plain_cnn", width=0.5)
    assert found.recipe == override(recipe("scratch"), ["epochs=7"])
    assert (found.run, found.width) == (Path("runs/photos-plain_cnn-1"), 0.5)
    assert job(data="some/photos", recipe="tutorial").recipe == recipe("tutorial")
    (tmp_path / "digits").mkdir()
    assert job(data="digits").recipe == recipe("scratch"), "a folder of that name is a folder"


def test_a_recipe_names_its_network(tmp_path: Path) -> None:
    found = job(data="photos", recipe="googlenet_2014")
    assert (found.model, found.variant, found.run.name) == ("googlenet", "paper", "photos-googlenet-1")
    switched = job(data="photos", recipe="bn_inception_2015", settings=("changes.no_lrn=false",))
    assert (switched.model, switched.variant) == ("bn_inception", "paper_lrn")
    other = job(data="photos", recipe="googlenet_2014", model="inception_v3")
    assert (other.model, other.variant) == ("inception_v3", None), "what is named counts"
    assert job(data="photos", recipe="googlenet_2014", variant="bn").variant == "bn"


def test_an_ensemble_is_found_and_resumed_as_a_whole(tmp_path: Path) -> None:
    runs = Path("runs")
    begin(runs / "photos-1", done=1, when=10)
    whole = runs / "photos-2"
    for number, done in ((1, 3), (2, 1)):
        begin(whole / f"model-{number}", done=done, when=30)
    (whole / "ensemble.json").write_text('{"models": 2}')
    os.utime(whole / "ensemble.json", (5, 5))
    assert unfinished_run() == whole
    found = job(resume=True)
    assert (found.run, found.data, found.model) == (whole, "photos", "plain_cnn")
    begin(runs / "photos-3" / "model-1", done=3, when=50)
    (runs / "photos-3" / "ensemble.json").write_text('{"models": 1}')
    assert unfinished_run() == whole, "that one is finished"
    (whole / "ensemble.json").write_text("{")
    assert not is_finished_ensemble(whole / "ensemble.json")


def test_new_runs_are_counted(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        run = new_run("my photos", "googlenet/paper", tmp_path)
        assert run == tmp_path / f"my-photos-googlenet-paper-{number}"
        assert not run.exists()
        run.mkdir()


def test_a_resumed_run_knows_itself(tmp_path: Path) -> None:
    run = begin(tmp_path / "here", done=1)
    found = job(run=run, resume=True)
    assert found.recipe == override(recipe("tutorial"), ["epochs=3"])
    assert (found.data, found.model, found.variant, found.width) == ("photos", "plain_cnn", "tutorial", 0.5)
    assert (found.run, found.resume) == (run, True)


def test_what_is_said_beside_resume_counts(tmp_path: Path) -> None:
    """So that `train` can show how it differs, instead of passing over it in silence."""
    run = begin(tmp_path / "here", done=1)
    found = job(run=run, resume=True, data="moved", settings=("epochs=9",), model="googlenet", width=1.0)
    assert (found.data, found.model, found.variant, found.width) == ("moved", "googlenet", None, 1.0)
    assert found.recipe == override(recipe("tutorial"), ["epochs=9"])
    assert job(run=run, resume=True, recipe="scratch").recipe == recipe("scratch")


def test_resuming_picks_the_newest_unfinished_run() -> None:
    runs = Path("runs")
    begin(runs / "old", done=1, when=10)
    begin(runs / "new", done=1, when=30)
    begin(runs / "finished", done=3, when=40)
    (runs / "no run").mkdir()
    assert unfinished_run() == runs / "new"
    assert job(resume=True).run == runs / "new"


def test_a_run_killed_before_its_report_is_found() -> None:
    begin(Path("runs") / "a", done=3, reported=False)
    assert is_finished(Path("runs") / "a"), "there is nothing left to train"
    assert unfinished_run() == Path("runs") / "a"
    (Path("runs") / "a" / "report.html").touch()
    with pytest.raises(UsageError, match="no unfinished run"):
        unfinished_run()


def test_finished_means_saved(tmp_path: Path) -> None:
    assert is_finished(begin(tmp_path / "a", done=3))
    assert not is_finished(begin(tmp_path / "b", done=3, checkpoint=False)), (
        "killed between its last row and its last checkpoint"
    )
    assert not is_finished(begin(tmp_path / "c", done=2))
    assert not is_finished(begin(tmp_path / "d", done=0))
    (tmp_path / "a" / "metrics.jsonl").write_text("{")
    assert not is_finished(tmp_path / "a")


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no unfinished run under runs/"):
        job(resume=True)
    with pytest.raises(UsageError, match="no run in nowhere"):
        job(resume=True, run=Path("nowhere"))
    (tmp_path / "photo.png").touch()
    with pytest.raises(UsageError, match="no run in"):
        job(resume=True, run=tmp_path)


def test_killed_before_anything_was_written_down(tmp_path: Path) -> None:
    found = job(resume=True, run=tmp_path, data="photos")
    assert (found.data, found.run, found.recipe, found.resume) == ("photos", tmp_path, recipe("scratch"), True)


def test_a_run_killed_before_its_first_file_begins_again_if_its_data_are_named(tmp_path: Path) -> None:
    assert begun(tmp_path / "none", "PHOTOS") is None
    with pytest.raises(UsageError, match="There is no run in"):
        begun(tmp_path / "none", None)


def test_a_run_killed_before_its_first_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    run = Path("runs") / "photos-googlenet-1"
    (run / "checkpoints").mkdir(parents=True)
    (run / ".writable").touch()
    for arguments in ({}, {"run": run}):
        with pytest.raises(UsageError, match="before anything was done: there is nothing to resume") as caught:
            job(resume=True, **arguments)
        assert f"--run {run}" in str(caught.value)
    assert job(resume=True, run=run, data="photos").run == run
    begin(Path("runs") / "older", done=1)
    assert job(resume=True).run == Path("runs") / "older", "what can go on goes on"


def test_an_ensemble_killed_before_its_first_model_says_how_to_go_on() -> None:
    run = Path("runs") / "photos-1"
    run.mkdir(parents=True)
    (run / "ensemble.json").write_text('{"models": 2}')
    with pytest.raises(UsageError, match=r"--resume, DATA and --run runs/photos-1"):
        job(resume=True)
    assert job(resume=True, run=run, data="photos").resume


def test_preprocess_needs_weights() -> None:
    with pytest.raises(UsageError, match="name the weights too"):
        job(data="photos", preprocess="torchvision")
