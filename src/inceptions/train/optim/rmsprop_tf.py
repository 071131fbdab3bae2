"""RMSProp as TensorFlow computes it: the optimiser that the papers from 2015 on were trained with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

Groups = list[dict[str, Any]]


class RMSPropTF(Optimizer):
    """RMSProp (Tieleman & Hinton 2012) with TensorFlow's semantics.

    For each weight w with gradient g, which holds the L2 term:

        s = s + (1 - alpha) (g² - s)                     from 1
        m = momentum m + lr g / sqrt(s + eps)            from 0
        w = w - m

    `torch.optim.RMSprop` starts s at 0, adds epsilon outside the root, and multiplies m, not what goes into it, by the rate.
    With the papers' epsilon of 1 the two are different methods: a first step is lr g / sqrt(1.9 + 0.1 g²) here and
    lr g / (1 + sqrt(0.1 g²)) there.

    Args:
        groups: parameters with their "weight_decay".
        lr: learning rate; momentum keeps what it was at each step.
        alpha: decay of the squared gradient's average.
        eps: added inside the root.
        momentum: share of the last step in the next.
    """

    def __init__(self, groups: Groups, *, lr: float, alpha: float, eps: float, momentum: float) -> None:
        super().__init__(groups, {"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum, "weight_decay": 0.0})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                self._update(parameters, group)
        return loss

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """All parameters of a group in a handful of calls: one kernel each on a GPU."""
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["square_avg"] = torch.ones_like(parameter)
                if group["momentum"] > 0:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if group["weight_decay"] != 0:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=group["weight_decay"]))
        squares = [self.state[parameter]["square_avg"] for parameter in parameters]
        torch._foreach_mul_(squares, group["alpha"])
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["alpha"])
        roots = torch._foreach_add(squares, group["eps"])
        torch._foreach_sqrt_(roots)
        if group["momentum"] > 0:
            moments = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
            torch._foreach_mul_(moments, group["momentum"])
            torch._foreach_addcdiv_(moments, gradients, roots, group["lr"])
            torch._foreach_sub_(parameters, moments)
        else:
            torch._foreach_addcdiv_(parameters, gradients, roots, -group["lr"])
