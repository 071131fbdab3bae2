"""The steps of the "Rethinking" paper: each alone, several together, and names that are none."""

from __future__ import annotations

import pytest

from inceptions.architecture import cost, declare
from inceptions.architecture.catalogue import steps
from inceptions.architecture.cost import Bill
from inceptions.architecture.declaration import leaves
from inceptions.architecture.nodes import Conv
from inceptions.errors import UsageError


def reductions(bill: Bill, what: str) -> list[int]:
    """Channels or multiply-adds of the two modules that halve the map."""
    found = [node for node in bill.nodes if node.name in ("mixed_6a", "mixed_7a")]
    return [node.output.channels if what == "channels" else node.macs for node in found]


def test_each_step_of_the_ladder_changes_what_it_says() -> None:
    whole = cost(declare("inception_v3/paper"))
    step = {name: cost(declare(f"inception_v3/paper-{name}")) for name in steps("inception_v3", "paper")}
    # Two 3x3 cost 18/25 of a 5x5, here on 96 of 288 filters; 1x7 and 7x1 cost 2/7 of a 7x7.
    assert step["5x5"].macs > whole.macs
    assert step["7x7"].macs > 1.5 * whole.macs
    kernels = {node.window for _, node in leaves(step["7x7"].architecture.trunk) if isinstance(node, Conv)}
    assert kernels == {(1, 1), (3, 3), (7, 7), (1, 3), (3, 1)}
    assert step["pool_first"].params < whole.params
    assert reductions(step["pool_first"], "channels") == [288, 768]
    assert reductions(step["convolution"], "channels") == [384 + 96, 320 + 192]
    # Figure 9's right side: the same weights on a map four times as large.
    assert step["pool_last"].params == whole.params
    assert 2 < sum(reductions(step["pool_last"], "macs")) / sum(reductions(whole, "macs")) < 4.5
    assert step["7x7_stem"].nodes[0].op == "conv 7×7/2"
    assert whole.layers_with_heads.batch_norms - step["plain_aux"].layers_with_heads.batch_norms == 1


def test_steps_combine_in_any_order() -> None:
    found = declare("inception_v3", "paper-plain_aux-7x7-pool_last")
    assert found.full_name == "inception_v3/paper-7x7-pool_last-plain_aux"
    assert found == declare("inception_v3/paper-7x7-pool_last-plain_aux")
    assert found.summary.count(";") == 2
    # The two names of one trunk.
    for v3, v2 in (("paper-plain_aux", "table_1"), ("paper-7x7_stem-plain_aux", "paper")):
        assert declare("inception_v3", v3).trunk == declare("inception_v2", v2).trunk
        assert declare("inception_v3", v3).heads == declare("inception_v2", v2).heads


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("inception_v3/paper-9x9", "Unknown step of the ladder '9x9'"),
        ("inception_v3/paper-", "Unknown step of the ladder ''"),
        ("inception_v3/paper-5x5-5x5", "changes one twice"),
        ("inception_v3/paper-pool_last-convolution", "changes one twice"),
        ("inception_v3/fid-5x5", "Unknown variant of inception_v3"),
        ("inception_v2/paper-5x5", "Unknown variant of inception_v2"),
        ("inception_v3/paper_5x5", "Unknown variant of inception_v3"),
    ],
)
def test_steps_that_do_not_exist(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        declare(name)
