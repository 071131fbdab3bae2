"""Which layers learn when: no weight and no statistic of a frozen layer moves, and everything of a thawed one may."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from inceptions.errors import UsageError
from inceptions.network import Network, create_model
from inceptions.recipe import Optim, Tuning, override, recipe
from inceptions.train.optim.optimiser import build, set_rate
from inceptions.train.tuning.stages import Stages, stages_of


@pytest.fixture
def network() -> Network:
    return create_model("googlenet/bn", num_classes=3, width=0.1, depth=0.4, aux=False, seed=0)


def stages(network: Network, **fields) -> Stages:
    taps = network.architecture.taps
    return Stages(network, Tuning(stages=(taps[-1], taps[-3]), **fields), epochs=5)


def updated(network: Network, plan: Stages, epoch: int, *, rate: float = 0.1) -> set[str]:
    """Names of everything in the state dict that a step of an epoch changes."""
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = build(network, Optim(kind="sgd", lr=rate, weight_decay=0.1))
    plan.scale_rates(optimiser)
    set_rate(optimiser, rate)
    plan.begin(epoch)
    torch.manual_seed(0)
    cross_entropy(network(torch.randn(4, 3, 64, 64)), torch.tensor([0, 1, 2, 0])).backward()
    optimiser.step()
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


def of(network: Network, *layers: str, statistics: bool) -> set[str]:
    parts = ("weight", "bias") + (("running_mean", "running_var", "num_batches_tracked") if statistics else ())
    return {name for name in network.state_dict() if name.split(".")[0] in layers and name.endswith(parts)}


@pytest.mark.parametrize("statistics", ["frozen", "running"])
def test_only_the_stage_of_an_epoch_changes(network, statistics) -> None:
    plan, taps = stages(network, statistics=statistics), network.architecture.taps
    running = statistics == "running"
    assert updated(network, plan, 0) == of(network, "main", statistics=running)
    assert updated(network, plan, 2) == of(network, "main", taps[-1], statistics=running)
    network.eval()
    network.train()  # what a validation does to it
    assert updated(network, plan, 3) == of(network, "main", *taps[-3:], statistics=running)


def test_epochs_are_divided_evenly(network) -> None:
    plan = stages(network)
    assert [plan.tuning.thawed(epoch, plan.epochs) for epoch in range(5)] == [0, 1, 1, 2, 2]
    assert Tuning().thawed(0, 1) == 0


def test_layers_nearer_to_the_image_learn_more_slowly(network) -> None:
    plan, taps = stages(network, rate_decay=0.5), network.architecture.taps
    optimiser = build(network, Optim(lr=1.0, weight_decay=0.1))
    plan.scale_rates(optimiser)
    set_rate(optimiser, 0.4)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    rates: dict[str, set[float]] = {}
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            rates.setdefault(names[id(parameter)].split(".")[0], set()).add(group["lr"])
            assert group["weight_decay"] == (0.1 if parameter.ndim > 1 else 0.0)
    assert rates["main"] == {0.4}
    assert rates[taps[-1]] == {0.2}
    assert rates[taps[-3]] == {0.1}
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(names), "every parameter once"


def test_frozen_statistics_give_the_evaluated_answer(network) -> None:
    """In training as in evaluation, but for dropout: the gap that frozen batch norm is known for cannot open."""
    x: Tensor = torch.randn(4, 3, 64, 64)
    network.set_dropout(0.0)
    stages(network).begin(4)
    trained = network(x)
    assert torch.equal(trained, network.eval()(x))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["epochs=3"], "name layers that shall learn too"),
        (["tuning.stages=inception_5b,inception_5a", "epochs=2"], "epochs must be 3 or more, not 2"),
        (["tuning.stages=inception_4a,inception_5a", "epochs=3"], "from the last layers to the first"),
        (["tuning.stages=inception_5b,inception_5b", "epochs=3"], "from the last layers to the first"),
        (["tuning.stages=mixed_9", "epochs=2"], "tap"),
    ],
)
def test_what_cannot_be_is_refused(settings, said) -> None:
    whole = create_model("googlenet/bn", num_classes=3, width=0.1, aux=False, device="meta")
    with pytest.raises(UsageError, match=said):
        stages_of(whole, override(recipe("finetune"), settings))


def test_other_recipes_have_no_stages(network) -> None:
    assert stages_of(network, recipe("scratch")) is None
