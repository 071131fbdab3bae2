from __future__ import annotations

import json
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inceptions.data import open_evaluation
from inceptions.errors import UsageError
from inceptions.evaluate import Asker, Protocol, compare
from inceptions.evaluate.compare import Change, chosen, compared, mcnemar, write_sheet
from inceptions.evaluate.evaluation import score

CLASSES = ("blue", "red", "$green_{x}$ 緑")
ASKER = Asker(workers=0, device="cpu", precision="fp32")


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_its_closed_form(gained: int, lost: int) -> None:
    """Twice the smaller tail of a fair coin (statsmodels' `mcnemar(exact=True)`), at most 1."""
    n, less = gained + lost, min(gained, lost)
    expected = min(1.0, 2 * sum(comb(n, i) for i in range(less + 1)) / 2**n)
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_on_known_figures() -> None:
    # Agresti's and statsmodels' example: 121 and 59 discordant pairs
    assert mcnemar(121, 59) == pytest.approx(4.434e-06, rel=1e-3)
    assert mcnemar(0, 0) == 1.0


@pytest.fixture
def comparison(photos: Path):
    """Two models' answers to the first six photographs, made up."""
    images = open_evaluation(photos, CLASSES)
    first = np.eye(3, dtype=np.float32)[[0, 1, 1, 0, 2, 0]]
    second = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 1, 0]]
    indices, labels = (0, 1, 2, 4, 5, 7), [0] * 6
    how = {"protocol": "once", "precision": "fp32", "indices": indices}
    one, other = (score(rows, labels, CLASSES, **how) for rows in (first, second))
    together = score(first, labels, CLASSES, models={"a": one, "b": other}, **how)
    return compared(together, images), images


def test_which_images_changed(comparison) -> None:
    found, images = comparison
    assert [(one.path, one.kind, one.answers) for one in found.changes] == [
        (images.names[1], "gained", ("red", "blue")),
        (images.names[4], "lost", ("blue", "red")),
        (images.names[5], "other", (CLASSES[2], "red")),
    ]
    assert found.difference == 0
    assert found.interval[0] < 0 < found.interval[1]
    assert found.p_value == 1.0
    document = json.loads(json.dumps(found.to_dict()))
    assert (document["gained"], document["lost"], document["n"]) == (1, 1, 6)
    assert document["changes"][0]["change"] == "gained"


def test_a_sheet_of_what_changed(comparison, tmp_path: Path) -> None:
    found, images = comparison
    write_sheet(tmp_path / "new" / "sheet.png", found, images)
    with Image.open(tmp_path / "new" / "sheet.png") as sheet:
        sheet.load()
        assert sheet.format == "PNG"
        assert sheet.width > 1000
        pixels = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
    assert (pixels == (20, 40, 200)).all(1).sum() > 1000, "the photographs are on it"


def test_a_sheet_shows_both_kinds() -> None:
    def some(kind: str, n: int) -> list[Change]:
        answers = {"gained": ("x", "y"), "lost": ("y", "x"), "other": ("x", "z")}[kind]
        return [Change(index=i, path="p", label="y", answers=answers, probabilities=(1, 1)) for i in range(n)]

    def counts(gained: int, lost: int, other: int) -> list[int]:
        kinds = [one.kind for one in chosen([*some("gained", gained), *some("lost", lost), *some("other", other)])]
        return [kinds.count(kind) for kind in ("gained", "lost", "other")]

    assert counts(100, 100, 100) == [24, 24, 0]
    assert counts(100, 5, 100) == [43, 5, 0]
    assert counts(3, 100, 100) == [3, 45, 0]
    assert counts(3, 5, 100) == [3, 5, 40]


def test_compares_two_models(contender, photos: Path, tmp_path: Path) -> None:
    images = open_evaluation(photos, CLASSES[:2])
    models = [contender(0), contender(4)]
    found = compare(models, images, ASKER, protocol=Protocol(), sheet=tmp_path / "s.png")
    assert found.names == ("model 0", "model 4")
    assert found.difference == pytest.approx(found.scores[1].top1 - found.scores[0].top1)
    assert (found.count("gained") - found.count("lost")) / 20 == pytest.approx(found.difference)
    assert (tmp_path / "s.png").exists() == bool(found.changes)
    with pytest.raises(UsageError, match="two models, not 1"):
        compare(models[:1], images, ASKER, protocol=Protocol())
    with pytest.raises(UsageError, match="name it"):
        compare(models, images, ASKER, protocol=Protocol(), sheet=tmp_path / "s.html")
