"""What is said of the models that are served."""

from __future__ import annotations

import base64
import hashlib
import re

from inceptions.architecture import cost, diagram
from inceptions.architecture.cost import Bill
from inceptions.architecture.table import table
from inceptions.deploy.serve import wire
from inceptions.deploy.serve.models import Model
from inceptions.predict.explain.branches import forked


def described(model: Model) -> wire.Described:
    """A model, ready or not."""
    opened, loaded = model.opened, model.loaded
    predictor = opened.predictor
    card, calibration = predictor.card, predictor.calibration
    pace = None if loaded is None else loaded.worker.pace
    return wire.Described(
        name=model.name,
        version=None if loaded is None else loaded.version,
        ready=model.ready,
        architecture=card.architecture,
        variant=card.variant,
        classes=list(predictor.classes),
        size=list(predictor.preprocess.size),
        shown=predictor.preprocess.describe(),
        heads=list(predictor.heads),
        explains=opened.whole is not None,
        modules=[] if opened.whole is None else list(forked(opened.whole.model)),
        threshold=None if calibration is None else calibration.threshold,
        temperature=None if calibration is None else calibration.temperature,
        computed_in=opened.computed_in,
        licence=card.licence,
        batching=None if pace is None else wire.Batching(images=pace.batch, wait=round(1000 * pace.wait, 3), queue=pace.queue),
    )


def costs(model: Model) -> wire.Architecture:
    """What a model's network costs, for images of the size that it is shown."""
    bill = counted(model)
    declared, laid = bill.architecture, table(bill)
    return wire.Architecture(
        model=model.name,
        architecture=declared.name,
        variant=declared.variant,
        summary=declared.summary,
        source=declared.source,
        input=[bill.input.channels, bill.input.height, bill.input.width],
        params=bill.params,
        params_with_heads=bill.params_with_heads,
        macs=bill.macs,
        table=wire.Table(
            headings=list(laid.headings),
            rows=[list(row) for row in laid.rows],
            total=list(laid.total),
            remarks=list(laid.remarks),
        ),
    )


def drawn(model: Model) -> tuple[str, str]:
    """A model's network as SVG, and the policy under which it may fold and unfold itself, and do nothing else."""
    picture = diagram(counted(model))
    hashes = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in SCRIPT.findall(picture)]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes) or "'none'"
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; "
        "sandbox allow-scripts"
    )
    return picture, policy


SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def counted(model: Model) -> Bill:
    """A model's network, counted at the size of what it is shown."""
    card = model.opened.predictor.card
    return cost(card.declare(), card.preprocess.size)
