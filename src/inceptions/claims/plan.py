"""How many seeds a budget buys. It is decided before anything runs, from declared costs, never from the clock.

So the same budget gives the same figures on a slow machine as on a fast one; a slow one only needs longer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inceptions.claims.claim import Claim
from inceptions.claims.statistics import FEWEST
from inceptions.errors import UsageError

# The declared costs are seconds of one such core; a budget is understood as two of them for that long. The rest of the time
# is for what the costs leave out: importing, drawing, the report, and cores that are slower than the reference.
CORES = 2
USED = 0.6
# More seeds narrow an interval by little.
MOST = 32


@dataclass(frozen=True)
class Plan:
    """What is going to run.

    Attributes:
        claims: in order of their numbers.
        seeds: of each trained or timed claim.
        budget: in minutes, as it was asked for.
        seconds: processor time that this should take on the reference machine.
    """

    claims: tuple[Claim, ...]
    seeds: int
    budget: float
    seconds: float


def plan(claims: Sequence[Claim], budget: float, *, full: bool = False) -> Plan:
    """Divide a budget: all claims get the same number of seeds, so that one's share is in proportion to its declared cost.

    Args:
        claims: what is to run.
        budget: minutes of two cores.
        full: at the papers' sizes, where no cost is declared: every claim gets the fewest seeds that can decide it.

    Raises:
        UsageError: the budget does not pay for the fewest seeds that can decide anything.
    """
    each = sum(claim.seconds for claim in claims)
    available = budget * 60 * CORES * USED
    if full or not each:
        return Plan(tuple(claims), FEWEST, budget, FEWEST * each)
    if available < FEWEST * each:
        least = -(-FEWEST * each // (60 * CORES * USED))
        raise UsageError(
            f"A budget of {budget:g} minutes does not pay for {FEWEST} seeds of each of these claims, and fewer "
            f"decide nothing. Give at least --budget {least:.0f}m, or run fewer claims."
        )
    seeds = min(MOST, int(available // each))
    return Plan(tuple(claims), seeds, budget, seeds * each)


def minutes(text: str) -> float:
    """A budget as people write it: "30m", "1h", "90s".

    Raises:
        UsageError: it is no such thing.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)", text.strip())
    if found is None or float(found[1]) == 0:
        raise UsageError(f"A budget is a time such as 30m, 1h or 90s, not {text!r}.")
    return float(found[1]) * {"s": 1 / 60, "m": 1, "h": 60}[found[2]]
