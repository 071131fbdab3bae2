"""Distances of folders against pytorch-fid's own code, with the same weights in its network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from inceptions.errors import DataError, UsageError, WeightsError
from inceptions.network import create_model
from inceptions.predict.features import Extractor, open_extractor, unbiased
from inceptions.predict.resemblance import resemblance
from inceptions.train.progress import Silent
from inceptions.weights import Card, Preprocess, save_weights

FID = Preprocess(size=(75, 75), resize="exact", sampling="centres", mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    """A narrow network of the family's FID variant, whose last map has more channels than any folder here has images."""
    model = create_model("inception_v3/fid", num_classes=8, width=0.0625, seed=0)
    model.eval()
    with torch.no_grad():
        model.get_submodule("main.logits.linear").bias.copy_(torch.arange(8.0))
    card = Card(
        architecture="inception_v3",
        variant="fid",
        options=model.architecture.options,
        classes=tuple("abcdefgh"),
        preprocess=FID,
    )
    path = tmp_path_factory.mktemp("weights") / "fid.safetensors"
    save_weights(path, model, card)
    return open_extractor(path, device="cpu")


def test_two_folders(extractor: Extractor, photos: Path) -> None:
    found = resemblance(extractor, photos / "blue", photos / "red", taps=["64", "mixed_7c"], workers=0, reporter=Silent())
    document = found.to_dict()
    assert [one["images"] for one in document["folders"]] == [10, 10]
    assert [one["tap"] for one in document["distances"]] == ["pool_3a", "mixed_7c"]
    assert all(one["frechet_distance"] > 0 for one in document["distances"])
    assert document["network"] == "inception_v3/fid"
    assert len(document["sha256"]) == 64
    assert document["preprocess"]["sampling"] == "centres"
    assert "covariance is singular" in document["warnings"][0]
    text = found.to_text()
    assert text.startswith("Fréchet distance ")
    assert "\nFID " in text
    assert document["sha256"] in text
    assert "(x - 127.5) / 127.5" in text
    same = resemblance(extractor, photos / "blue", photos / "blue", workers=0, reporter=Silent())
    assert abs(same.distances["mixed_7c"][1]) < 1e-6 * found.distances["mixed_7c"][1]


def test_the_score_leaves_biases_out(extractor: Extractor, photos: Path) -> None:
    found = resemblance(extractor, photos, score=True, workers=0, reporter=Silent())
    (folder,) = found.folders
    assert folder.score is not None
    assert 1 - 1e-9 <= folder.score[0] <= 8
    assert not found.distances
    assert "50,000" in found.warnings[0]
    last = torch.rand(3, extractor.model.get_submodule("main.logits.linear").in_features, 1, 1)
    with torch.inference_mode():
        biased = extractor.model.get_submodule("main")(last)
        torch.testing.assert_close(biased - unbiased(extractor.model, last), torch.arange(8.0).expand(3, 8))


def test_refusals(extractor: Extractor, photos: Path, tmp_path: Path) -> None:
    def ask(*folders: Path, **options: object) -> None:
        resemblance(extractor, *folders, workers=0, reporter=Silent(), **options)

    with pytest.raises(UsageError, match="name a second one to compare it with"):
        ask(photos)
    with pytest.raises(UsageError, match="Unknown tap"):
        ask(photos, photos, taps=["nonsense"])
    with pytest.raises(DataError, match="cannot be read"):
        ask(photos, tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="There are no images in"):
        ask(photos, tmp_path / "empty")
    (tmp_path / "one").mkdir()
    Image.new("RGB", (80, 80)).save(tmp_path / "one/a.png")
    (tmp_path / "one/b.png").write_text("no image")
    with pytest.raises(DataError, match="has 1 images that can be read"):
        ask(photos, tmp_path / "one")


def test_a_score_needs_a_classifier(tmp_path: Path, photos: Path) -> None:
    model = create_model("inception_v3/fid", width=0.0625, until="mixed_5b", seed=0)
    card = Card(architecture="inception_v3", variant="fid", options=model.architecture.options, classes=(), preprocess=FID)
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("main.")}
    save_weights(tmp_path / "trunk.safetensors", state, card)
    extractor = open_extractor(tmp_path / "trunk.safetensors", device="cpu")
    assert extractor.tap() == "mixed_5b"
    with pytest.raises(WeightsError, match="has no classifier"):
        resemblance(extractor, photos, score=True, workers=0, reporter=Silent())


# From here on the real network of 2015-12-05, which pytorch-fid is filled with.

TRUNK = "weights/inception_v3_2015_trunk.safetensors"
# The two of the trunk's tensors, and the classifier's, that the file lacks.
ABSENT = {
    "mixed_9/tower_1/conv_1/weight": (384, 448, 3, 3),
    "mixed_10/tower_1/conv_1/weight": (384, 448, 3, 3),
    "softmax/weight": (1008, 2048),
}
STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
A = ("branch1x1", ("branch5x5_1", "branch5x5_2"), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"), ("branch_pool",))
B = ("branch3x3", ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"))
C = (
    "branch1x1",
    ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
    tuple(f"branch7x7dbl_{i}" for i in range(1, 6)),
    ("branch_pool",),
)
D = (None, ("branch3x3_1", "branch3x3_2"), tuple(f"branch7x7x3_{i}" for i in range(1, 5)))
E = ("branch1x1", ("branch3x3_1",), ("branch3x3dbl_1", "branch3x3dbl_2"), ("branch_pool",))
MODULES = {
    **{f"Mixed_5{letter}": A for letter in "bcd"},
    "Mixed_6a": B,
    **{f"Mixed_6{letter}": C for letter in "bcde"},
    "Mixed_7a": D,
    "Mixed_7b": E,
    "Mixed_7c": E,
}


def pairs() -> Iterator[tuple[str, str]]:
    """The graph's name of each convolution with pytorch-fid's, written down here and not taken from the package."""
    for i, name in enumerate(STEM):
        yield f"conv_{i}" if i else "conv", name
    for i, (module, (single, *towers)) in enumerate(MODULES.items()):
        scope = f"mixed_{i}" if i else "mixed"
        if single:
            yield f"{scope}/conv", f"{module}.{single}"
        for j, tower in enumerate(towers):
            where = f"{scope}/tower_{j}" if j else f"{scope}/tower"
            for k, name in enumerate(tower):
                yield f"{where}/conv_{k}" if k else f"{where}/conv", f"{module}.{name}"
        if single and towers == list(E[1:]):
            for tower, stem, half in ((0, "branch3x3_2", "ab"), (1, "branch3x3dbl_3", "ab")):
                where = f"{scope}/tower_{tower}" if tower else f"{scope}/tower"
                yield f"{where}/mixed/conv", f"{module}.{stem}{half[0]}"
                yield f"{where}/mixed/conv_1", f"{module}.{stem}{half[1]}"


def completed(trunk: Path, path: Path) -> dict[str, torch.Tensor]:
    """The real trunk with random numbers for what it lacks, also written to `path`."""
    with safe_open(trunk, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    chance = torch.Generator().manual_seed(0)
    for name, shape in ABSENT.items():
        tensors[name] = torch.randn(shape, generator=chance) * (2 / np.prod(shape[1:])) ** 0.5
    save_file(tensors, path)
    return tensors


def pytorch_fid_network(tensors: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """pytorch-fid's own network with these weights; nothing is downloaded."""
    from pytorch_fid import inception

    state = {"fc.weight": tensors["softmax/weight"], "fc.bias": tensors["softmax/bias"]}
    for theirs, ours in pairs():
        bias = tensors[f"{theirs}/bias"]
        state[f"{ours}.conv.weight"] = tensors[f"{theirs}/weight"]
        state[f"{ours}.bn.bias"] = bias
        state[f"{ours}.bn.weight"] = torch.ones_like(bias)
        state[f"{ours}.bn.running_mean"] = torch.zeros_like(bias)
        state[f"{ours}.bn.running_var"] = torch.full_like(bias, 1 - 1e-3)
        state[f"{ours}.bn.num_batches_tracked"] = torch.tensor(0)
    monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: state)
    return inception.InceptionV3([0, 1, 2, 3]).eval()


def statistics(network: torch.nn.Module, files: list[Path], dims: int) -> tuple[np.ndarray, np.ndarray]:
    """By pytorch-fid's function, from one of the network's four outputs."""
    from pytorch_fid import fid_score

    block = network.BLOCK_INDEX_BY_DIM[dims]
    network.output_blocks, network.last_needed_block = [block], block
    return fid_score.calculate_activation_statistics([str(file) for file in files], network, 10, dims, "cpu", 0)


def compared(shared: Path, folders: list[Path], dims: list[int], scratch: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Ours and theirs at each tap: the distance, and the largest difference of means and covariances by their largest value."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    network = pytorch_fid_network(completed(shared / TRUNK, scratch / "whole.safetensors"), monkeypatch)
    extractor = open_extractor(scratch / "whole.safetensors", preprocess="fid", device="cpu")
    ours = resemblance(extractor, *folders, taps=[str(d) for d in dims], workers=0, reporter=Silent())
    found = []
    for number, tap in zip(dims, ours.distances, strict=True):
        theirs = [statistics(network, sorted(folder.glob("*")), number) for folder in folders]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scipy's matrix root, that an argument is old and the matrix singular
            distance = calculate_frechet_distance(*theirs[0], *theirs[1])
        away = [
            (
                np.abs(one.moments[tap].mean - mean).max() / np.abs(mean).max(),
                np.abs(one.moments[tap].covariance - covariance).max() / np.abs(covariance).max(),
            )
            for one, (mean, covariance) in zip(ours.folders, theirs, strict=True)
        ]
        found.append({"dims": number, "ours": ours.distances[tap][1], "theirs": float(distance), "away": np.max(away, axis=0)})
    return found


@pytest.mark.slow
def test_equal_to_pytorch_fid(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    for name in ("n01440764", "n03394916"):
        folder = tmp_path / name
        folder.mkdir()
        for file in sorted((shared / "data/imagenette_mini/validation" / name).iterdir())[:10]:
            (folder / file.name).symlink_to(file)
        folders.append(folder)
    for one in compared(shared, folders, [64, 192, 768, 2048], tmp_path, monkeypatch):
        assert one["ours"] == pytest.approx(one["theirs"], rel=1e-3), one
        assert one["away"].max() < 1e-3, one
