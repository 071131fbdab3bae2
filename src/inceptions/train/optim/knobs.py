"""What a recipe changes about a network while it trains, and no weight file keeps."""

from __future__ import annotations

from torch import nn

from inceptions.network import Network
from inceptions.recipe import Recipe


def set_knobs(network: Network, recipe: Recipe) -> None:
    """Set dropout and batch norm's momentum as the recipe says.

    A network that declares no dropout (Ioffe & Szegedy's, which was published without) gets one before its classifier.
    """
    network.set_dropout(recipe.dropout)
    if recipe.dropout and not any(isinstance(layer, nn.Dropout) for layer in network.modules()):
        main = network.get_submodule("main")
        classifier = main.get_submodule("logits")
        del main.logits  # and behind the dropout again: layers run in the order in which they were added
        main.add_module("dropout", nn.Dropout(recipe.dropout).train(network.training))
        main.add_module("logits", classifier)
    if recipe.bn_momentum is not None:
        network.set_bn_momentum(recipe.bn_momentum)
