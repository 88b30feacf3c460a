"""From gradients to new parameters: torch's own optimisers, and a learning rate that may fall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from neurorules.language.errors import unknown
from neurorules.language.options import convert_options, parse_named
from neurorules.torch_path.model import Model
from neurorules.torch_path.network import Parameters
from neurorules.torch_path.pid import Pid, pid_gains

Kind = Literal["none", "sgd", "momentum", "adam", "pid"]
MOMENTUM = 0.9


class Optimiser:
    """Torch's optimisers by kind, parameters of one rate in a group; parameters are changed in place.

    Args:
        parameters: by name, "<layer>.<...>".
        kinds: of each parameter: none (the change as the text gives it), sgd, momentum (0.9), adam or pid.
        rates: learning rate of each parameter; 1 where the kind is none.
        weight_decay: L2, of parameters whose name ends in ".w", >= 0.

    Raises:
        UserError: unknown kind.
    """

    def __init__(
        self, parameters: Parameters, kinds: Mapping[str, str], rates: Mapping[str, float], weight_decay: float = 0.0
    ) -> None:
        for kind in set(kinds.values()):
            name, options = parse_named(kind)
            if name not in get_args(Kind):
                raise unknown("optimizer", name, get_args(Kind))
            convert_options(f"optimizer '{name}'", pid_gains if name == "pid" else _without_options, options)
        self.parameters = parameters
        self.kinds = dict(kinds)
        self.rates = {name: 1.0 if kinds[name] == "none" else rates[name] for name in parameters}
        self.weight_decay = weight_decay
        self.torch = {kind: self._of_kind(kind) for kind in sorted(set(kinds.values()))}

    def _of_kind(self, kind: str) -> torch.optim.Optimizer:
        members: dict[tuple[float, float], list[Tensor]] = {}
        for name, parameter in self.parameters.items():
            if self.kinds[name] == kind:
                decay = self.weight_decay if name.endswith(".w") else 0.0
                members.setdefault((self.rates[name], decay), []).append(parameter)
        groups = [
            {"params": tensors, "lr": rate, "rate": rate, "weight_decay": decay}
            for (rate, decay), tensors in members.items()
        ]
        name, options = parse_named(kind)
        if name == "pid":
            return Pid(groups, pid_gains(**convert_options("optimizer 'pid'", pid_gains, options)))
        if kind == "adam":
            return torch.optim.Adam(groups, fused=True)
        return torch.optim.SGD(groups, momentum=MOMENTUM if kind == "momentum" else 0.0)

    def step(self, gradients: Mapping[str, Tensor], fraction: float = 1.0) -> None:
        """Change the parameters that have a gradient, at `fraction` of their learning rates."""
        for name, parameter in self.parameters.items():
            parameter.grad = gradients.get(name)
        for optimiser in self.torch.values():
            for group in optimiser.param_groups:
                group["lr"] = group["rate"] * fraction
            optimiser.step()

    def state(self) -> dict[str, Tensor]:
        """Momenta and counts, by "<parameter>/<quantity>"."""
        found: dict[str, Tensor] = {}
        for name, parameter in self.parameters.items():
            for key, value in self.torch[self.kinds[name]].state.get(parameter, {}).items():
                if value is not None:
                    found[f"{name}/{key}"] = torch.as_tensor(value)
        return found

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        for path, value in state.items():
            name, key = path.rsplit("/", 1)
            here = self.parameters[name]
            kept = value.clone() if key == "step" else value.to(here.device, here.dtype).clone()
            self.torch[self.kinds[name]].state[here][key] = kept


def optimiser_of(
    model: Model, parameters: Parameters, optimizer: str | None = None, lr: float | None = None,
    readout_lr: float | None = None, weight_decay: float = 0.0,
) -> Optimiser:  # fmt: skip
    """A model's optimiser: whatever reads out, of a layer of its own too, learns by the read-out's kind and rate.

    Args:
        model: its rule says what is not said here.
        parameters: all that the model learns, its signal's own among them.
        optimizer: kind of all parameters.
        lr: learning rate of the hidden layers.
        readout_lr: learning rate of what reads out.
        weight_decay: L2, >= 0.
    """
    defaults, network = model.rule.defaults, model.network
    hidden = defaults.lr if lr is None else lr
    reading = defaults.readout_lr if readout_lr is None else readout_lr
    readers = ("readout.", *(f"{layer.name}.local_" for layer in network.hidden))
    own = set(network.parameter_names())
    kinds, rates = {}, {}
    for name in parameters:
        reads = name.startswith(readers)
        kinds[name] = optimizer or (defaults.readout_optimizer if reads else defaults.optimizer)
        rates[name] = reading if reads else hidden if name in own else defaults.signal_lr
    return Optimiser(parameters, kinds, rates, weight_decay)


def _without_options() -> None:
    """The options of all other kinds."""
