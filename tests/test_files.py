"""A reader sees the old file or the whole new one, and the system's refusals become sentences."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from inceptions.errors import MachineError
from inceptions.files import remove_leftovers, replacing, write_text


def test_writes_whole_files_into_new_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "a/b/note.txt", "größer")
    assert (tmp_path / "a/b/note.txt").read_text(encoding="utf-8") == "größer"
    assert [file.name for file in (tmp_path / "a/b").iterdir()] == ["note.txt"]


def test_a_failing_writer_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    write_text(file, "old")
    with pytest.raises(KeyboardInterrupt), replacing(file) as temporary:  # noqa: PT012 (the writer itself must fail)
        temporary.write_text("half of the n")
        raise KeyboardInterrupt
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "No permission"),
        (errno.EROFS, "No permission"),
        (errno.ENOTDIR, "is a file"),
    ],
)
def test_refusals_are_explained(tmp_path: Path, code: int, says: str) -> None:
    file = tmp_path / "weights"
    write_text(file, "old")
    with pytest.raises(MachineError, match=says) as caught, replacing(file) as temporary:  # noqa: PT012 (as above)
        temporary.write_text("n")
        raise OSError(code, os.strerror(code))
    assert str(file) in str(caught.value)
    assert file.read_text() == "old"


def test_a_file_in_the_place_of_a_folder_is_explained(tmp_path: Path) -> None:
    write_text(tmp_path / "run", "not a folder")
    with pytest.raises(MachineError, match="is a file"):
        write_text(tmp_path / "run" / "metrics.jsonl", "")


def test_other_errors_of_the_system_are_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output"), replacing(tmp_path / "x"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "ours") as temporary:
        temporary.unlink()
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_leftovers_of_killed_writers_are_removed(tmp_path: Path) -> None:
    write_text(tmp_path / "keep.txt", "kept")
    (tmp_path / ".keep.txt.4711.partial").write_text("ke")
    (tmp_path / ".net.onnx.4711.x.partial").mkdir()
    remove_leftovers(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".net.onnx.4711.x.partial", "keep.txt"]
