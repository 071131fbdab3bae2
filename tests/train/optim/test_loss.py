"""What training minimises, against the formulas."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import log_softmax, one_hot

from inceptions.network import create_model
from inceptions.train.optim.loss import AllHeads, objective


def smoothed(logits: torch.Tensor, labels: torch.Tensor, eps: float) -> torch.Tensor:
    """arXiv:1512.00567, section 7: q' = (1 - eps) q + eps / K."""
    classes = logits.shape[1]
    target = (1 - eps) * one_hot(labels, classes) + eps / classes
    return -(target * log_softmax(logits, 1)).sum(1).mean()


def test_auxiliary_heads_count_a_part_and_targets_are_smoothed() -> None:
    generator = torch.Generator().manual_seed(0)
    heads = {name: torch.randn(7, 5, generator=generator, dtype=torch.float64).float() for name in ("aux_4a", "aux_4d", "main")}
    labels = torch.tensor([0, 1, 2, 3, 4, 0, 1])
    got = objective(heads, labels, aux_weight=0.3, label_smoothing=0.1)
    each = {name: smoothed(logits, labels, 0.1) for name, logits in heads.items()}
    assert got == pytest.approx(float(each["main"] + 0.3 * each["aux_4a"] + 0.3 * each["aux_4d"]), rel=1e-6)


def test_shares_of_classes_are_averaged_losses() -> None:
    """What mixup and cutmix ask for, with smoothing too."""
    generator = torch.Generator().manual_seed(0)
    heads = {name: torch.randn(6, 5, generator=generator) for name in ("aux", "main")}
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    targets = 0.7 * one_hot(labels, 5) + 0.3 * one_hot(labels.roll(1), 5)
    got = objective(heads, targets.float(), aux_weight=0.3, label_smoothing=0.1)
    parts = [objective(heads, one, aux_weight=0.3, label_smoothing=0.1) for one in (labels, labels.roll(1))]
    assert float(got) == pytest.approx(float(0.7 * parts[0] + 0.3 * parts[1]), rel=1e-6)


def test_the_loss_is_in_fp32_whatever_the_logits_are() -> None:
    loss = objective({"main": torch.zeros(2, 3, dtype=torch.bfloat16)}, torch.tensor([0, 1]), aux_weight=0.3, label_smoothing=0)
    assert loss.dtype == torch.float32


def test_the_wrapper_answers_with_every_head() -> None:
    network = create_model("googlenet", num_classes=3, width=0.1, seed=0)
    heads = AllHeads(network)(torch.zeros(2, 3, 64, 64))
    assert list(heads) == ["aux_4a", "aux_4d", "main"]
