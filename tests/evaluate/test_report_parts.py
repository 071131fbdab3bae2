from __future__ import annotations

import base64
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import binomtest

from inceptions.evaluate.evaluation import Evaluation, score
from inceptions.evaluate.metrics import BINS, outcomes, reliability
from inceptions.evaluate.report.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Line, chart, label, ticks
from inceptions.evaluate.report.confusion import PAIRS_BESIDE, TABLE, confusion
from inceptions.evaluate.report.mistakes import LARGEST, jpeg
from inceptions.evaluate.report.reliability import bins, mean_confidence, sureness, wilson
from inceptions.evaluate.report.verdict import interval_of, quoted


def evaluated(n: int, classes: int, seed: int = 0, favour: float = 2.0) -> Evaluation:
    chance = np.random.default_rng(seed)
    labels = chance.integers(classes, size=n)
    scores = chance.normal(size=(n, classes)).astype(np.float32)
    scores[np.arange(n), labels] += favour
    names = tuple(f"class {i}" for i in range(classes))
    return score(scores, labels.tolist(), names, protocol="once", precision="fp32", indices=tuple(range(n)))


numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 6))


@given(numbers, numbers)
def test_ticks_hold_the_values_and_are_round(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    found = ticks(low, high)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert 2 <= len(found) <= 8
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert found == sorted(set(found))
    labels = [label(value, found) for value in found]
    assert len(set(labels)) == len(labels), "no two marks look the same"


def test_ticks_stay_within_bounds() -> None:
    assert ticks(97.2, 99.9, bounds=(0, 100))[-1] <= 100
    assert ticks(100, 100, bounds=(0, 100)) == [97.5, 100] or ticks(100, 100, bounds=(0, 100))[-1] == 100
    assert ticks(0, 0.3, bounds=(0, math.inf))[0] == 0


@given(st.lists(st.tuples(st.integers(1, 90), numbers), min_size=1, max_size=60, unique_by=lambda point: point[0]))
def test_every_point_lies_between_the_axes(points: list[tuple[int, float]]) -> None:
    line = Line("l", "train", tuple(sorted((float(x), y) for x, y in points)))
    found = chart([line], title="t")
    places = [tuple(map(float, piece.split())) for piece in found.lines[0].path[1:].split("L")]
    assert len(places) == len(points)
    for x, y in [*places, *found.lines[0].dots]:
        assert LEFT - 0.1 <= x <= WIDTH - RIGHT + 0.1
        assert TOP - 0.1 <= y <= HEIGHT - BOTTOM + 0.1
    assert found.columns
    # Higher values are higher up, to a rounding of the path.
    for (_, one), (_, y1) in zip(line.points, places, strict=True):
        for (_, other), (_, y2) in zip(line.points, places, strict=True):
            assert one <= other or y1 <= y2 + 0.1


@given(st.integers(1, 500), st.data())
def test_wilson_is_scipys(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right / n, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_bins_are_where_their_answers_are() -> None:
    evaluation = evaluated(500, 3)
    assert evaluation.outcomes is not None
    found = bins(evaluation.reliability)
    assert sum(one.n for one in found) == 500
    for one in found:
        inside = (evaluation.outcomes.confidence > one.low) & (evaluation.outcomes.confidence <= one.high)
        assert inside.sum() == one.n
    assert mean_confidence(evaluation) == pytest.approx(evaluation.outcomes.confidence.mean())
    edges = outcomes(np.log([[7 / BINS, 1 - 7 / BINS]]), [1])
    assert len(bins(reliability(edges))) == 1


@pytest.mark.parametrize(("scale", "kind"), [(10.0, "over"), (0.1, "under")])
def test_sureness(scale: float, kind: str) -> None:
    chance = np.random.default_rng(0)
    labels = chance.integers(4, size=300)
    scores = chance.normal(size=(300, 4))
    scores[np.arange(300), labels] += 1.5
    evaluation = score((scale * scores).astype(np.float32), labels.tolist(), tuple("abcd"), protocol="", precision="fp32")
    assert sureness(evaluation) == kind


def test_confusion_counts_every_image() -> None:
    evaluation = evaluated(400, TABLE)
    found = confusion(evaluation)
    assert sum(found.sums) == 400
    assert found.picture is None
    assert sum(row[i] for i, row in enumerate(found.matrix)) == round(400 * evaluation.top1)
    assert list(found.pairs) == sorted(found.pairs, key=lambda pair: -pair.n if pair.n else 0)
    assert len(found.pairs) == min(PAIRS_BESIDE, found.different)


def test_many_classes_are_a_picture_of_transparent_points() -> None:
    evaluation = evaluated(2000, 200, favour=4)
    found = confusion(evaluation)
    assert found.matrix == ()
    assert found.picture is not None
    content = base64.b64decode(found.picture.partition(",")[2])
    assert len(content) < 100_000
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.mode == "RGBA"
        assert picture.width == picture.height >= 400
        pixels = np.asarray(picture)[::2, ::2]
    assert (pixels[np.arange(200), np.arange(200), 3] > 0).sum() == sum(one.correct > 0 for one in evaluation.per_class)
    assert (pixels[..., 3] > 0).sum() == len(evaluation.confusion)


@pytest.mark.parametrize("size", [(224, 224), (224, 90), (900, 900), (1, 3)])
def test_pictures_are_small_whatever_is_on_them(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(256, size=(*size[::-1], 3), dtype=np.uint8)
    address = jpeg(Image.fromarray(noise))
    assert len(address) <= LARGEST
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
        assert picture.width / picture.height == pytest.approx(size[0] / size[1], rel=0.05)


def test_the_interval_has_a_width_even_if_all_is_right() -> None:
    evaluation = evaluated(60, 2, favour=50)
    assert evaluation.top1 == 1
    low, high = interval_of(evaluation)
    assert high == 1
    assert low == pytest.approx(0.025 ** (1 / 60))


def test_a_name_in_a_sentence_is_short_and_keeps_its_direction() -> None:
    assert len(quoted("w" * 300)) < 70
    assert quoted("a") == "“\u2068a\u2069”"


@pytest.mark.parametrize(("name", "size"), [("plain_cnn", 64), ("googlenet", 32), ("googlenet", 96)])
def test_grad_cam_looks_where_places_are_told_apart(name: str, size: int) -> None:
    """Small images are single places before the classifier: there every picture would be of one colour."""
    from inceptions.network import create_model
    from inceptions.predict.explain import pairs
    from inceptions.weights import Card, Preprocess

    network = create_model(name, num_classes=3, width=0.25, depth=0.4, seed=0).eval()
    architecture = network.architecture
    card = Card(
        architecture=name,
        variant=architecture.variant,
        options=architecture.options,
        classes=("a", "b", "c"),
        preprocess=Preprocess(size=(size, size), resize="exact"),
    )
    photograph = Image.fromarray(np.random.default_rng(0).integers(256, size=(60, 90, 3), dtype=np.uint8))
    seen, marked = pairs(network, card, device="cpu", side=120)(photograph, 1)
    assert seen.size == marked.size == (120, 80)
    tint = np.asarray(marked)[..., 0].astype(int) - np.asarray(marked)[..., 2]
    assert np.ptp(tint) > 8, "heat of one strength would tint every place alike"
