"""The folder of a run: claimed, begun, compared, and its history cut back."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from inceptions import files
from inceptions.errors import DataError, MachineError, UsageError
from inceptions.recipe import override, recipe
from inceptions.train.run.folder import METRICS, RECIPE, Manifest, Row, RunFolder, fingerprint, read_manifest, versions

MANIFEST = Manifest(
    recipe=recipe("scratch"),
    data="photos",
    fingerprint="abc",
    images=(10, 4),
    classes=("cat", "dög [x]"),
    model="googlenet",
    variant="bn",
    options={"num_classes": 2, "until": None, "width": 1.0},
    precision="fp32",
    versions=versions(),
)


def row(epoch: int, split="train") -> Row:
    return Row(epoch=epoch, step=10 * epoch, split=split, loss=0.1 + 0.2, accuracy=1 / 3, lr=1e-3, seconds=1.5)


def test_a_new_folder_is_made_and_then_taken(tmp_path) -> None:
    folder = RunFolder(tmp_path / "runs" / "a")
    folder.claim(resume=False)
    assert list(folder.path.iterdir()) == []
    folder.begin(MANIFEST)
    assert folder.manifest is not None
    with pytest.raises(UsageError, match=r"already holds a run\. Add --resume"):
        RunFolder(folder.path).claim(resume=False)
    RunFolder(folder.path).claim(resume=True)


def test_a_folder_with_other_things_may_be_used(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder(tmp_path).claim(resume=False)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_run_killed_before_it_had_a_folder_gets_one(tmp_path) -> None:
    RunFolder(tmp_path / "none").claim(resume=True)
    assert (tmp_path / "none").is_dir()


def test_there_must_be_something_to_resume(tmp_path) -> None:
    with pytest.raises(UsageError, match="There is no run in"):
        read_manifest(tmp_path)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(MachineError, match="is a file, not a folder"):
        RunFolder(tmp_path / "run").claim(resume=False)


def test_a_read_only_folder_is_refused(tmp_path, monkeypatch) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(MachineError, match="No permission to write"):
        RunFolder(tmp_path).claim(resume=False)


def test_what_killed_writers_left_is_cleared_away(tmp_path) -> None:
    left = tmp_path / "checkpoints" / f".step.123{files.TEMPORARY}"
    left.parent.mkdir()
    left.write_bytes(b"half")
    RunFolder(tmp_path).claim(resume=True)
    assert not left.exists()


def test_the_manifest_there_and_back(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    folder.begin(MANIFEST)
    again = read_manifest(tmp_path)
    assert replace(again, options=MANIFEST.options) == MANIFEST
    assert MANIFEST.differences(again) == []


def test_the_same_run_may_go_on_from_elsewhere_and_with_another_version(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    folder.begin(MANIFEST)
    folder.begin(replace(MANIFEST, data="/elsewhere/photos", versions={"torch": "99"}))


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        (replace(MANIFEST, recipe=override(MANIFEST.recipe, ["optim.lr=1"])), r"optim\.lr: 0\.002 → 1\.0"),
        (replace(MANIFEST, recipe=override(MANIFEST.recipe, ["ema=none"])), r"ema: 0\.\d+ → None"),
        (replace(MANIFEST, classes=("cat", "dog")), "classes: .*dög.* → .*dog"),
        (replace(MANIFEST, images=(11, 4)), r"images: \[10, 4\] → \[11, 4\]"),
        (replace(MANIFEST, fingerprint="abd"), "other files or labels in photos"),
        (replace(MANIFEST, variant="paper"), "variant: bn → paper"),
        (replace(MANIFEST, options={**MANIFEST.options, "width": 0.5}), r"options\.width: 1\.0 → 0\.5"),
        (replace(MANIFEST, precision="bf16"), "precision: fp32 → bf16"),
    ],
)
def test_another_run_is_refused_with_the_difference(tmp_path, changed, shown) -> None:
    folder = RunFolder(tmp_path)
    folder.begin(MANIFEST)
    with pytest.raises(UsageError, match=shown):
        folder.begin(changed)
    assert folder.manifest is not None
    assert MANIFEST.differences(folder.manifest) == []


@pytest.mark.parametrize("content", ["name = ", "name = 'x'", "run = 3", "[run]\ndata = 1"])
def test_a_damaged_recipe_file_is_named(tmp_path, content) -> None:
    (tmp_path / RECIPE).write_text(content)
    with pytest.raises(UsageError, match=r"recipe\.toml"):
        read_manifest(tmp_path)


def test_history_behind_the_checkpoint_is_cut(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    folder.add([row(1), row(1, "validation")])
    folder.add([row(2), row(2, "validation")])
    again = RunFolder(tmp_path)
    again.load_rows(1)
    assert again.rows == folder.rows[:2]
    assert len((tmp_path / METRICS).read_text().splitlines()) == 2


def test_a_damaged_history_names_the_line(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    folder.add([row(1)])
    with (tmp_path / METRICS).open("a") as file:
        file.write("{}\n")
    with pytest.raises(DataError, match="line 2"):
        folder.load_rows(9)


def test_the_fingerprint_tells_names_and_labels_apart() -> None:
    base = fingerprint(["a", "b"], [0, 1])
    assert base == fingerprint(iter(["a", "b"]), iter([0, 1]))
    assert (
        len({base, fingerprint(["a", "b"], [1, 0]), fingerprint(["b", "a"], [0, 1]), fingerprint(["a", "b", "c"], [0, 1, 1])})
        == 4
    )
    assert fingerprint(["\udcff"], [0]) != base
