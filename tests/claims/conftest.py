from __future__ import annotations

from collections.abc import Callable

import pytest

from inceptions.claims.claim import Claim, Hypothesis, Panel, Record, digest

Given = dict[str, list[float]]


@pytest.fixture
def claim() -> Claim:
    """A claim that needs no training: its values are a function of the seed."""
    from inceptions.claims.claim import each

    def run(lab, arm: str) -> Record:
        value = 0.5 + (0.2 if arm == "a" else 0.0) + 0.001 * (lab.seed % 7)
        return Record(
            values={"accuracy": value, "chance": 0.1, "milliseconds": 1 + value},
            curves={"accuracy": [(1.0, value / 2), (2.0, value)]},
            trace=digest(arm, lab.seed),
            seconds=0.5,
        )

    return Claim(
        number=1,
        id="tried",
        title="a title",
        statement="A is better than B.",
        source="nobody 2020, section 1",
        experiment="both are asked",
        published="0.1 points",
        arms=("a", "b"),
        trial=each(run),
        hypotheses=(
            Hypothesis(statement="A is better.", quantity="accuracy", more="a", less="b", unit="points"),
            Hypothesis(statement="A is slower.", quantity="milliseconds", more="a", less="b", ratio=True, timed=True),
        ),
        panels=(
            Panel(kind="points", quantity="accuracy", label="accuracy, %", percent=True),
            Panel(kind="curves", quantity="accuracy", label="accuracy, %", percent=True),
        ),
        seconds=1.0,
        learns=("b",),
    )


@pytest.fixture
def seeds() -> Callable[[Given], list[dict[str, Record]]]:
    """Records of as many seeds as there are accuracies, by arm."""

    def make(accuracies: Given) -> list[dict[str, Record]]:
        count = len(next(iter(accuracies.values())))
        return [
            {
                arm: Record(
                    values={"accuracy": values[i], "chance": 0.1, "milliseconds": 1 + values[i]},
                    trace=digest(arm, i, values[i]),
                )
                for arm, values in accuracies.items()
            }
            for i in range(count)
        ]

    return make
