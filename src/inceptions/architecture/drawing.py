"""Things with a size that draw themselves as SVG: a box, a column, columns side by side, a body with its shortcut, a frame.

Each is measured before anything is drawn, so that whatever holds it knows how much room it takes. Lengths are in pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

GAP = 10
"""Between things that are joined by a line."""

BETWEEN = 9
"""Between branches side by side."""

LINE = 13
"""From one line of text to the next."""

# The widest of the sans-serif fonts that systems ship (DejaVu) takes this much for a letter of 11 pixels.
LETTER = 6.6
NARROWEST = 84

# XML knows no other characters, not even as references.
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Drawn(Protocol):
    """Something with a size that can draw itself with the middle of its top edge at (x, y)."""

    @property
    def width(self) -> float:
        """Room from left to right."""
        ...

    @property
    def height(self) -> float:
        """Room from top to bottom."""
        ...

    def draw(self, x: float, y: float) -> Iterator[str]:
        """SVG elements, the rear ones first."""
        ...


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with one or two centred lines of text, the second one bold; `hint` shows under the mouse."""

    words: tuple[str, ...]
    kind: str
    hint: str = ""

    @property
    def width(self) -> float:
        """As wide as the longest line, and not narrower than its neighbours."""
        return max(NARROWEST, 4 + LETTER * max(map(len, self.words)))

    @property
    def height(self) -> float:
        """Room for two lines."""
        return 2 * LINE + 6

    def draw(self, x: float, y: float) -> Iterator[str]:
        """The rectangle, then its lines."""
        hint = f"<title>{quoted(self.hint)}</title>" if self.hint else ""
        yield f"<g>{hint}{rect(self.kind, x - self.width / 2, y, self.width, self.height, 4)}"
        first = y + LINE if len(self.words) > 1 else y + LINE * 1.5
        for i, words in enumerate(self.words):
            yield text("op strong" if i else "op", x, first + LINE * i, words)
        yield "</g>"


@dataclass(frozen=True, slots=True)
class Stack:
    """Things one below the other; an empty one is a line that passes its input on."""

    parts: Sequence[Drawn]

    @property
    def width(self) -> float:
        """The widest part's."""
        return max((part.width for part in self.parts), default=NARROWEST)

    @property
    def height(self) -> float:
        """All parts and the lines between them."""
        return sum(part.height for part in self.parts) + GAP * max(0, len(self.parts) - 1)

    def draw(self, x: float, y: float) -> Iterator[str]:
        """From top to bottom."""
        for i, part in enumerate(self.parts):
            if i:
                yield line(x, y - GAP, x, y)
            yield from part.draw(x, y)
            y += part.height + GAP


@dataclass(frozen=True, slots=True)
class Columns:
    """Branches side by side between a line that splits and a line that joins."""

    branches: Sequence[Drawn]

    @property
    def width(self) -> float:
        """All branches and the space between them."""
        return sum(branch.width for branch in self.branches) + BETWEEN * (len(self.branches) - 1)

    @property
    def height(self) -> float:
        """The tallest branch's, and room for the two lines; the lower one is the bottom."""
        return max(branch.height for branch in self.branches) + 1.5 * GAP

    def draw(self, x: float, y: float) -> Iterator[str]:
        """Split, branches, join."""
        split, join = y + GAP / 2, y + self.height
        left = x - self.width / 2
        centres = []
        for branch in self.branches:
            centre = left + branch.width / 2
            yield line(centre, split, centre, y + GAP)
            yield line(centre, y + GAP + branch.height, centre, join)
            yield from branch.draw(centre, y + GAP)
            centres.append(centre)
            left += branch.width + BETWEEN
        for height in (split, join):
            yield line(min(*centres, x), height, max(*centres, x), height)
        yield line(x, y, x, split)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A body, and the line that carries its input around it on the left to the box `into`, where the two meet."""

    body: Drawn
    into: Box

    @property
    def width(self) -> float:
        """Room for the line on the left, and as much on the right."""
        return max(self.body.width, self.into.width) + 2 * GAP

    @property
    def height(self) -> float:
        """A line above the body, one below it, and the box."""
        return self.body.height + 2 * GAP + self.into.height

    def draw(self, x: float, y: float) -> Iterator[str]:
        """Body, shortcut, sum."""
        below = y + GAP + self.body.height
        yield line(x, y, x, y + GAP) + line(x, below, x, below + GAP)
        middle = below + GAP + self.into.height / 2
        around = f"V{middle:g}H{x - self.into.width / 2:g}"
        yield f'<path class="shortcut" d="M{x:g} {y + GAP / 3:g}H{x - self.width / 2:g}{around}"/>'
        yield from self.body.draw(x, y + GAP)
        yield from self.into.draw(x, below + GAP)


@dataclass(frozen=True, slots=True)
class Frame:
    """A border around something, with lines of text above it or a word in its lower right corner."""

    inner: Drawn
    caption: tuple[str, ...] = ()
    corner: str = ""

    @property
    def width(self) -> float:
        """The wider of what is inside and the caption, and the border."""
        room = NARROWEST + 5 * GAP if self.corner else 0
        return max(self.inner.width, *(LETTER * len(words) for words in self.caption), room) + 2 * GAP

    @property
    def height(self) -> float:
        """What is inside, the caption, and the border."""
        return self._above + self.inner.height + GAP / 2

    @property
    def _above(self) -> float:
        return LINE * len(self.caption) + (GAP if self.caption else GAP / 2)

    def draw(self, x: float, y: float) -> Iterator[str]:
        """Border, texts, inside."""
        top, bottom = y + self._above, y + self.height
        yield rect("frame", x - self.width / 2, y, self.width, self.height, 8)
        if self.corner:
            yield text("corner", x + self.width / 2 - 8, bottom - 9, self.corner)
        for i, words in enumerate(self.caption, start=1):
            yield text("op" if i > 1 else "op strong", x, y + 2 + LINE * i, words)
        if not self.caption:
            yield line(x, y, x, top) + line(x, bottom - GAP / 2, x, bottom)
        yield from self.inner.draw(x, top)


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    """A straight connection."""
    return f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}"/>'


def rect(kind: str, x: float, y: float, width: float, height: float, radius: float) -> str:
    """A rectangle with rounded corners."""
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/>'


def text(kind: str, x: float, y: float, words: str) -> str:
    """One line of text on the base line `y`."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{quoted(words)}</text>'


def quoted(words: str) -> str:
    """Any string as XML text or as the value of an attribute."""
    return escape(ILLEGAL.sub("\ufffd", words))
