"""GoogLeNet's declaration against the published counts and the paper's Table 1."""

from __future__ import annotations

import re

import pytest

from inceptions.architecture import Options, cost, declare
from inceptions.architecture.bottleneck import bottleneck
from inceptions.architecture.googlenet import PUBLISHED, TABLE_1
from inceptions.architecture.nodes import Concat
from inceptions.architecture.table import table
from inceptions.errors import UsageError


@pytest.mark.parametrize(
    ("name", "params", "with_heads", "macs", "macs_with_heads"),
    [
        # Parameters: torchvision's and Caffe's own networks; multiply-adds: convolutions and dense layers at 224x224.
        ("googlenet/bn", 6_624_904, 13_004_888, 1_498_376_192, 1_506_748_416),
        ("googlenet/paper", 6_998_552, 13_378_280, 1_582_671_872, 1_591_044_096),
    ],
)
def test_counts(name: str, params: int, with_heads: int, macs: int, macs_with_heads: int) -> None:
    bill = cost(declare(name))
    assert (bill.params, bill.params_with_heads) == (params, with_heads)
    assert (bill.macs, bill.macs_with_heads) == (macs, macs_with_heads)


def test_the_default_is_the_variant_with_published_weights() -> None:
    assert declare("googlenet").full_name == "googlenet/bn"


def test_modules_have_the_shapes_of_table_1() -> None:
    shapes = {node.name: str(node.output) for node in cost(declare("googlenet/paper")).nodes}
    for name, row in PUBLISHED.items():
        if row.output:
            assert shapes[name] == row.output, name


@pytest.mark.parametrize("row", [row for row in TABLE_1 if not row.remark], ids=lambda row: row.name)
def test_printed_figures_are_near_ours(row) -> None:
    """The paper's own columns are inexact; where no misprint is noted they are within 5 % of the count."""
    node = next(node for node in cost(declare("googlenet/paper")).nodes if node.name == row.name)
    assert int(row.params.removesuffix("K")) * 1e3 == pytest.approx(node.params, rel=0.05)
    assert int(row.ops.removesuffix("M")) * 1e6 == pytest.approx(node.macs, rel=0.01)


def test_the_naive_module_joins_its_input_to_its_filters() -> None:
    bill = cost(declare("googlenet/naive"))
    first = next(node for node in bill.nodes if node.name == "inception_3a")
    assert first.output.channels == 64 + 128 + 32 + 192
    assert bill.macs > 8 * cost(declare("googlenet/bn")).macs


def test_reduced_and_naive_modules_have_four_branches() -> None:
    for variant in ("bn", "paper", "naive"):
        modules = [node for node in declare("googlenet", variant).trunk.nodes if isinstance(node, Concat)]
        assert len(modules) == 9
        assert all(len(module.branches) == 4 for module in modules)


def test_bottleneck_is_the_classical_example() -> None:
    example = bottleneck()
    assert example.direct == 120_422_400
    assert (example.reduce, example.behind, example.total) == (2_408_448, 10_035_200, 12_443_648)


def test_the_table_shows_the_papers_columns_and_marks_misprints() -> None:
    printed = table(cost(declare("googlenet/paper")))
    rows = {row[0]: row for row in printed.rows}
    assert rows["inception_3a"][-3:] == ("28×28×256", "159K", "128M")
    assert rows["inception_4c"][-2] == "463K*"
    assert any(remark.startswith("* inception_4c") for remark in printed.remarks)
    assert re.search(r"6,998,552", " ".join(printed.total))
    assert all(len(row) == len(printed.headings) for row in (*printed.rows, printed.total))


def test_parts_add_up() -> None:
    bill = cost(declare("googlenet"))
    document = bill.to_dict()
    assert sum(node["params"] for node in document["nodes"]) == document["params"]
    assert sum(node["macs"] for node in document["nodes"]) == document["macs"]
    module = next(node for node in document["nodes"] if node["name"] == "inception_4b")
    assert sum(branch["params"] for branch in module["nodes"]) == module["params"]
    assert sum(branch["output"][0] for branch in module["nodes"]) == module["output"][0]


def test_receptive_field_of_the_stem() -> None:
    fields = {node.name: node.field for node in cost(declare("googlenet")).nodes}
    # By hand: 7; + 2·2; +0; + 2·4; + 2·4.
    assert [fields[name] for name in ("conv_1", "pool_1", "conv_2_reduce", "conv_2", "pool_2")] == [7, 11, 11, 19, 27]


def test_auxiliary_heads_hang_on_4a_and_4d() -> None:
    assert [(head.name, head.at) for head in declare("googlenet").heads] == [
        ("aux_4a", "inception_4a"),
        ("aux_4d", "inception_4d"),
        ("main", None),
    ]
    assert [head.name for head in declare("googlenet", options=Options(aux=False)).heads] == ["main"]


def test_until_cuts_the_trunk_and_the_heads_behind() -> None:
    cut = declare("googlenet", options=Options(until="inception_4b", num_classes=7))
    assert cut.taps[-1] == "inception_4b"
    assert [head.name for head in cut.heads] == ["aux_4a", "main"]
    assert cost(cut).nodes[-1].output.channels == 7


def test_plain_cnn_is_the_tutorials() -> None:
    # Keras counts 3,453,121 with one sigmoid output; two logits add another 512 weights and a bias.
    assert cost(declare("plain_cnn", options=Options(num_classes=2))).params == 3_453_121 + 513


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: declare("googlnet"), "Did you mean 'googlenet'"),
        (lambda: declare("googlenet/papr"), "Did you mean 'paper'"),
        (lambda: declare("googlenet", options=Options(until="inception_4z")), "inception_4"),
        (lambda: Options(num_classes=0), "num_classes"),
        (lambda: Options(width=-1), "width"),
        (lambda: cost(declare("googlenet"), (8, 224)), "at least 15×15"),
    ],
)
def test_what_cannot_be_declared_is_explained(call, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call()
