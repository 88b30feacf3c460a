"""From gradients to new parameters, each by its kind and at its rate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from neurorules.language.errors import unknown
from neurorules.language.options import convert_options, parse_named
from neurorules.torch_path.model import Model
from neurorules.torch_path.network import Parameters
from neurorules.torch_path.pid import pid, pid_gains
from neurorules.torch_path.updates import Member, Update, adam, sgd

Kind = Literal["none", "sgd", "momentum", "adam", "pid"]
MOMENTUM = 0.9


class Group(NamedTuple):
    """Names of parameters that are changed together, how, at which rate and with which decay."""

    names: tuple[str, ...]
    update: Update
    rate: float
    decay: float


class Optimiser:
    """Parameters by kind, those of one rate in a group; they are changed in place.

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
        updates = {kind: update_of(kind) for kind in sorted(set(kinds.values()))}
        self.parameters = parameters
        self.kept: dict[str, dict[str, Tensor]] = {name: {} for name in parameters}
        members: dict[tuple[str, float, float], list[str]] = {}
        for name in parameters:
            rate = 1.0 if kinds[name] == "none" else rates[name]
            decay = weight_decay if name.endswith(".w") else 0.0
            members.setdefault((kinds[name], rate, decay), []).append(name)
        self.groups = [Group(tuple(names), updates[kind], *numbers) for (kind, *numbers), names in members.items()]

    @torch.no_grad()
    def step(self, gradients: Mapping[str, Tensor], fraction: float = 1.0) -> None:
        """Change the parameters that have a gradient, at `fraction` of their learning rates."""
        for group in self.groups:
            members = [Member(self.parameters[n], gradients[n], self.kept[n]) for n in group.names if n in gradients]
            if members:
                group.update(members, group.rate * fraction, group.decay)

    def state(self) -> dict[str, Tensor]:
        """Momenta and counts, by "<parameter>/<quantity>"."""
        return {f"{name}/{key}": value for name, kept in self.kept.items() for key, value in kept.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        for path, value in state.items():
            name, key = path.rsplit("/", 1)
            here = self.parameters[name]
            dtype = value.dtype if key == "step" else here.dtype
            self.kept[name][key] = value.to(here.device, dtype, copy=True)


def update_of(kind: str) -> Update:
    """What changes parameters of a kind.

    Raises:
        UserError: unknown kind, or options it does not have.
    """
    name, options = parse_named(kind)
    if name not in get_args(Kind):
        raise unknown("optimizer", name, get_args(Kind))
    given = convert_options(f"optimizer '{name}'", pid_gains if name == "pid" else _without_options, options)
    if name == "pid":
        return partial(pid, gains=pid_gains(**given))
    if name == "adam":
        return adam
    return partial(sgd, momentum=MOMENTUM if name == "momentum" else 0.0)


def optimiser_of(
    model: Model, parameters: Parameters, optimizer: str | None = None, lr: float | None = None,
    readout_lr: float | None = None, weight_decay: float = 0.0, readout_optimizer: str | None = None,
    signal_lr: float | None = None,
) -> Optimiser:  # fmt: skip
    """A model's optimiser: whatever reads out, of a layer of its own too, learns by the read-out's kind and rate.

    Args:
        model: its rule says what is not said here.
        parameters: all that the model learns, its signal's own among them.
        optimizer: kind of all parameters, but of what reads out where that has a kind of its own.
        lr: learning rate of the hidden layers.
        readout_lr: learning rate of what reads out.
        weight_decay: L2, >= 0.
        readout_optimizer: kind of what reads out.
        signal_lr: learning rate of the signal's own parameters.
    """
    defaults, network = model.rule.defaults, model.network
    hidden = defaults.lr if lr is None else lr
    reading = defaults.readout_lr if readout_lr is None else readout_lr
    signalling = defaults.signal_lr if signal_lr is None else signal_lr
    readers = ("readout.", *(f"{layer.name}.local_" for layer in network.hidden))
    own = set(network.parameter_names())
    kinds, rates = {}, {}
    for name in parameters:
        reads = name.startswith(readers)
        kind = (readout_optimizer or optimizer or defaults.readout_optimizer) if reads else optimizer
        kinds[name] = kind or defaults.optimizer
        rates[name] = reading if reads else hidden if name in own else signalling
    return Optimiser(parameters, kinds, rates, weight_decay)


def _without_options() -> None:
    """The options of all other kinds."""
