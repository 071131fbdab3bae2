"""Cost tables: memory, batches, and networks side by side."""

from __future__ import annotations

import pytest

from inceptions.architecture import Options, cost, declare
from inceptions.architecture.memory import memory
from inceptions.architecture.table import comparison, table


def column(name: str, heading: str, batch: int = 1) -> list[str]:
    laid = table(cost(declare(name)), batch=batch)
    at = laid.headings.index(heading)
    return [row[at] for row in (*laid.rows, laid.total)]


def test_memory_is_that_of_the_activations() -> None:
    # The first row of the stem: 32 maps of 149x149, 4 bytes a value.
    assert column("inception_v3", "memory")[0] == f"{32 * 149 * 149 * 4 / 2**20:.1f}"
    assert column("inception_v3", "memory", batch=8)[0] == f"{8 * 32 * 149 * 149 * 4 / 2**20:.1f}"


def test_shares_add_up() -> None:
    shares = [float(cell.removesuffix(" %")) for cell in column("inception_v4", "share")[:-1] if cell]
    assert sum(shares) == pytest.approx(100, abs=0.5)


def test_published_columns_stand_only_beside_the_published_network() -> None:
    assert "paper: output" in table(cost(declare("inception_v4"))).headings
    for changed in (Options(width=0.5), Options(depth=2), Options(padding="same"), Options(in_channels=1)):
        assert "paper: output" not in table(cost(declare("inception_v4", options=changed))).headings
    assert "paper: output" not in table(cost(declare("inception_v4"), (331, 331))).headings


@pytest.mark.parametrize("changed", [Options(num_classes=10), Options(until="inception_5b"), Options(until="inception_4a")])
def test_another_classifier_is_not_beside_the_papers(changed: Options) -> None:
    printed = {node["name"]: node["published"] for node in cost(declare("googlenet", options=changed)).to_dict()["nodes"]}
    assert printed["inception_3a"] == {"output": "28×28×256", "params": "159K", "ops": "128M", "remark": ""}
    assert printed["main.logits"] is None
    whole = cost(declare("googlenet")).to_dict()["nodes"]
    assert whole[-1]["published"] == {"output": "1×1×1000", "params": "1000K", "ops": "1M", "remark": ""}
    assert "9,408" in whole[0]["published"]["remark"]


def test_shares_of_the_whole_in_json() -> None:
    document = cost(declare("inception_resnet_v1/paper")).to_dict()
    assert sum(node["share"] for node in document["nodes"]) == pytest.approx(1, abs=1e-4)
    module = next(node for node in document["nodes"] if node["name"] == "mixed_6a")
    assert sum(branch["share"] for branch in module["nodes"]) == pytest.approx(module["share"], abs=1e-5)
    assert [head["share"] for head in cost(declare("inception_v3")).to_dict()["heads"]] == [None]


def test_a_misprint_is_marked_where_it_is_printed() -> None:
    laid = table(cost(declare("inception_resnet_v2/paper")))
    at = laid.headings.index("paper: output")
    assert {row[at] for row in laid.rows if row[0] == "block17_10"} == {"17×17×1154*"}


def test_comparison_has_a_row_for_each() -> None:
    laid = comparison([cost(declare(name)) for name in ("googlenet", "inception_resnet_v2")])
    assert [row[0] for row in laid.rows] == ["googlenet/bn", "inception_resnet_v2/released"]
    assert all(len(row) == len(laid.headings) for row in laid.rows)
    assert laid.rows[1][laid.headings.index("params")] == "55,843,464"


def test_every_column_has_a_name_of_its_own() -> None:
    bills = [cost(declare("googlenet"))]
    for laid in (table(bills[0]), comparison(bills)):
        assert len(set(laid.headings)) == len(laid.headings)


def test_comparison_says_what_a_batch_takes() -> None:
    bill = cost(declare("googlenet"), (160, 192))
    laid = comparison([bill], batch=8)
    peaks = memory(bill.architecture, (160, 192), batch=8)
    cells = dict(zip(laid.headings, laid.rows[0], strict=True))
    assert cells["to predict"] == f"{peaks.inference / 2**20:,.1f}"
    assert cells["to train"] == f"{peaks.training / 2**20:,.1f}"
    assert "8 images at a time" in laid.remarks[0]
