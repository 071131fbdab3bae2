"""`inceptions models`."""

from __future__ import annotations

from inceptions.cli.options import Flag
from inceptions.console import show


def models(name: str | None = None, /, *, weights: Flag = False, json: Flag = False) -> None:
    """List the networks and their variants, the default variant first.

    With every variant stand the sizes of images it works on and its auxiliary
    heads, which `inceptions predict --head` can ask. With --weights: the
    checkpoints that others published, which are fetched by name.

    For example:

      inceptions models
      inceptions models --json
      inceptions models --weights
      inceptions models --weights inception_v3
      inceptions models --weights inception_v3.torchvision_in1k

    Args:
        name: Only this network; with --weights also one of its checkpoints.
        weights: List published checkpoints instead.
        json: Print one JSON document instead of text.
    """
    from inceptions.architecture import declare, names, variants
    from inceptions.architecture.catalogue import details
    from inceptions.architecture.text import network_text

    if weights:
        from inceptions.weights.published import find, published
        from inceptions.weights.published.text import catalogue_text, checkpoint_text

        if name is not None and "." in name:
            one = find(name)
            if json:
                show([one.to_dict()])
            else:
                print(checkpoint_text(one))
            return
        if name is not None:
            declare(name)
        rows = list(published(name))
        if json:
            show([one.to_dict() for one in rows])
        else:
            print(catalogue_text(rows) if rows else f"Nobody published weights of {name}.")
        return
    asked = names() if name is None else [declare(name).name]
    if json:
        from inceptions.weights.published import published

        show(
            [
                {
                    "name": name,
                    "variants": list(variants(name)),
                    "weights": [one.tag for one in published(name)],
                    "details": details(name),
                }
                for name in asked
            ]
        )
        return
    for name in asked:
        print(network_text(name))
