from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from scipy.fft import dctn

from inceptions.data import decode
from inceptions.data.check import perceptual
from inceptions.data.check.groups import Groups
from inceptions.data.check.perceptual import RADIUS, candidates, greys, hashes, near_copies


def scene(seed: int, width: int = 200, height: int = 150) -> Image.Image:
    """Something with the smoothness of a photograph."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    content = io.BytesIO()
    image.save(content, format="JPEG", quality=quality)
    return Image.open(content).convert("RGB")


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "quality 30": lambda image: recompressed(image, 30),
    "quality 10": lambda image: recompressed(image, 10),
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "double": lambda image: image.resize((image.width * 2, image.height * 2)),
    "square": lambda image: image.resize((224, 224)),
    "quarter, quality 50": lambda image: recompressed(image.resize((image.width // 4, image.height // 4)), 50),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


def test_hashes_are_signs_about_the_median_of_scipys_transform():
    pictures = np.stack([greys(scene(seed)) for seed in range(5)])
    for value, picture in zip(hashes(pictures), pictures, strict=True):
        low = dctn(picture.astype(np.float64), norm=None)[1:9, 1:9]
        expected = np.packbits((low > np.median(low)).ravel()).view(np.uint64)[0]
        assert int(value ^ expected).bit_count() <= 1  # rounding may turn the one next to the median


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_picture_is_found_again_and_no_other(change):
    scenes = [scene(seed) for seed in range(12)]
    pictures = np.stack([greys(image) for image in [*scenes, *map(CHANGES[change], scenes)]])
    assert near_copies(pictures) == [[i, 12 + i] for i in range(12)]


def test_flat_pictures_are_no_copies():
    flat = [greys(Image.new("RGB", (50, 50), (grey, grey, grey))) for grey in (0, 0, 130, 255)]
    assert near_copies(np.stack(flat)) == []
    assert near_copies(np.empty((0, 32, 32), np.uint8)) == []


def test_pictures_of_one_hash_are_told_apart():
    """Noise on top keeps the low frequencies, and so the hash, but is another picture."""
    first = greys(scene(1))
    noise = np.random.default_rng(0).integers(-60, 60, (3, 32, 32))
    checkers = (np.indices((32, 32)).sum(0) % 2 * 2 - 1) * 60
    others = [np.clip(first + one, 0, 255).astype(np.uint8) for one in (*noise, checkers)]
    assert near_copies(np.stack([first, *others, first])) == [[0, 5]]


@given(seed=st.integers(0, 1000), n=st.integers(0, 60), flips=st.integers(0, 12))
def test_all_pairs_within_the_radius_are_found_and_no_others(seed, n, flips):
    chance = np.random.default_rng(seed)
    values = chance.integers(0, 2**63, n, dtype=np.uint64)
    turned = [
        value ^ np.bitwise_or.reduce(np.uint64(1) << chance.integers(0, 64, flips, dtype=np.uint64), initial=0)
        for value in values
    ]
    values = np.unique(np.array([*values, *turned], dtype=np.uint64))
    found = {pair for left, right in candidates(values) for pair in zip(left.tolist(), right.tolist(), strict=True)}
    distance = np.bitwise_count(values[:, None] ^ values[None])
    expected = {(i, j) for i in range(len(values)) for j in range(i + 1, len(values)) if distance[i, j] <= RADIUS}
    assert found == expected


def test_blocks_do_not_change_what_is_found(monkeypatch):
    values = np.unique(np.random.default_rng(0).integers(0, 2**10, 200, dtype=np.uint64))
    whole = {pair for left, right in candidates(values) for pair in zip(left.tolist(), right.tolist(), strict=True)}
    monkeypatch.setattr(perceptual, "BLOCK", 7)
    pieces = {pair for left, right in candidates(values) for pair in zip(left.tolist(), right.tolist(), strict=True)}
    assert pieces == whole != set()


@given(pairs=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=30))
def test_groups_are_the_connected_parts(pairs):
    groups = Groups()
    groups.join_all(pairs)
    parts = [{i} for i in range(21)]
    for one, other in pairs:
        mine, theirs = (next(part for part in parts if i in part) for i in (one, other))
        if mine is not theirs:
            parts.remove(theirs)
            mine |= theirs
    assert groups.of_two_or_more() == sorted(sorted(part) for part in parts if len(part) > 1)


@pytest.mark.slow
def test_on_photographs(shared):
    """What `ALIKE` rests on: changed photographs are found again, and of 10 million different pairs none is taken for one."""
    files = [
        *sorted((shared / "data/cats_and_dogs_filtered").rglob("*.jpg")),
        *sorted((shared / "data/imagenette_mini").rglob("*.*")),
    ]
    pictures = np.stack([greys(decode(file, at_least=128)) for file in files])
    names = [[files[i].name for i in group] for group in near_copies(pictures)]
    assert names == [["dog.180.jpg", "dog.74.jpg"]]  # they are one picture, compressed twice
    chosen = np.random.default_rng(0).choice(len(files), 300, replace=False)
    for change, least in {
        "quality 30": 0.99,
        "quality 10": 0.98,
        "half": 0.98,
        "double": 0.99,
        "quarter, quality 50": 0.98,
        "square": 0.99,
    }.items():
        changed = np.stack([greys(CHANGES[change](decode(files[i]))) for i in chosen])
        groups = near_copies(np.concatenate([pictures[chosen], changed]))
        found = sum([i, 300 + i] in groups for i in range(300))
        print(f"{change}: {found / 300:.3f}")
        assert found >= least * 300, change
