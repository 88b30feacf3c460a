"""The optimiser: from gradients to new parameters, each by its kind of update and its rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.parameter_key import key_of
from neurorules.language.errors import unknown
from neurorules.language.options import convert_options, parse_named
from neurorules.language.ranges import BelowOne, ranged
from neurorules.language.settings import LearningSettings
from neurorules.network.model import Model
from neurorules.network.network import Parameters
from neurorules.torch_path.update.pid import Pid
from neurorules.torch_path.update.updates import Adam, AdamW, Descent, Member, RootMeanSquare, Update, update_unless


class Group(NamedTuple):
    """Parameters that are changed together.

    Args:
        names: the names of the parameters.
        update: the function that changes them.
        rate: learning rate, >= 0.
        decay: L2 decay, >= 0.
    """

    names: tuple[str, ...]
    update: Update
    rate: float
    decay: float

    @property
    def fused(self) -> bool:
        """Whether one call changes the whole group, so that a call that fails has changed nothing."""
        return isinstance(self.update, Adam)


class Earlier(NamedTuple):
    """Copies of parameters, and of the optimiser's buffers, before a change.

    Args:
        parameters: by name.
        buffers: by name, what the optimiser stores of each between updates, by torch's names.
    """

    parameters: dict[str, Tensor]
    buffers: dict[str, dict[str, Tensor]]


class Optimiser:
    """The optimiser of all parameters, which changes them in place, all of them or none.

    Args:
        parameters: by name, "<layer>.<...>".
        kinds: the kind of update of each parameter, as a text that `update_of` reads; "none" adds the change of the
            rule's text itself.
        rates: learning rate of each parameter; 1 where the kind is none.
        weight_decay: L2, of the weights of connections, >= 0.

    Raises:
        UserError: unknown kind.
    """

    def __init__(
        self, parameters: Parameters, kinds: Mapping[str, str], rates: Mapping[str, float], weight_decay: float = 0.0
    ) -> None:
        self.kinds = dict(kinds)
        updates = {kind: update_of(kind) for kind in sorted(set(kinds.values()))}
        self.parameters = parameters
        self.buffers: dict[str, dict[str, Tensor]] = {name: {} for name in parameters}
        members: dict[tuple[str, float, float], list[str]] = {}
        for name in parameters:
            rate = 1.0 if kinds[name] == "none" else rates[name]
            decay = weight_decay if key_of(name).is_weight else 0.0
            members.setdefault((kinds[name], rate, decay), []).append(name)
        self.groups = [Group(tuple(names), updates[kind], *numbers) for (kind, *numbers), names in members.items()]

    @torch.no_grad()
    def step(self, gradients: Mapping[str, Tensor], fraction: float = 1.0, unless: Tensor | None = None) -> None:
        """Change the parameters that have a gradient, all of them or none.

        Args:
            gradients: by parameter, averaged over samples.
            fraction: share of the learning rates, >= 0.
            unless: one truth value () on the device: if it is true, nothing changes; None to change always.
        """
        self.step_together([(gradients, fraction)], unless)

    @torch.no_grad()
    def step_together(self, parts: Sequence[tuple[Mapping[str, Tensor], float]], unless: Tensor | None = None) -> None:
        """Change parameters by several sets of gradients, all of them or none.

        Args:
            parts: gradients by parameter, and the share of the learning rates, of each set.
            unless: one truth value () on the device: if it is true, nothing changes; None to change always.
        """
        work = [
            (group, names, gradients, fraction)
            for gradients, fraction in parts
            for group in self.groups
            if (names := [name for name in group.names if name in gradients])
        ]
        # The largest group comes last: one call of a fused kernel either succeeds or changes nothing, so it needs no
        # copies.
        work.sort(key=lambda one: (one[0].fused, sum(self.parameters[name].numel() for name in one[1])))
        last = work[-1][1] if work and work[-1][0].fused else []
        earlier = self.copy([name for _, names, *_ in work if names is not last for name in names])
        earlier.buffers.update({name: dict(self.buffers[name]) for name in last})
        try:
            for group, names, gradients, fraction in work:
                members = [Member(self.parameters[name], gradients[name], self.buffers[name]) for name in names]
                if unless is None:
                    group.update(members, group.rate * fraction, group.decay)
                else:
                    update_unless(unless, group.update, members, group.rate * fraction, group.decay)
        except BaseException:
            self.put_back(earlier)
            raise

    def copy(self, names: Iterable[str]) -> Earlier:
        """Copy parameters and their buffers."""
        listed = list(names)
        copies = {name: {key: value.clone() for key, value in self.buffers[name].items()} for name in listed}
        return Earlier({name: self.parameters[name].clone() for name in listed}, copies)

    @torch.no_grad()
    def put_back(self, earlier: Earlier) -> None:
        """Undo all changes since `copy` returned these copies."""
        for name, value in earlier.parameters.items():
            self.parameters[name].copy_(value)
        self.buffers.update(earlier.buffers)

    def keeps(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Tensors with the names and shapes that `state` has after these parameters have changed; their values are not
        those.
        """
        chosen = set(names)
        states: dict[str, dict[str, Tensor]] = {}
        for group in self.groups:
            nothing = {name: torch.zeros_like(self.parameters[name]) for name in group.names if name in chosen}
            states |= {name: {} for name in nothing}
            if nothing:
                group.update([Member(n, torch.zeros_like(n), states[name]) for name, n in nothing.items()], 0.0, 0.0)
        return _flat(states)

    def state(self) -> dict[str, Tensor]:
        """The buffers of the parameters between updates, such as momenta and counts, by "<parameter>/<quantity>"."""
        return _flat(self.buffers)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Replace the buffers by a result of `state`."""
        self.buffers = {name: {} for name in self.parameters}
        for path, value in state.items():
            name, key = path.rsplit("/", 1)
            here = self.parameters[name]
            dtype = value.dtype if key == "step" else here.dtype
            self.buffers[name][key] = value.to(here.device, dtype, copy=True)


def _as_it_is() -> Descent:
    return Descent()


@ranged("optimizer 'momentum'")
def _momentum(*, momentum: BelowOne = 0.9, nesterov: bool = False) -> Descent:
    return Descent(momentum, nesterov)


KINDS: dict[str, Callable[..., Update]] = {
    "none": _as_it_is, "sgd": Descent, "momentum": _momentum, "adam": Adam, "adamw": AdamW,
    "rmsprop": RootMeanSquare, "pid": Pid,
}  # fmt: skip
"""The kinds of updates by name: the change of the text itself (none), or an optimiser, whose function takes the
options.
"""


def update_of(kind: str) -> Update:
    """The function that changes parameters of a kind.

    Args:
        kind: name of the kind, with its options, such as "adam:beta1=0.5".

    Returns:
        A function that changes parameters in place.

    Raises:
        UserError: unknown kind, or options that it does not have.
    """
    name, options = parse_named(kind)
    if name not in KINDS:
        raise unknown("optimizer", name, KINDS)
    return KINDS[name](**convert_options(f"optimizer '{name}'", KINDS[name], options))


def optimiser_of(model: Model, parameters: Parameters, settings: LearningSettings) -> Optimiser:
    """A model's optimiser: all read-outs, including those of single layers, learn by the read-out's kind and rate.

    Args:
        model: the model, whose rule decides what the settings leave open.
        parameters: all parameters that learn, including those of the signal.
        settings: kinds of change, rates and weight decay.

    Returns:
        The optimiser, which changes the parameters in place.
    """
    defaults, network = model.rule.defaults, model.network
    hidden = defaults.lr if settings.lr is None else settings.lr
    reading = defaults.readout_lr if settings.readout_lr is None else settings.readout_lr
    signalling = defaults.signal_lr if settings.signal_lr is None else settings.signal_lr
    own = set(network.parameter_names())
    readers = frozenset[str]() if model.signal is None else model.signal.reads_out
    kinds, rates = {}, {}
    for name in parameters:
        key = key_of(name)
        reads = key.layer == network.readout.name or key.parameter in readers
        reader = settings.readout_optimizer or settings.optimizer or defaults.readout_optimizer
        kind = reader if reads else settings.optimizer
        kinds[name] = kind or defaults.optimizer
        rates[name] = reading if reads else hidden if name in own else signalling
    return Optimiser(parameters, kinds, rates, settings.weight_decay)


def _flat(by_parameter: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{name}/{key}": value for name, own in by_parameter.items() for key, value in own.items()}
