"""`inceptions models`."""

from __future__ import annotations

from inceptions.cli.options import Flag
from inceptions.console import show


def models(*, json: Flag = False) -> None:
    """List the networks and their variants, the default variant first.

    With every variant stand the sizes of images it works on and its auxiliary
    heads, which `inceptions predict --head` can ask.

    For example:

      inceptions models
      inceptions models --json

    Args:
        json: Print one JSON document instead of text.
    """
    from inceptions.architecture import names, variants
    from inceptions.architecture.catalogue import details
    from inceptions.architecture.text import network_text

    if json:
        show([{"name": name, "variants": list(variants(name)), "weights": [], "details": details(name)} for name in names()])
        return
    for name in names():
        print(network_text(name))
