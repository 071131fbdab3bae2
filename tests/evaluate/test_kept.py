from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from inceptions.data import open_evaluation
from inceptions.evaluate import Asker, Protocol, default_cache, evaluate_models
from inceptions.evaluate import kept as kept_module

CLASSES = ("blue", "red")


class Counting:
    """Counts how often a network is really asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        real = kept_module.ask

        def ask(*arguments, **options):
            self.asked += 1
            return real(*arguments, **options)

        monkeypatch.setattr(kept_module, "ask", ask)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


def asker(home: Path) -> Asker:
    assert default_cache() == home / "predictions"
    return Asker(workers=0, device="cpu", precision="fp32", cache=default_cache())


def test_one_more_model_costs_one_model(contender, photos: Path, home: Path, counting: Counting) -> None:
    models, images = [contender(i) for i in range(3)], open_evaluation(photos, CLASSES)
    first = evaluate_models(models[:2], images, asker(home), protocol=Protocol())
    assert counting.asked == 2
    evaluate_models(models, images, asker(home), protocol=Protocol())
    assert counting.asked == 3
    again = evaluate_models(models[:2], open_evaluation(photos, CLASSES), asker(home), protocol=Protocol())
    assert counting.asked == 3
    assert again.to_dict() == first.to_dict()
    evaluate_models(models[:2], images, Asker(workers=0, device="cpu", precision="fp32"), protocol=Protocol())
    assert counting.asked == 5, "nothing is kept without a cache"


def test_whatever_decides_the_numbers_asks_anew(contender, photos: Path, home: Path, counting: Counting) -> None:
    one, kept = contender(), asker(home)

    def asked(**how: object) -> bool:
        before = counting.asked
        found = kept.ask(
            one.network, one.card, open_evaluation(photos, CLASSES), **{"protocol": Protocol(), "heads": False, **how}
        )
        assert len(found.main) == len(found.indices)
        return counting.asked > before

    assert asked()
    assert not asked()
    assert asked(protocol=Protocol(crops="10"))
    assert asked(protocol=Protocol(crops="10", average="logits"))
    assert asked(protocol=Protocol(size=56))
    assert not asked(heads=True), "this network has one head only"
    image = photos / "red" / "0.png"
    image.write_bytes((photos / "blue" / "0.png").read_bytes())
    assert asked()
    state = image.stat()
    os.utime(image, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert asked()
    image.unlink()
    assert asked()
    next(iter(one.network.parameters())).data.mul_(1.01)
    assert asked()
    assert not asked()


def test_heads_are_kept_for_the_main_one_too(contender, photos: Path, home: Path, counting: Counting) -> None:
    one = contender(name="googlenet", size=64, width=0.0625, aux=True)
    images, kept = open_evaluation(photos, CLASSES), asker(home)
    ask = {"protocol": Protocol(), "heads": False}
    alone = kept.ask(one.network, one.card, images, **ask)
    every = kept.ask(one.network, one.card, images, **{**ask, "heads": True})
    assert counting.asked == 2
    assert list(every.heads) == ["aux_4a", "aux_4d", "main"]
    again = kept.ask(one.network, one.card, images, **{**ask, "heads": True})
    assert list(again.heads) == ["aux_4a", "aux_4d", "main"]
    main = kept.ask(one.network, one.card, images, **ask)
    assert counting.asked == 2
    assert main.main == pytest.approx(alone.main, abs=1e-5)


@pytest.mark.parametrize("harm", [b"", b"nonsense", None])
def test_a_damaged_entry_is_as_good_as_none(
    contender, photos: Path, home: Path, counting: Counting, harm: bytes | None
) -> None:
    one, images = contender(), open_evaluation(photos, CLASSES)
    (photos / "red" / "9.png").write_bytes(b"")
    found = asker(home).ask(one.network, one.card, images, protocol=Protocol(), heads=False)
    (entry,) = default_cache().iterdir()
    entry.write_bytes(entry.read_bytes()[:-9] if harm is None else harm)
    again = asker(home).ask(one.network, one.card, images, protocol=Protocol(), heads=False)
    assert counting.asked == 2
    assert np.array_equal(again.main, found.main)
    kept = asker(home).ask(one.network, one.card, images, protocol=Protocol(), heads=False)
    assert counting.asked == 2
    assert kept.skipped == found.skipped == ((19, "it is empty"),)
    assert kept.indices == found.indices


def test_a_cache_that_cannot_be_written_stops_nobody(contender, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    one, said = contender(), []
    keeper = Asker(workers=0, device="cpu", cache=tmp_path / "file" / "cache")
    keeper.reporter.say = said.append
    found = keeper.ask(one.network, one.card, open_evaluation(photos, CLASSES), protocol=Protocol(), heads=False)
    assert len(found.main) == 20
    assert said
    assert said[0].startswith("The predictions are not kept: ")


def test_the_oldest_are_given_up(contender, photos: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = open_evaluation(photos, CLASSES)
    for seed in range(3):
        one = contender(seed)
        asker(home).ask(one.network, one.card, images, protocol=Protocol(), heads=False)
        entries = sorted(default_cache().iterdir())
        for entry in entries:
            os.utime(entry, ns=(0, entry.stat().st_mtime_ns - 10**9))
        monkeypatch.setattr(kept_module, "LARGEST", 2 * entries[0].stat().st_size + 10)
    assert len(entries) == 2
