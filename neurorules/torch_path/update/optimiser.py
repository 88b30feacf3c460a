"""From gradients to new parameters, each by its kind and at its rate."""

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
        names: of the parameters.
        update: changes them.
        rate: learning rate, >= 0.
        decay: L2 decay, >= 0.
    """

    names: tuple[str, ...]
    update: Update
    rate: float
    decay: float

    @property
    def fused(self) -> bool:
        """Whether one call changes all of it: it either returns, or has changed nothing."""
        return isinstance(self.update, Adam)


class Earlier(NamedTuple):
    """Copies from before something changed parameters.

    Args:
        parameters: by name.
        buffers: by name, what the optimiser stores of each between updates, by torch's names.
    """

    parameters: dict[str, Tensor]
    buffers: dict[str, dict[str, Tensor]]


class Optimiser:
    """Parameters by kind, those of one rate in a group; they are changed in place, all of them or none.

    Args:
        parameters: by name, "<layer>.<...>".
        kinds: of each parameter, a text that `update_of` reads; none is the change as the rule's text gives it.
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
            unless: one truth value () on the device: where it is true, nothing changes there; None for none.
        """
        self.step_together([(gradients, fraction)], unless)

    @torch.no_grad()
    def step_together(self, parts: Sequence[tuple[Mapping[str, Tensor], float]], unless: Tensor | None = None) -> None:
        """Change the parameters of several sets of gradients; where one cannot be changed, none is.

        Args:
            parts: gradients by parameter, and the share of the learning rates, of each set.
            unless: one truth value () on the device: where it is true, nothing changes there; None for none.
        """
        work = [
            (group, names, gradients, fraction)
            for gradients, fraction in parts
            for group in self.groups
            if (names := [name for name in group.names if name in gradients])
        ]
        # The largest group comes last: one call of a fused kernel is whole in itself, and needs no copies.
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
        """Copies of parameters and of what is kept of them."""
        listed = list(names)
        copies = {name: {key: value.clone() for key, value in self.buffers[name].items()} for name in listed}
        return Earlier({name: self.parameters[name].clone() for name in listed}, copies)

    @torch.no_grad()
    def put_back(self, earlier: Earlier) -> None:
        """Undo all that has happened since `copy` gave these."""
        for name, value in earlier.parameters.items():
            self.parameters[name].copy_(value)
        self.buffers.update(earlier.buffers)

    def keeps(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The names and shapes that `state` holds once the parameters of these names have changed, without numbers."""
        chosen = set(names)
        states: dict[str, dict[str, Tensor]] = {}
        for group in self.groups:
            nothing = {name: torch.zeros_like(self.parameters[name]) for name in group.names if name in chosen}
            states |= {name: {} for name in nothing}
            if nothing:
                group.update([Member(n, torch.zeros_like(n), states[name]) for name, n in nothing.items()], 0.0, 0.0)
        return _flat(states)

    def state(self) -> dict[str, Tensor]:
        """The state that is kept of the parameters between updates, such as momenta and counts, by
        "<parameter>/<quantity>".
        """
        return _flat(self.buffers)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave, in place of what is kept."""
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
"""How a parameter is changed: by the text's change as it is (none), or by an optimiser, whose options its function
takes.
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
    """A model's optimiser: whatever reads out, of a layer of its own too, learns by the read-out's kind and rate.

    Args:
        model: its rule decides what the settings leave open.
        parameters: all that the model learns, its signal's own among them.
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
