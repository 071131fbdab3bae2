"""Every rewritten, compiled, quantised and exported form of a trained network beside float32, on photographs.

`python -m benchmarks.agreement WEIGHTS PHOTOGRAPHS [IMAGES]` judges on so many photographs of a folder (200 if nothing is said)
and calibrates int8 on as many others. Nothing is timed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from inceptions.deploy.agreement import Agreement, agreement, same
from inceptions.deploy.choosing import Candidate
from inceptions.deploy.engines import catalogue
from inceptions.deploy.export import export
from inceptions.deploy.export.formats import FORMATS, PRECISIONS
from inceptions.deploy.lower import lower
from inceptions.deploy.preparing import Preparation, answers
from inceptions.deploy.rewrites import ALL, rewrite
from inceptions.deploy.sample import sample
from inceptions.errors import InceptionsError
from inceptions.weights import load_model

IMAGES = 200
AT_ONCE = 16
ALONE = 32
"""Images that each single rewrite is compared on; all together are compared on every image."""


def measure(weights: str, folder: Path, images: int = IMAGES) -> Iterator[tuple[str, Agreement | str]]:
    """Each form, and how its answers compare with the layers' in float32, or why there is none."""
    model, card = load_model(weights)
    model.eval()
    both = sample(folder, card.preprocess, 2 * images)
    shown = both[1::2]  # as `quantise` divides them
    graph = lower(model, preprocess=card.preprocess)
    for name in ALL:
        new, done = rewrite(graph, engine="eager", only=frozenset({name}))
        if any(one.count for one in done):
            yield f"{name} alone", same(graph, new, shown[:ALONE])
    yield "all rewrites", same(graph, rewrite(graph, engine="eager", only=frozenset(ALL))[0], shown)
    preparation = Preparation(source=graph, batch=AT_ONCE, preprocess=card.preprocess, threads=None, images=both)
    expected = answers(model, shown, tuple(graph.outputs), preprocess=card.preprocess)
    for engine in catalogue.installed():
        quantised = ("int8",) if engine in catalogue.PACKAGES else ()
        for precision in (*catalogue.precisions(engine), *quantised):
            try:
                made, _ = preparation.engine(Candidate(engine, precision), pixels=True)
                parts = [made.run(shown[i : i + AT_ONCE]) for i in range(0, len(shown), AT_ONCE)]
                found = {head: np.concatenate([part[head] for part in parts]) for head in expected}
                yield f"engine {engine}, {precision}", agreement(expected, found)
            except InceptionsError as error:
                yield f"engine {engine}, {precision}", str(error)
    with tempfile.TemporaryDirectory() as place:
        for to, precisions in PRECISIONS.items():
            for precision in precisions:
                # Normalised pixels are rounded when they enter a network in bf16; bytes are exact in it.
                inside = precision == "bf16" and to != "safetensors"
                what = f"export {to}, {precision}{', from pixels' if inside else ''}"
                output = Path(place) / f"network{FORMATS[to]}"
                try:
                    written = export(weights, output, to=to, precision=precision, with_preprocessing=inside, images=folder)
                    yield what, written.parity.agreement
                except InceptionsError as error:
                    yield what, str(error)


def main() -> int:
    """Compare what the arguments name, and print it."""
    weights, folder, *images = sys.argv[1:]
    table = Table(title=f"{weights}, {folder}")
    for heading in ("form", "same class", "largest difference", "images"):
        table.add_column(heading, justify="left" if heading == "form" else "right")
    refused: list[str] = []
    for what, found in measure(weights, Path(folder), *map(int, images)):
        if isinstance(found, str):
            refused.append(f"{what}: {found}")
        else:
            table.add_row(what, f"{found.top1:.1%}", f"{found.difference:.1e}", str(found.images))
    Console().print(table)
    print(*refused, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
