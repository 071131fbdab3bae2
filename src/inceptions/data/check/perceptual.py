"""The same picture under another file: re-encoded, resized, recompressed. Found without comparing each image with each.

A picture is reduced to 32 × 32 greys, and those to 64 bits: which of the low frequencies of their cosine transform are above
the median (pHash; Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", section 3.2.1). Pictures
whose bits differ in few places are candidates; the greys decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inceptions.data.check.groups import Groups

SIDE = 32
LOW = 8
"""Frequencies 1 to 8 of each direction: 64 bits."""

RADIUS = 7
"""Bits in which the hashes of two candidates may differ."""

BANDS = 4
BAND_BITS = 16
"""Of 7 differing bits at most one falls into the band of 16 that has the fewest of them, so one look-up with each of its bits
turned, and one with none, finds all candidates."""

ALIKE = 0.98
"""Correlation of the greys from which two candidates are one picture. Of the ten million pairs of 4,500 photographs (cats,
dogs, ten classes of ImageNet) no two different ones of hashes that near reach 0.9; after a JPEG of quality 10, and at half,
double or a quarter of the size, 99 % of them stay above (`tests/data/check/test_perceptual.py`, slow). Cropped pictures are
others."""

FLAT = 3.0
"""Standard deviation of the greys, 0 to 255, below which there is nothing in a picture to know it by."""

BLOCK = 2**20


def greys(image: Image.Image) -> NDArray[np.uint8]:
    """An image in mode RGB as `[32, 32]` greys, antialiased."""
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def hashes(pictures: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """64 bits for each picture.

    Args:
        pictures: `[n, 32, 32]`, from `greys`.

    Returns:
        uint64, `[n]`; small changes of a picture change few bits.
    """
    places = np.arange(SIDE) + 0.5
    cosines = np.cos(np.pi / SIDE * np.arange(1, LOW + 1)[:, None] * places).astype(np.float32)  # DCT-II, [8, 32]
    packed = []
    for start in range(0, len(pictures), 4096):
        waves = (cosines @ pictures[start : start + 4096].astype(np.float32) @ cosines.T).reshape(-1, LOW * LOW)
        above = waves > np.median(waves, axis=1, keepdims=True)
        packed.append(np.packbits(above, axis=1).view(np.uint64)[:, 0])
    return np.concatenate(packed) if packed else np.empty(0, np.uint64)


def near_copies(pictures: NDArray[np.uint8]) -> list[list[int]]:
    """Groups of pictures that are the same.

    Args:
        pictures: `[n, 32, 32]`, from `greys`. Flat ones are left out: they are all alike.

    Returns:
        The groups of two or more, as rising indices.
    """
    rough = np.flatnonzero(pictures.std(axis=(1, 2)) >= FLAT)
    groups = Groups()
    members: dict[int, list[int]] = defaultdict(list)
    for i, value in zip(rough.tolist(), hashes(pictures[rough]).tolist(), strict=True):
        members[value].append(i)
    # Of equal hashes one stands for those that look like it, so that a thousand copies are compared a thousand times.
    speakers = {value: _speakers(alike, pictures, groups) for value, alike in members.items()}
    values = np.array(sorted(members), dtype=np.uint64)
    for left, right in candidates(values):
        for a, b in zip(values[left].tolist(), values[right].tolist(), strict=True):
            for one in speakers[a]:
                others = np.array(speakers[b])
                groups.join_all((one, other) for other in others[_correlations(pictures, one, others) >= ALIKE].tolist())
    return groups.of_two_or_more()


def candidates(values: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs of hashes that differ in at most `RADIUS` bits, in blocks; a pair may come more than once.

    Args:
        values: different hashes.

    Yields:
        Indices of the first and of the second hash of each pair.
    """
    assert RADIUS < 2 * BANDS, "two bits may differ in every band"
    for band in range(BANDS):
        part = (values >> np.uint64(band * BAND_BITS)) & np.uint64(2**BAND_BITS - 1)
        order = np.argsort(part, kind="stable")
        sorted_part = part[order]
        for turned in (0, *(1 << bit for bit in range(BAND_BITS))):
            wanted = part ^ np.uint64(turned)
            first = np.searchsorted(sorted_part, wanted, "left")
            counts = np.searchsorted(sorted_part, wanted, "right") - first
            ends = np.cumsum(counts)
            start = 0
            while start < len(values):  # so many rows at a time that their partners fill a block
                done = ends[start - 1] if start else 0
                stop = max(start + 1, int(np.searchsorted(ends, done + BLOCK, "right")))
                left = np.repeat(np.arange(start, stop), counts[start:stop])
                offset = np.arange(len(left)) - np.repeat(ends[start:stop] - counts[start:stop] - done, counts[start:stop])
                right = order[np.repeat(first[start:stop], counts[start:stop]) + offset]
                near = (left < right) & (np.bitwise_count(values[left] ^ values[right]) <= RADIUS)
                yield left[near], right[near]
                start = stop


def _speakers(alike: Sequence[int], pictures: NDArray[np.uint8], groups: Groups) -> list[int]:
    """Join those of some pictures of one hash that are the same; one of each remains."""
    left, speakers = np.array(alike), []
    while len(left):
        speaker, left = int(left[0]), left[1:]
        same = _correlations(pictures, speaker, left) >= ALIKE
        groups.join_all((speaker, other) for other in left[same].tolist())
        speakers.append(speaker)
        left = left[~same]
    return speakers


def _correlations(pictures: NDArray[np.uint8], one: int, others: NDArray[np.intp]) -> NDArray[np.float32]:
    """Of the greys of one picture with those of others."""
    rows = pictures[np.concatenate([[one], others])].reshape(1 + len(others), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    products: NDArray[np.float32] = rows[1:] @ rows[0]
    return products
