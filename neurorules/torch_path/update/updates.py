"""The steps by which an optimiser's kinds change parameters: torch's own functions, without the classes around them.

The classes import torch's compiler when the first one is made, which takes over a second per process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.adam import adam as torch_adam
from torch.optim.sgd import sgd as torch_sgd

BETAS, EPS = (0.9, 0.999), 1e-8
"""Decays of Adam's averages, and what is added to its denominator. Source: Kingma & Ba 2015, torch's defaults."""


class Member(NamedTuple):
    """One parameter and what changes it.

    Args:
        parameter: changed in place.
        gradient: of the same shape.
        kept: what its kind of update keeps of it between updates, by torch's names; empty before the first.
    """

    parameter: Tensor
    gradient: Tensor
    kept: dict[str, Tensor]


Update = Callable[[Sequence[Member], float, float], None]
"""Changes parameters in place, at a learning rate and with an L2 decay."""


def sgd(members: Sequence[Member], rate: float, decay: float, momentum: float = 0.0) -> None:
    """Gradient descent: b <- momentum b + gradient, then w <- w - rate b.

    Args:
        members: parameters and gradients.
        rate: learning rate, >= 0.
        decay: L2 decay, >= 0, which adds decay w to the gradient.
        momentum: share of b that is kept, in [0, 1).
    """
    buffers = [member.kept.get("momentum_buffer") for member in members]
    torch_sgd(
        [member.parameter for member in members], [member.gradient for member in members], buffers, lr=rate,
        weight_decay=decay, momentum=momentum, dampening=0.0, nesterov=False, maximize=False,
    )  # fmt: skip
    for member, buffer in zip(members, buffers, strict=True):
        if buffer is not None:
            member.kept["momentum_buffer"] = buffer


def adam(members: Sequence[Member], rate: float, decay: float, unless: Tensor | None = None) -> None:
    """Adam, as in Kingma & Ba 2015.

    Args:
        members: parameters and gradients.
        rate: learning rate, >= 0.
        decay: L2 decay, >= 0, which adds decay w to the gradient.
        unless: a number () on the device: where it is 1, nothing changes; None for none.
    """
    for parameter, _, state in members:
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
    parameters, gradients, _ = zip(*members, strict=True)
    means, squares, counts = ([m.kept[key] for m in members] for key in ("exp_avg", "exp_avg_sq", "step"))
    torch_adam(
        list(parameters), list(gradients), means, squares, [], counts, fused=True, amsgrad=False, beta1=BETAS[0],
        beta2=BETAS[1], lr=rate, weight_decay=decay, eps=EPS, maximize=False, found_inf=unless,
    )  # fmt: skip


def update_unless(wrong: Tensor, update: Update, members: Sequence[Member], rate: float, decay: float) -> None:
    """An update of any kind that changes nothing where a truth value on the device says so. Nobody waits for it.

    What a kind keeps from its first update on is 0 where that update was wrong.

    Args:
        wrong: the truth value, ().
        update: the kind.
        members: parameters and gradients.
        rate: learning rate, >= 0.
        decay: L2 decay, >= 0.
    """
    if update is adam:
        adam(members, rate, decay, wrong.float())
        return
    before = [(m.parameter.clone(), {key: value.clone() for key, value in m.kept.items()}) for m in members]
    update(members, rate, decay)
    for member, (parameter, state) in zip(members, before, strict=True):
        member.parameter.copy_(torch.where(wrong, parameter, member.parameter))
        for key, value in member.kept.items():
            member.kept[key] = torch.where(wrong, state.get(key, torch.zeros_like(value)), value)
