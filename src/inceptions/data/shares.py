"""What each of several processes takes of a batch."""

from __future__ import annotations

from typing import NamedTuple


class Member(NamedTuple):
    """One of several processes.

    Attributes:
        rank: its number, from 0.
        size: how many there are.
    """

    rank: int
    size: int


ALONE = Member(0, 1)


def share(n: int, member: Member) -> range:
    """Which images of a batch of `n` a process takes: neighbours, as many as the others to within one.

    Batch norm needs two images, so of a batch with fewer than two for each process some get none of their own; they repeat the
    first one's, which then count nothing (`counts`), because all processes must take part in every update.
    """
    parts = _parts(n, member)
    place = member.rank if member.rank < parts else 0
    return range(n * place // parts, n * (place + 1) // parts)


def counts(n: int, member: Member) -> bool:
    """Whether a process's share of a batch of `n` is its own."""
    return member.rank < _parts(n, member)


def _parts(n: int, member: Member) -> int:
    return max(1, min(member.size, n // 2))
