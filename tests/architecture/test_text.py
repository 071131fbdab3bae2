from __future__ import annotations

import csv
import io

import pytest

from inceptions.architecture import cost, declare
from inceptions.architecture.bottleneck import bottleneck
from inceptions.architecture.memory import Memory
from inceptions.architecture.table import table
from inceptions.architecture.text import bottleneck_text, memory_text, network_text, read_size, table_csv, table_text
from inceptions.errors import UsageError


def test_columns_are_aligned_and_nothing_is_cut() -> None:
    source = table(cost(declare("googlenet")))
    lines = table_text(source).splitlines()
    body = lines[2 : 2 + len(source.rows)]
    for row, line in zip(source.rows, body, strict=True):
        assert [cell for cell in row if cell] == [cell.strip() for cell in line.split("  ") if cell.strip()]
    at = source.headings.index("params")
    ends = {line.index(row[at]) + len(row[at]) for row, line in zip(source.rows, body, strict=True) if row[at]}
    assert len(ends) == 1, "numbers end in one column"
    assert lines[-len(source.remarks) :] == list(source.remarks)


def test_the_bottleneck_adds_up() -> None:
    text = bottleneck_text(bottleneck())
    assert "28·28·32 · 5·5·192    120,422,400" in text
    assert "28·28·16 · 192          2,408,448" in text
    assert "28·28·32 · 5·5·16      10,035,200" in text
    assert "12,443,648" in text
    assert "saves 89.7 % of them: 9.7 times fewer" in text


def test_csv_holds_numbers() -> None:
    bill = cost(declare("googlenet"))
    rows = list(csv.DictReader(io.StringIO(table_csv(table(bill)))))
    assert [row["layer"] for row in rows] == [node.name for node in (*bill.nodes, *bill.heads)]
    assert [int(row["params"] or 0) for row in rows] == [node.params for node in (*bill.nodes, *bill.heads)]
    assert [int(row["mult-adds"] or 0) for row in rows] == [node.macs for node in (*bill.nodes, *bill.heads)]
    assert sum(float(row["share %"] or 0) for row in rows) == pytest.approx(100, abs=0.5)
    assert rows[0]["paper: params"] == "2.7K*"


def test_memory_in_words() -> None:
    peaks = Memory(batch=8, weights=0, images=0, optimiser=0, inference=3 * 2**20, training=3 * 2**30)
    assert memory_text(peaks).splitlines() == [
        "To predict 8 images at a time takes 3.0 MiB of memory.",
        "To train on 8 images at a time takes 3,072.0 MiB of memory (AdamW).",
    ]


def test_a_network_says_what_it_claims() -> None:
    lines = network_text("inception_v3").splitlines()
    assert lines[0] == "inception_v3"
    assert lines[1].startswith("  torchvision: the released network")
    assert lines[2] == "    any size from 75×75, published 299×299; auxiliary heads: aux_6e"
    assert "any size from 46×46, published 150×150; auxiliary heads: none" in network_text("plain_cnn")
    assert "auxiliary heads: aux_3c, aux_4e (if asked for)" in network_text("bn_inception")
    assert lines[-1].startswith("    without any of its steps, as paper-5x5 or paper-7x7_stem-plain_aux: 5x5, 7x7, convolution")


@pytest.mark.parametrize(("written", "size"), [("299", (299, 299)), ("299x224", (299, 224)), ("75×400", (75, 400))])
def test_a_size_is_a_side_or_height_and_width(written: str, size: tuple[int, int]) -> None:
    assert read_size(written) == size


@pytest.mark.parametrize("written", ["", "x", "299x", "x299", "-5", "1e3", "2x3x4", "299 x 299"])
def test_what_is_no_size(written: str) -> None:
    with pytest.raises(UsageError, match="299x224"):
        read_size(written)
