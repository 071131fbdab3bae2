from __future__ import annotations

from inceptions.architecture import cost, declare
from inceptions.architecture.bottleneck import bottleneck
from inceptions.architecture.table import table
from inceptions.architecture.text import bottleneck_text, table_text


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
