from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from inceptions.deploy.export import export
from inceptions.deploy.exported import open_exported
from inceptions.errors import WeightsError
from inceptions.network import create_model
from inceptions.weights import Card, Preprocess, save_weights


class Bomb:
    """What a stranger puts into an archive: unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    model = create_model("plain_cnn", num_classes=2, width=0.25, seed=1)
    declared = model.architecture
    preprocess = Preprocess.standard(declared.input_size[0])
    card = Card(
        architecture=declared.name,
        variant=declared.variant,
        options=declared.options,
        classes=("ant", "bee"),
        preprocess=preprocess,
    )
    save_weights(folder / "net.safetensors", model, card)
    export(folder / "net.safetensors", folder / "net.pt2", to="torch-export", with_preprocessing=True)
    return folder / "net.pt2"


def changed(exported: Path, path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """A copy of an archive with another file of that name in it."""
    with zipfile.ZipFile(exported) as old, zipfile.ZipFile(path, "w") as new:
        top = old.namelist()[0].partition("/")[0]
        for one in old.namelist():
            if one != f"{top}/{name}":
                new.writestr(one, old.read(one))
        before = old.read(f"{top}/{name}") if f"{top}/{name}" in old.namelist() else b""
        new.writestr(f"{top}/{name}", change(before))
    return path


def test_a_copy_that_is_not_changed_is_read(exported: Path, tmp_path: Path) -> None:
    copy = changed(exported, tmp_path / "copy.pt2", "archive_format", lambda before: before)
    assert open_exported(copy).card.classes == ("ant", "bee")


def test_nothing_is_unpickled(exported: Path, tmp_path: Path) -> None:
    bomb, mark = pickle.dumps(Bomb(tmp_path / "mark")), tmp_path / "mark"
    examples = changed(exported, tmp_path / "examples.pt2", "data/sample_inputs/model.pt", lambda _: bomb)
    legacy = changed(exported, tmp_path / "legacy.pt2", "data/weights/model.pt", lambda _: bomb)
    library = changed(exported, tmp_path / "library.pt2", "data/aotinductor/model/a.so", lambda _: b"\x7fELF")
    for path in (examples, legacy, library):
        with pytest.raises(WeightsError, match=rf"{path.name} is no file") as caught:
            open_exported(path)
        assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_a_weight_that_calls_itself_a_pickle(exported: Path, tmp_path: Path) -> None:
    def pickled(before: bytes) -> bytes:
        content = json.loads(before)
        next(iter(content["config"].values()))["use_pickle"] = True
        return json.dumps(content).encode()

    path = changed(exported, tmp_path / "weights.pt2", "data/weights/model_weights_config.json", pickled)
    with pytest.raises(WeightsError, match="it holds a pickle"):
        open_exported(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("torch.ops.aten.relu.default", "torch.ops.prim.device.default"),
        ("Symbol('", "__import__('os').getcwd() or Symbol('"),
        ('"guards_code": []', '"guards_code": ["print(1)"]'),
        ("builtins.tuple", "collections.defaultdict"),
    ],
)
def test_a_program_of_other_things_than_operators(old: str, new: str, exported: Path, tmp_path: Path) -> None:
    def written(before: bytes) -> bytes:
        assert old.encode() in before
        return before.replace(old.encode(), new.encode())

    path = changed(exported, tmp_path / "program.pt2", "models/model.json", written)
    with pytest.raises(WeightsError, match="its program has"):
        open_exported(path)
