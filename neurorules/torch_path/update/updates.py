"""The updates of all optimisers by torch's own functions, without torch's classes around them.

When the first of these classes is created, torch imports its compiler, which takes over a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.optim.adam import adam as torch_adam
from torch.optim.rmsprop import rmsprop as torch_rmsprop
from torch.optim.sgd import sgd as torch_sgd

from neurorules.language.ranges import BelowOne, Positive, ranged


class Member(NamedTuple):
    """One parameter with its gradient and the optimiser's buffers.

    Args:
        parameter: changed in place.
        gradient: its gradient, of the same shape.
        buffers: the values that the optimiser stores for it between updates, by torch's names; empty before the first
            one.
    """

    parameter: Tensor
    gradient: Tensor
    buffers: dict[str, Tensor]


Update = Callable[[Sequence[Member], float, float], None]
"""Changes parameters in place, at a learning rate and with a weight decay, both >= 0."""


@ranged("optimizer 'sgd'")
@dataclass(frozen=True)
class Descent:
    """Gradient descent: b <- momentum b + gradient, then w <- w - rate b. Source: torch's SGD.

    Args:
        momentum: the share of b that remains.
        nesterov: whether w moves along gradient + momentum b instead.
    """

    momentum: BelowOne = 0.0
    nesterov: bool = False

    def __call__(self, members: Sequence[Member], rate: float, decay: float) -> None:
        """Change parameters in place, at a learning rate, with `decay` w added to their gradients."""
        buffers = [member.buffers.get("momentum_buffer") for member in members]
        torch_sgd(
            [member.parameter for member in members], [member.gradient for member in members], buffers, lr=rate,
            weight_decay=decay, momentum=self.momentum, dampening=0.0, nesterov=self.nesterov, maximize=False,
        )  # fmt: skip
        for member, buffer in zip(members, buffers, strict=True):
            if buffer is not None:
                member.buffers["momentum_buffer"] = buffer


@ranged("optimizer 'rmsprop'")
@dataclass(frozen=True)
class RootMeanSquare:
    """A gradient is divided by the root of a running mean of its squares. Source: Tieleman & Hinton 2012.

    Args:
        alpha: decay of the mean per update.
        eps: a number added to the root.
    """

    alpha: BelowOne = 0.99
    eps: Positive = 1e-8

    def __call__(self, members: Sequence[Member], rate: float, decay: float) -> None:
        """Change parameters in place, at a learning rate, with `decay` w added to their gradients."""
        for parameter, _, state in members:
            if not state:
                state["step"] = torch.zeros((), device=parameter.device)
                state["square_avg"] = torch.zeros_like(parameter)
        parameters, gradients, _ = zip(*members, strict=True)
        torch_rmsprop(
            list(parameters), list(gradients), [m.buffers["square_avg"] for m in members], [], [],
            [m.buffers["step"] for m in members], lr=rate, alpha=self.alpha, eps=self.eps, weight_decay=decay,
            momentum=0.0, centered=False,
        )  # fmt: skip


@ranged("optimizer 'adam'")
@dataclass(frozen=True)
class Adam:
    """Adam, as in Kingma & Ba 2015.

    Args:
        beta1, beta2: decays of the means of gradient and squared gradient per update.
        eps: a number added to the denominator.
    """

    beta1: BelowOne = 0.9
    beta2: BelowOne = 0.999
    eps: Positive = 1e-8
    decoupled: ClassVar[bool] = False

    def __call__(self, members: Sequence[Member], rate: float, decay: float, unless: Tensor | None = None) -> None:
        """Change parameters in place, at a learning rate and with a weight decay; if the number `unless` () on the
        device is 1, nothing changes.
        """
        for parameter, _, state in members:
            if not state:
                state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        parameters, gradients, _ = zip(*members, strict=True)
        means, squares, counts = ([m.buffers[key] for m in members] for key in ("exp_avg", "exp_avg_sq", "step"))
        torch_adam(
            list(parameters), list(gradients), means, squares, [], counts, fused=True, amsgrad=False, beta1=self.beta1,
            beta2=self.beta2, lr=rate, weight_decay=decay, eps=self.eps, maximize=False, found_inf=unless,
            decoupled_weight_decay=self.decoupled,
        )  # fmt: skip


@ranged("optimizer 'adamw'")
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay shrinks the weights directly, and is not added to the gradient. Source: Loshchilov &
    Hutter 2019.
    """

    decoupled: ClassVar[bool] = True


def update_unless(wrong: Tensor, update: Update, members: Sequence[Member], rate: float, decay: float) -> None:
    """An update of any kind that changes nothing if a truth value on the device is true. The CPU does not wait for it.

    Buffers that the first update creates are 0 if that update was not applied.

    Args:
        wrong: the truth value, ().
        update: the function that changes the parameters.
        members: the parameters with their gradients.
        rate: learning rate, >= 0.
        decay: L2 decay, >= 0.
    """
    if isinstance(update, Adam):
        update(members, rate, decay, wrong.float())
        return
    before = [(m.parameter.clone(), {key: value.clone() for key, value in m.buffers.items()}) for m in members]
    update(members, rate, decay)
    for member, (parameter, state) in zip(members, before, strict=True):
        member.parameter.copy_(torch.where(wrong, parameter, member.parameter))
        for key, value in member.buffers.items():
            member.buffers[key] = torch.where(wrong, state.get(key, torch.zeros_like(value)), value)
