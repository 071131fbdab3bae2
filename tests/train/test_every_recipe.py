"""Every recipe on every network of the family: small, two epochs, on photographs that a child could tell apart.

The table of what each came to is printed with `-s`.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from inceptions.data import open_data
from inceptions.recipe import names, override, recipe
from inceptions.train import Outcome, loop, train
from inceptions.train.tuning.start import adapted, open_start

NETWORKS = ("googlenet", "bn_inception", "inception_v3", "inception_v4", "inception_resnet_v1", "inception_resnet_v2")
# The smallest images that all of them take, in batches that leave several steps an epoch.
SMALL = ["epochs=2", "batch_size=4", "image_size=80", "test_size=none", "start_size=none", "steps_per_epoch=none"]


def small_run(name: str, network: str, photos: Path, run: Path, weights: Path | None) -> Outcome:
    """One cell of the table; the recipe's own variant of its own network, the default one of the others."""
    published = recipe(name)
    own, _, variant = (published.model or "").partition("/")
    variant = variant if own == network else "paper" if network == "inception_resnet_v1" else None
    settings = list(SMALL)
    if published.residual_scale is not None and "resnet" not in network:
        settings.append("residual_scale=none")
    chosen = override(published, settings)
    sizes = {}
    if published.tuning is not None:
        assert weights is not None
        card = open_start(weights).card
        chosen = override(adapted(chosen, card), [f"tuning.stages={card.declare().taps[-1]},", "image_size=80"])
    else:
        weights, sizes = None, {"width": 0.1, "depth": 0.1}
    return train(
        open_data(photos),
        chosen,
        run=run,
        model=network,
        variant=variant,
        weights=weights,
        device="cpu",
        precision="fp32",
        workers=0,
        **sizes,
    )


@pytest.mark.slow
def test_every_recipe_on_every_network(photos, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(loop, "draw_history", lambda *_, **__: None)
    rows = [f"{'recipe':<30}" + "".join(f"{network:>22}" for network in NETWORKS)]
    begun = {network: tmp_path / f"scratch-{network}" for network in NETWORKS}
    for name in names():
        cells = []
        for network in NETWORKS:
            outcome = small_run(name, network, photos, tmp_path / f"{name}-{network}", begun[network])
            losses = [row.loss for row in outcome.rows]
            assert outcome.epochs == 2, (name, network)
            assert all(map(math.isfinite, losses)), (name, network)
            assert (outcome.run / "weights.safetensors").is_file()
            trained, validated = outcome.rows[-2:]
            cells.append(f"{trained.loss:.3f}  {validated.loss:.3f} {validated.accuracy:.2f}")
        rows.append(f"{name:<30}" + "".join(f"{cell:>22}" for cell in cells))
    print("\ntraining loss, validation loss and accuracy after two epochs\n" + "\n".join(rows))
