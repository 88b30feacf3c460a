"""From gradients to new parameters: torch's own optimisers, one group a layer, and a learning rate that may fall."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from neurorules.language.errors import unknown
from neurorules.torch_path.network import Parameters

Kind = Literal["none", "sgd", "momentum", "adam"]
MOMENTUM = 0.9


class Optimiser:
    """One optimiser group a layer; parameters are changed in place.

    Args:
        kind: none (the change as the text gives it), sgd, momentum (0.9) or adam.
        parameters: by name, "<layer>.<...>".
        rates: learning rate of each parameter.

    Raises:
        UserError: unknown kind.
    """

    def __init__(self, kind: str, parameters: Parameters, rates: Mapping[str, float]) -> None:
        if kind not in get_args(Kind):
            raise unknown("optimizer", kind, get_args(Kind))
        self.parameters = parameters
        self.names = list(parameters)
        groups = [{"params": [parameters[name]], "lr": 1.0 if kind == "none" else rates[name]} for name in self.names]
        self.rates = [float(group["lr"]) for group in groups]  # type: ignore[arg-type]
        if kind == "adam":
            self.torch: torch.optim.Optimizer = torch.optim.Adam(groups, fused=True)
        else:
            self.torch = torch.optim.SGD(groups, momentum=MOMENTUM if kind == "momentum" else 0.0)

    def step(self, gradients: Mapping[str, Tensor], fraction: float = 1.0) -> None:
        """Change the parameters that have a gradient, at `fraction` of their learning rates."""
        for name, rate, group in zip(self.names, self.rates, self.torch.param_groups, strict=True):
            group["lr"] = rate * fraction
            self.parameters[name].grad = gradients.get(name)
        self.torch.step()

    def state(self) -> dict[str, Tensor]:
        """Momenta and counts, by "<parameter>/<quantity>"."""
        found: dict[str, Tensor] = {}
        for name in self.names:
            for key, value in self.torch.state.get(self.parameters[name], {}).items():
                if value is not None:
                    found[f"{name}/{key}"] = torch.as_tensor(value)
        return found

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        for path, value in state.items():
            name, key = path.rsplit("/", 1)
            here = self.parameters[name]
            self.torch.state[here][key] = value.clone() if key == "step" else value.to(here.device, here.dtype).clone()


def cosine(done: int, total: int) -> float:
    """Fraction of the learning rate after `done` of `total` updates, from 1 to 0. Source: Loshchilov & Hutter 2017."""
    return 0.5 * (1 + math.cos(math.pi * done / total))
