"""Weight files in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inceptions.lazy import on_first_use

if TYPE_CHECKING:
    from inceptions.weights.card import Card as Card
    from inceptions.weights.create import create_model as create_model
    from inceptions.weights.hub import push_to_hub as push_to_hub
    from inceptions.weights.open import open_any as open_any
    from inceptions.weights.opened import Opened as Opened
    from inceptions.weights.preprocess import IMAGENET_MEAN as IMAGENET_MEAN
    from inceptions.weights.preprocess import IMAGENET_STD as IMAGENET_STD
    from inceptions.weights.preprocess import Preprocess as Preprocess
    from inceptions.weights.source import load_model as load_model
    from inceptions.weights.source import load_trunk as load_trunk
    from inceptions.weights.source import open_weights as open_weights
    from inceptions.weights.store import read_weights as read_weights
    from inceptions.weights.store import save_weights as save_weights

# What a file says of itself is read without torch; its tensors are not.
__getattr__, __dir__ = on_first_use(
    __name__,
    {
        "card": ("Card",),
        "create": ("create_model",),
        "opened": ("Opened",),
        "hub": ("push_to_hub",),
        "open": ("open_any",),
        "preprocess": ("IMAGENET_MEAN", "IMAGENET_STD", "Preprocess"),
        "source": ("load_model", "load_trunk", "open_weights"),
        "store": ("read_weights", "save_weights"),
    },
)
