from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inceptions.evaluate.crops import SCALES, Crop, crops, default_scales, resized

SIDES = st.integers(1, 3000)


def published(height: int, width: int, scales: tuple[int, ...], size: int) -> Counter[tuple[int, int, int, int, bool]]:
    """GoogLeNet's 144, written down a second time from the paper's sentence (section 7), by points on the two sides."""
    found: Counter[tuple[int, int, int, int, bool]] = Counter()
    for scale in scales:
        h, w = (scale, int(scale * width / height)) if height <= width else (int(scale * height / width), scale)
        squares = [(int((h - scale) * part / 2), int((w - scale) * part / 2)) for part in (0, 1, 2)]
        for y, x in squares:
            end, middle = scale - size, int((scale - size) / 2)
            five = [(y, x), (y, x + end), (y + end, x), (y + end, x + end), (y + middle, x + middle)]
            for mirrored in (True, False):
                found.update((scale, top, left, size, mirrored) for top, left in five)
                found[scale, y, x, scale, mirrored] += 1
    return found


def counted(found: list[Crop]) -> Counter[tuple[int, int, int, int, bool]]:
    return Counter((one.shorter, one.top, one.left, one.side, one.mirrored) for one in found)


@settings(max_examples=150, deadline=None)
@given(SIDES, SIDES, st.sampled_from([224, 299, 64]))
@example(1, 1, 224)
@example(1, 3000, 224)
@example(3000, 1, 299)
def test_144_against_a_second_enumeration(height: int, width: int, size: int) -> None:
    scales = default_scales(size)
    found = crops("144", (height, width), size=size, scales=scales)
    assert len(found) == 144
    assert counted(found) == published(height, width, scales, size)


@settings(max_examples=100, deadline=None)
@given(SIDES, SIDES, st.integers(8, 300), st.sampled_from([("10", 10), ("12", 12), ("144", 36)]), st.integers(0, 90))
def test_count_bounds_and_mirrors(height: int, width: int, size: int, kind: tuple[str, int], more: int) -> None:
    name, count = kind
    scales = (size + more, 2 * size)
    found = crops(name, (height, width), size=size, scales=scales)
    assert len(found) == count * len(scales)
    for one in found:
        h, w = resized((height, width), one.shorter)
        assert 0 <= one.top <= one.top + one.side <= h
        assert 0 <= one.left <= one.left + one.side <= w
        assert one.side in (size, one.shorter)
    for plain, mirror in zip(found[::2], found[1::2], strict=True):
        assert mirror == replace(plain, mirrored=True) != plain


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES)
def test_coverage(height: int, width: int) -> None:
    """Every pixel of the three squares; they are the whole image if its aspect is at most 3."""
    for scale in SCALES:
        h, w = resized((height, width), scale)
        found = [one for one in crops("144", (height, width), size=224, scales=(scale,)) if one.side == 224]
        along = {(one.top, one.left)[h <= w] for one in found}
        across = {(one.top, one.left)[h > w] for one in found}
        assert covered(across, 224) == set(range(scale))
        seen, whole = covered(along, 224), max(h, w)
        spare = whole - scale
        assert seen == {i for start in (0, spare // 2, spare) for i in range(start, start + scale)}
        assert (seen == set(range(whole))) == (whole <= 3 * scale)


def covered(starts: set[int], length: int) -> set[int]:
    return {i for start in starts for i in range(start, start + length)}


def test_ten_by_hand() -> None:
    found = crops("10", (300, 400), size=224, scales=(256,))
    assert resized((300, 400), 256) == (256, 341)
    plain = [(one.top, one.left) for one in found if not one.mirrored]
    assert plain == [(0, 42), (0, 74), (32, 42), (32, 74), (16, 58)]
    twelve = crops("12", (300, 400), size=224, scales=(256,))
    assert twelve[:10] == found
    assert (twelve[10].top, twelve[10].left, twelve[10].side) == (0, 42, 256)


@pytest.mark.parametrize(("size", "scales"), [(224, SCALES), (299, (342, 384, 427, 470))])
def test_scales_go_with_the_size(size: int, scales: tuple[int, ...]) -> None:
    assert default_scales(size) == scales
