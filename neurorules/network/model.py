"""What a trained thing consists of: the network, its rule and signal, and everything that changes while it learns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.net_shape import LayerShape, NetShape
from neurorules.contracts.normalisation import CurrentStatistics, UpdateStatistics
from neurorules.contracts.running_mean import RunningMean
from neurorules.contracts.signal import Signal, SignalState
from neurorules.language.errors import UserError
from neurorules.language.rules import Plasticity, Rule
from neurorules.language.settings import Init, Targets
from neurorules.language.signal_spec import SignalSpec
from neurorules.network.foresight import check_parameters
from neurorules.network.network import Network, Parameters
from neurorules.network.texts import Text, compile_rule


@dataclass
class Learned:
    """Everything that learning changes. Plain dictionaries of tensors and running averages, so that it can be saved.

    Args:
        parameters: the network's and the signal's, by full name.
        current: statistics of normalised currents, by "phase.layer".
        pre: running means of what centred inputs bring, by "phase.layer.input".
        update: statistics of post factors, by "phase.layer.parameter.group".
        signal: state of the learning signal.
    """

    parameters: Parameters
    current: dict[str, CurrentStatistics] = field(default_factory=dict)
    pre: dict[str, RunningMean] = field(default_factory=dict)
    update: dict[str, UpdateStatistics] = field(default_factory=dict)
    signal: SignalState = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A network, a rule, a signal. Frozen: what changes is in `Learned`.

    Args:
        network: its neurons run with their own parameters where it is bound.
        rule, signal, texts: what teaches it.
        targets: of the hidden layers.
        unbound: the structure of a bound network, whose neurons hold no parameters; None where it is not bound.
    """

    network: Network
    rule: Rule
    signal: Signal | None
    texts: tuple[Text, ...]
    targets: Targets = "own"
    unbound: NetShape | None = None

    def hidden_targets(self, values: Tensor) -> Tensor:
        """What hidden layers are taught by: labels or errors of their own samples, or of the sample before each.

        Args:
            values: labels (B,), or errors (B, C).

        Returns:
            The values, as they are where `targets` is "own", moved on by one sample where it is "shuffled".

        Raises:
            UserError: one sample alone, which has no other before it.
        """
        if self.targets == "own":
            return values
        if len(values) < 2:
            raise UserError(
                "targets='shuffled' tells hidden layers of the sample before in the batch, and this batch holds one "
                "sample. Give at least 2, or use targets='own'"
            )
        return values.roll(1, 0)

    def bound(self, parameters: Parameters) -> Model:
        """The same model, its neurons running with their own parameters."""
        network = self.network.bound(parameters)
        return self if network is self.network else replace(self, network=network, unbound=self.shape)

    @property
    def teaching_signal(self) -> Signal:
        """The learning signal of a rule that has one.

        Raises:
            LookupError: the rule has none.
        """
        if self.signal is None:
            raise LookupError(f"rule '{self.rule.name}' has no learning signal")
        return self.signal

    @cached_property
    def shape(self) -> NetShape:
        """The network as the signal sees it, without any parameter."""
        return self.unbound or shape_of(self.network)

    @cached_property
    def parameter_names(self) -> frozenset[str]:
        """Names of the network's parameters; every other is the signal's own."""
        return frozenset(self.network.parameter_names())

    def texts_of(self, phase: str) -> tuple[Text, ...]:
        """The texts that hold in one phase."""
        return tuple(text for text in self.texts if text.plasticity.phase == phase)

    def learns_in(self, phase: str) -> bool:
        """Whether anything changes because of a phase."""
        return bool(self.texts_of(phase)) or (self.signal is not None and self.signal.teaches_neurons)

    def asks_hidden(self, phase: str) -> bool:
        """Whether hidden layers need the third factor of a phase: for their texts, or for their neurons' parameters."""
        return self.reads_m("hidden", phase) or (self.signal is not None and self.signal.teaches_neurons)

    def reads_m(self, role: str, phase: str) -> bool:
        """Whether texts of a role read the third factor in a phase."""
        return any(text.reads_m for text in self.texts_of(phase) if text.plasticity.role == role)

    def phase_statistics(self, phase: str, layer: str) -> str:
        """Name of the current statistics that a layer uses in a phase."""
        own = next(p for p in self.rule.phases if p.name == phase).statistics == "own" or phase == "input"
        return f"{phase if own else 'input'}.{layer}"


def build_model(
    network: Network, rule: Rule, signal: str | None = None, dw: str | None = None, targets: Targets = "own"
) -> Model:
    """Put a rule on a network.

    Args:
        network: what learns.
        rule: its texts and phases.
        signal: replaces the rule's own learning signal.
        dw: replaces the text of the hidden weights in the phase "input".
        targets: of the hidden layers.

    Raises:
        UserError: an illegal text, a signal that the rule's phases do not serve, or that does not serve the rule's,
            targets it does not have, or a signal or text for a control.
    """
    rule.check_control(signal, dw)
    if dw is not None:
        rule = _with_text(rule, dw)
    chosen = rule.signal if signal is None else SignalSpec.parse(signal)
    made: Signal | None = None if chosen is None else chosen.make()
    if made is None and "m_post" in rule.hidden_reads:
        raise UserError(f"rule '{rule.name}' reads m_post, which needs a learning signal. Name one: --signal dfa")
    if made is not None:
        if signal is not None:
            rule = _without_phases(rule, made, signal)
        _check_phases(rule, made, str(chosen))
        made.check(shape_of(network))
        _check_efficacies(network, rule, made)
    locked = None if targets == "own" else why_not_shuffled(made)
    if locked is not None:
        raise UserError(
            f"--targets shuffled cannot be done with rule '{rule.name}': its hidden layers {locked}. "
            f"Use a rule that teaches them by labels or errors of their own, such as sigprop or dfa"
        )
    return Model(network, rule, made, compile_rule(rule), targets)


def why_not_shuffled(signal: Signal | None) -> str | None:
    """Why hidden layers cannot be taught another sample's targets while the read-out has its own; None if they can."""
    if signal is None or not signal.needs & {"target", "output_error"}:
        return "are not taught at all"
    if "above" in signal.needs or signal.teaches_readout:
        return "learn from what the read-out's own error becomes on its way down"
    return None


def _check_efficacies(network: Network, rule: Rule, signal: Signal) -> None:
    """Nothing is carried back, or linearised, through a connection that transmits by what was sent before."""
    dynamic = [layer.name for layer, entry, _ in network.weights() if entry.connection.efficacy is not None]
    if dynamic and ("above" in signal.needs or any(phase.linear for phase in rule.phases)):
        raise UserError(
            f"rule '{rule.name}' carries signals through the connection of layer '{dynamic[0]}', which transmits "
            f"spikes by those before and carries nothing else. Use --connection dense, or another rule: sigprop, drtp"
        )


def shape_of(network: Network) -> NetShape:
    """A network as signals see it."""
    layers = tuple(
        LayerShape(
            layer.name,
            layer.shape,
            layer.neuron,
            {layer.weight_name(e): e.connection.weight_shape(e.pre_shape) for e in layer.inputs},
        )
        for layer in network.layers
    )
    return NetShape(layers, network.input_shape, network.classes)


def _check_phases(rule: Rule, signal: Signal, name: str) -> None:
    have = {phase.name for phase in rule.phases}
    missing = set(signal.phases) - have
    if missing:
        raise UserError(
            f"signal '{name}' needs the phase {sorted(missing)}, which rule '{rule.name}' does not run "
            f"(it runs {sorted(have)}). Use a signal without that phase, or the rule the signal belongs to"
        )


def _without_phases(rule: Rule, signal: Signal, name: str) -> Rule:
    """The rule without the passes that belong to its own signal, and that a signal without passes does not drive.

    Raises:
        UserError: the rule learns nothing, or reads nothing out, without them.
    """
    others = [phase.name for phase in rule.phases if phase.name != "input"]
    if not others or type(signal).drive is not Signal.drive:
        return rule
    kept = tuple(text for text in rule.plasticity if text.phase == "input")
    needed = {rule.error_phase, rule.score_phase} != {"input"} or rule.predict == "prototypes"
    if needed or not {"hidden", "readout"} <= {text.role for text in kept}:
        raise UserError(
            f"rule '{rule.name}' does not work without its phase '{others[0]}', which signal '{name}' does not drive. "
            f"Leave --signal out, or give it to another rule, such as dfa or sigprop"
        )
    return replace(rule, plasticity=kept, phases=tuple(phase for phase in rule.phases if phase.name == "input"))


def _with_text(rule: Rule, dw: str) -> Rule:
    kept = tuple(p for p in rule.plasticity if not (p.parameter == "w" and p.role == "hidden" and p.phase == "input"))
    return replace(rule, plasticity=(Plasticity("w", dw), *kept))


def initialise(model: Model, seed: int, device: torch.device, dtype: torch.dtype, init: Init = "torch") -> Learned:
    """Fresh parameters and state from one seed; network and signal draw from generators of their own.

    Raises:
        UserError: there is not enough memory for them.
    """
    check_parameters(model.network, dtype)
    net_generator = torch.Generator().manual_seed(seed)
    signal_generator = torch.Generator().manual_seed(seed + 1_000_003)
    parameters = model.network.initial_parameters(net_generator, torch.float64, init)
    own, state = _first_state(model, signal_generator)
    return place(Learned(parameters | own, signal=state), device, dtype)


def _first_state(model: Model, generator: torch.Generator) -> tuple[Parameters, SignalState]:
    """The signal's own parameters and state; it is shown the net's structure, and nothing that learns.

    Raises:
        UserError: a parameter of the signal's that has the name of one of the network's.
    """
    signal = model.signal
    if signal is None:
        return {}, {}
    parameters = signal.parameters(model.shape, generator)
    taken = sorted(model.parameter_names & parameters.keys())
    if taken:
        raise UserError(
            f"signal '{type(signal).__name__}' calls a parameter of its own '{taken[0]}', which is the net's. Rename it"
        )
    return parameters, signal.initial(model.shape, generator)


def place(learned: Learned, device: torch.device, dtype: torch.dtype) -> Learned:
    """The same state on a device, in a precision."""

    def move(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device, dtype) if value.is_floating_point() else value.to(device)
        if isinstance(value, dict):
            return {key: move(item) for key, item in value.items()}
        if isinstance(value, tuple):
            return type(value)(*(move(item) for item in value))
        return value

    return Learned(**{name: move(value) for name, value in vars(learned).items()})
