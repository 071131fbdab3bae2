"""Paper to declaration: each network as data, and what it costs, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inceptions.lazy import on_first_use

if TYPE_CHECKING:
    from inceptions.architecture.catalogue import declare as declare
    from inceptions.architecture.catalogue import names as names
    from inceptions.architecture.catalogue import variants as variants
    from inceptions.architecture.cost import cost as cost
    from inceptions.architecture.declaration import Architecture as Architecture
    from inceptions.architecture.diagram import diagram as diagram
    from inceptions.architecture.options import Options as Options

__getattr__, __dir__ = on_first_use(
    __name__,
    {
        "catalogue": ("declare", "names", "variants"),
        "cost": ("cost",),
        "declaration": ("Architecture",),
        "diagram": ("diagram",),
        "options": ("Options",),
    },
)
