"""Which layers of a network learn in an epoch, and how fast."""

from __future__ import annotations

from torch import nn
from torch.optim import Optimizer

from inceptions.errors import UsageError
from inceptions.network import Network
from inceptions.recipe import Recipe, Tuning


class Stages:
    """The order in which a network's layers thaw.

    Args:
        network: its layers.
        tuning: names the stages.
        epochs: of the whole recipe, the one for the classifier included.

    Raises:
        UsageError: a stage that is no tap of the network, or stages that do not go from the last layers to the first.
    """

    def __init__(self, network: Network, tuning: Tuning, epochs: int) -> None:
        self.network = network
        self.tuning = tuning
        self.epochs = epochs
        architecture = network.architecture
        taps = architecture.taps
        starts = [taps.index(architecture.tap(name).split(".")[0]) for name in tuning.stages]
        ends = [len(taps), *starts]
        if any(start >= end for start, end in zip(starts, ends, strict=False)):
            raise UsageError(
                f"tuning.stages must name taps of {architecture.full_name} from the last layers to the first, each once, not "
                f"{', '.join(tuning.stages)}. Its taps: {', '.join(taps)}."
            )
        self.heads = [network.get_submodule(head.name) for head in architecture.heads]
        """The classifiers, which always learn."""
        self.layers = [
            [network.get_submodule(name) for name in taps[start:end]] for start, end in zip(starts, ends, strict=False)
        ]
        """What each stage adds."""

    def begin(self, epoch: int) -> None:
        """Let the layers of an epoch learn and no others. To be called after anything that may have changed their mode."""
        learning = [*self.heads, *(layer for stage in self.layers[: self.tuning.thawed(epoch, self.epochs)] for layer in stage)]
        # Evaluation mode is what keeps batch norm from learning: without a gradient alone its statistics would still move.
        self.network.requires_grad_(False).eval()
        for layer in learning:
            layer.requires_grad_(True).train()
            if self.tuning.statistics == "frozen":
                keep_statistics(layer)

    def scale_rates(self, optimiser: Optimizer) -> None:
        """Split the optimiser's groups by stage; each learns at its share of the rate (`optimiser.set_rate`)."""
        share = {
            id(parameter): self.tuning.rate_decay**number
            for number, stage in enumerate(self.layers, start=1)
            for layer in stage
            for parameter in layer.parameters()
        }
        groups = []
        for group in optimiser.param_groups:
            for scale in sorted({share.get(id(parameter), 1.0) for parameter in group["params"]}, reverse=True):
                members = [parameter for parameter in group["params"] if share.get(id(parameter), 1.0) == scale]
                groups.append({**group, "params": members, "scale": scale})
        optimiser.param_groups[:] = groups


def keep_statistics(layer: nn.Module) -> None:
    """Put every batch norm in a layer into evaluation mode."""
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eval()


def stages_of(network: Network, recipe: Recipe) -> Stages | None:
    """The stages of a recipe; None if it trains the whole network from the start.

    Raises:
        UsageError: as `Stages`, or the epochs do not fit them.
    """
    tuning = recipe.tuning
    if tuning is None:
        return None
    if recipe.epochs > 1 and not tuning.stages:
        raise UsageError(
            f"The recipe {recipe.name} trains the classifier alone, to its exact optimum, and one epoch is enough for that. "
            "To train more, name layers that shall learn too, from the last to the first: --set tuning.stages=TAP,TAP."
        )
    if recipe.epochs < 1 + len(tuning.stages):
        raise UsageError(
            f"The first epoch is the classifier's, and each of the {len(tuning.stages)} tuning.stages needs one at least: "
            f"epochs must be {1 + len(tuning.stages)} or more, not {recipe.epochs}."
        )
    return Stages(network, tuning, recipe.epochs)
