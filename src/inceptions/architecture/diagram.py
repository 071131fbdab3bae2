"""A declared network as a picture: SVG drawn from the tree, for the screen and for paper.

The trunk runs from top to bottom. A module shows its branches side by side, as the papers' figures do; consecutive modules
that differ in name only are drawn once, with how many there are. Auxiliary heads hang to the right of the node they read. In a
browser a click folds a module to one box and opens it again; printed, or where no scripts run, everything is open, and the end
of an A4 page cuts no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import shorten, wrap

from inceptions.architecture.cost import Bill, Cost
from inceptions.architecture.declaration import leaves
from inceptions.architecture.drawing import GAP, LETTER, LINE, Box, Drawn, Frame, line, quoted, rect, text
from inceptions.architecture.figure import KINDS, alike, figure, head_figure, short, weights

MARGIN = 24
# Printed, most networks take two A4 pages at this width, with letters of 6.5 points.
NARROWEST_PAGE = 900
# Height over width of what a printer reaches on A4 with margins of 10 mm.
PAGE = 277 / 190

NOTATION = (
    "/2: stride 2. V: no padding. A ReLU follows every convolution that is not marked linear. "
    "Below each name: output, parameters, multiply-adds (×n: of all n together)."
)
UNEVEN = " T: TensorFlow's padding, whose odd pixel is at the bottom and on the right."

STYLE = """
text{font:11px "Helvetica Neue",Helvetica,Arial,sans-serif;fill:#1b1f24}
.title{font-size:20px;font-weight:700}.grey{fill:#57606a}.strong{font-weight:700}
.op{text-anchor:middle}.corner{text-anchor:end;font-size:15px;font-weight:700}
rect{stroke:#57606a;stroke-width:.8}path{fill:none;stroke:#57606a;stroke-width:1.1}.shortcut{stroke-width:1.8}
.paper{fill:#fff;stroke:none}.frame{fill:#fafafa;stroke:#b6bec8}.sum,.other{fill:#fff}
.point{fill:#e3efff}.square{fill:#b3d1ff}.flat{fill:#d3c6f7}.pool{fill:#bfe8c6}.dense{fill:#fbd3a8}
.shut{display:none}
@media screen{svg{height:var(--height)}.module .fold{cursor:pointer}
.row{translate:0 var(--moved,0px)}.closed .tail{translate:0 var(--less)}
.moved .onward{transform:scaleY(var(--room,0))}
.closed .open{display:none}.closed .shut{display:inline}}
@media print{svg{width:100%;height:auto}}
@page{size:A4;margin:10mm}
"""

# A click folds. On the screen rows close up: behind a folded module, and where room was left for the end of a page.
SCRIPT = """
const root=document.documentElement,rows=[...document.querySelectorAll('.row')];
function settle(){let y=+rows[0].dataset.y,free=0,above=rows[0];
for(const row of rows){const d=row.dataset,height=+(row.classList.contains('closed')?d.shut:d.open),head=d.reach-d.open;
const room=head?Math.max(0,free-height-y):0;
above.style.setProperty('--room',room);above=row;y+=room;
row.style.setProperty('--moved',y-d.y+'px');
y+=height;if(head)free=y+head}
root.style.setProperty('--height',Math.max(y,free)+24+'px')}
for(const row of document.querySelectorAll('.module'))
row.querySelector('.fold').addEventListener('click',()=>{row.classList.toggle('closed');settle()});
root.classList.add('moved');root.setAttribute('preserveAspectRatio','xMinYMin slice');settle();
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What is drawn at one height: a node, or several that differ in name only, and the head that reads the last."""

    costs: tuple[Cost, ...]
    drawn: Drawn
    head: Frame | None = None

    @property
    def label(self) -> tuple[str, str]:
        """Name, or first and last name and how many; output, parameters and multiply-adds."""
        first, last = self.costs[0], self.costs[-1]
        name = first.name if first is last else f"{first.name} … {last.name} ×{len(self.costs)}"
        return name, " · ".join((str(last.output), *weights(self.costs)))

    @property
    def height(self) -> float:
        """With the gap to the next row."""
        return self.drawn.height + GAP

    @property
    def reach(self) -> float:
        """With the head that hangs from it."""
        return self.height + (self.head.height + GAP if self.head else 0)

    def draw(self, y: float, centre: float, aside: float, onward: float | None) -> Iterator[str]:
        """Label on the left, node around `centre`, head around `aside`; `onward` is extra room to the next row, if any."""
        low, name, figures = self.drawn.height, *self.label
        op, output = shorten(self.costs[0].op, 24, placeholder=" …"), str(self.costs[-1].output)
        shut = Box((op, output), "sum") if isinstance(self.drawn, Frame) else None
        less = low - shut.height if shut else 0
        yield f'<g class="{"row module" if shut else "row"}" transform="translate(0 {y:g})" style="--less:{-less:g}px" '
        yield f'data-y="{y:g}" data-open="{self.height:g}" data-shut="{self.height - less:g}" data-reach="{self.reach:g}">'
        yield f'<g class="fold"><g><title>{quoted(", ".join(cost.name for cost in self.costs))}</title>'
        yield text("strong", MARGIN, LINE - 1, name) + "</g>" + text("grey", MARGIN, 2 * LINE, figures)
        yield from ('<g class="open">', *self.drawn.draw(centre, 0), "</g>")
        if shut:
            yield from ('<g class="shut">', *shut.draw(centre, 0), "</g>")
        yield '</g><g class="tail">'
        if onward is not None:
            yield line(centre, low, centre, low + GAP) + f'<g transform="translate({centre:g} {low + GAP:g})">'
            yield f'<path class="onward" d="M0 0V1" transform="scale(1 {onward:g})"/></g>'
        if self.head:
            yield f'<path d="M{centre:g} {low + GAP / 2:g}H{aside:g}V{low + GAP:g}"/>'
            yield from self.head.draw(aside, low + GAP)
        yield "</g></g>"


def diagram(bill: Bill) -> str:
    """Draw a network.

    Args:
        bill: the counted network, at the input size whose shapes the picture shows.

    Returns:
        A self-contained SVG document.
    """
    title = bill.architecture.full_name
    rows = list(_rows(bill))
    labels = max(max(1.1 * len(name), len(figures)) for name, figures in (row.label for row in rows)) * LETTER
    middle = max(row.drawn.width for row in rows)
    right = max((row.head.width + 2 * GAP for row in rows if row.head), default=0)
    width = max(NARROWEST_PAGE, 2 * MARGIN + labels + GAP + middle + right)
    centre = MARGIN + labels + GAP + middle / 2
    aside = centre + (middle + 2 * GAP + right) / 2

    letters = int((width - 2 * MARGIN) / LETTER)
    heading = [words for note in _notes(bill) for words in wrap(note, letters, break_on_hyphens=False)]
    legend = MARGIN + LINE * (len(heading) + 3)
    places = _places(rows, legend + 3 * LINE, width * PAGE)
    height = max(y + row.reach for row, y in zip(rows, places, strict=True)) + MARGIN
    drawn = ""
    for row, y, following in zip(rows, places, (*places[1:], None), strict=True):
        onward = None if following is None else round(following - y - row.height, 1)
        drawn += "\n".join(row.draw(y, centre, aside, onward)) + "\n"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">',
        f"<title>{quoted(title)}</title><style>{STYLE}</style>",
        f'<path class="paper" d="M0 0H{width:g}V{height:g}H0z"/>',
        text("title", MARGIN, MARGIN + LINE, title),
        *(text("grey", MARGIN, MARGIN + LINE * (i + 2.5), words) for i, words in enumerate(heading)),
        *_legend([kind for kind in KINDS if f'class="{kind}"' in drawn], legend),
        drawn + f"<script>{SCRIPT}</script>",
        "</svg>\n",
    ]
    return "\n".join(parts)


def _notes(bill: Bill) -> Iterator[str]:
    """What stands below the title."""
    yield bill.architecture.summary
    heads = f" ({bill.params_with_heads:,} with the auxiliary head{'s'[: len(bill.heads) > 1]})" if bill.heads else ""
    yield f"{bill.params:,} parameters{heads}, {short(bill.macs)} multiply-adds for an image of {bill.input}"
    yield bill.architecture.source
    uneven = any(getattr(leaf, "padding", None) == "tensorflow" for _, leaf in leaves(bill.architecture.trunk))
    yield NOTATION + (UNEVEN if uneven else "")


def _legend(kinds: list[str], y: float) -> Iterator[str]:
    """The colours, from left to right."""
    x: float = MARGIN
    for kind in kinds:
        yield rect(kind, x, y, 16, 11, 2) + text("grey", x + 21, y + 9.5, KINDS[kind])
        x += 36 + LETTER * len(KINDS[kind])


def _places(rows: list[Row], top: float, page: float) -> list[float]:
    """Where each row begins: below the one before, where its head meets no other, and on one page if it fits on one."""
    places = []
    y, free = top, 0.0
    for row in rows:
        if row.head:
            y = max(y, free - row.height)
        if y // page != (y + row.reach) // page and row.reach < page - GAP:
            y = (y // page + 1) * page + GAP
        places.append(y)
        free = y + row.reach if row.head else free
        y += row.height
    return places


def _rows(bill: Bill) -> Iterator[Row]:
    """The input, the trunk's nodes, and the main head's unless that hangs before the trunk's end as auxiliary heads do."""
    declared = bill.architecture
    nodes, costs = declared.trunk.nodes, bill.nodes[: len(declared.taps)]
    main = bill.nodes[len(costs) :]
    heads = {head.at: head_figure(head, cost.nodes) for head, cost in zip(declared.heads, bill.heads, strict=False)}
    if declared.main.at in declared.taps[:-1]:
        heads[declared.main.at] = head_figure(declared.main, main)
    else:
        nodes, costs = (*nodes, *declared.main.body.nodes), (*costs, *main)
    yield Row((Cost("input", "input", bill.input, 0, 0, 0, 1),), Box(("input", str(bill.input)), "sum"))
    same: list[Cost] = []
    for node, cost, following in zip_longest(nodes, costs, [*zip(nodes, costs, strict=True)][1:]):
        same.append(cost)
        if cost.name in heads or following is None or not alike((node, cost), following):
            yield Row(tuple(same), figure(node, cost, len(same)), heads.get(cost.name))
            same = []
