"""Things that belong together, found pair by pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence


class Groups:
    """Numbers in groups; whatever was joined, directly or through others, is in one (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def find(self, one: int) -> int:
        """The smallest member of the group of `one`."""
        root = one
        while (above := self._parent.get(root, root)) != root:
            root = above
        while one != root:  # so that the next way up is short
            self._parent[one], one = root, self._parent.get(one, root)
        return root

    def join(self, one: int, other: int) -> None:
        """Put the groups of two numbers together."""
        low, high = sorted((self.find(one), self.find(other)))
        self._parent.setdefault(low, low)
        self._parent[high] = low

    def join_all(self, pairs: Iterable[Sequence[int]]) -> None:
        """Join each pair."""
        for one, other in pairs:
            self.join(int(one), int(other))

    def of_two_or_more(self) -> list[list[int]]:
        """The groups of several, each rising, by their first members."""
        groups: dict[int, list[int]] = defaultdict(list)
        for one in sorted(self._parent):
            groups[self.find(one)].append(one)
        return [group for group in groups.values() if len(group) > 1]
