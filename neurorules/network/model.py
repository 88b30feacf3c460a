"""A model, which is a network with a rule and a signal, and everything that changes while it learns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.normalisation import CurrentStatistics, UpdateStatistics
from neurorules.contracts.running_mean import RunningMean
from neurorules.contracts.series import per_step
from neurorules.contracts.signal import Signal, SignalState
from neurorules.contracts.target import PER_STEP
from neurorules.language.errors import UserError
from neurorules.language.rules import SENT, Plasticity, Rule
from neurorules.language.settings import Scores, Targets, Task
from neurorules.language.signal_spec import SignalSpec
from neurorules.network.network import Network, Parameters
from neurorules.network.serving import (
    check_efficacies,
    check_numbers,
    check_phases,
    check_task,
    counting,
    why_not_shuffled,
    without_phases,
)
from neurorules.network.shape import shape_of
from neurorules.network.texts import Text, compile_rule


@dataclass
class Learned:
    """All tensors that learning changes. Plain dictionaries of tensors and running averages, so that it can be saved.

    Args:
        parameters: the network's and the signal's, by full name.
        current: statistics of normalised currents, by "phase.layer".
        pre: running means of what centred inputs bring, by "phase.layer.input".
        update: statistics of post factors, by "phase.layer.parameter.group".
        signal: state of the learning signal, by name.
        traces: where traces that live across trials begin the next one, (*shape), by "phase.layer.trace".
    """

    parameters: Parameters
    current: dict[str, CurrentStatistics] = field(default_factory=dict)
    pre: dict[str, RunningMean] = field(default_factory=dict)
    update: dict[str, UpdateStatistics] = field(default_factory=dict)
    signal: SignalState = field(default_factory=dict)
    traces: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A network, a rule and a signal. It is frozen: what changes stands in `Learned`.

    Args:
        network: its neurons run with their own parameters where it is bound.
        rule: texts and phases.
        signal: makes the third factor; None for a rule without one.
        texts: the texts of the rule, checked and grouped into products.
        targets: whether hidden layers are taught by their own sample's targets, or by those of the sample before.
        scores: what gives class scores: the mean over time of the read-out's membrane, or the number of its spikes.
        unbound: the structure of a bound network, whose neurons hold no parameters; None where it is not bound.
        task: what the targets of samples are.
        last_steps: how many of the last steps are scored and make the error; None for all.
        chip: the hardware that it runs on, whose own neurons the network then has; None for none.
    """

    network: Network
    rule: Rule
    signal: Signal | None
    texts: tuple[Text, ...]
    targets: Targets = "own"
    scores: Scores = "membrane"
    unbound: NetShape | None = None
    task: Task = "classes"
    last_steps: int | None = None
    chip: Chip | None = None

    @property
    def steps_apart(self) -> bool:
        """Whether steps count one by one: each makes an error, or the last ones alone are scored."""
        return self.last_steps is not None or self.errs_each_step

    @property
    def errs_each_step(self) -> bool:
        """Whether the output of each step makes an error of its own, against a target of its own or the sample's."""
        return self.task in PER_STEP or self.rule.errors == "step"

    @property
    def third_factor_known(self) -> str:
        """The time at which the third factor of a step is there: "step", "phase" or "trial" (`Signal.known`)."""
        time = self.teaching_signal.known
        return time if time != "error" else "step" if self.errs_each_step else "trial"

    def scored_steps(self, steps: int) -> int:
        """The number of a trial's T steps that are scored, its last; a trial shorter than `last_steps` is refused."""
        if self.last_steps is not None and self.last_steps > steps:
            raise UserError(
                f"last_steps={self.last_steps} are to be scored, and a trial has {steps}. Give at most {steps}"
            )
        return self.last_steps or steps

    def hidden_targets(self, values: Tensor, samples_at: int = 0) -> Tensor:
        """The targets that hidden layers are taught by: targets or errors of their own samples, or of the sample before
        each.

        Args:
            values: targets (B, ...), or errors, (B, O) or (T, B, O).
            samples_at: the axis of the samples, 0 or 1.

        Returns:
            The values, as they are where `targets` is "own", moved on by one sample where it is "shuffled".

        Raises:
            UserError: one sample alone, which has no other before it.
        """
        if self.targets == "own":
            return values
        if values.shape[samples_at] < 2:
            raise UserError(
                "targets='shuffled' tells hidden layers of the sample before in the batch, and this batch holds one "
                "sample. Give at least 2, or use targets='own'"
            )
        return values.roll(1, samples_at)

    def score(self, total: Tensor, steps: int) -> Tensor:
        """Class scores from the sum over time of what gives them, or of their derivative from that of its every step.

        Args:
            total: (B, C).
            steps: T, >= 1.

        Returns:
            (B, C): the sum itself of spikes, the mean of a membrane.
        """
        return total if self.scores == "count" else per_step(total, steps)

    def bound(self, parameters: Parameters) -> Model:
        """Give this model with neurons that run with their own parameters."""
        network = self.network.bound(parameters)
        return self if network is self.network else replace(self, network=network, unbound=self.shape)

    def on_chip(self, chip: Chip | None) -> Model:
        """Give this model on a chip, with the chip's own neurons; the model itself for no chip."""
        if chip is None:
            return self
        layers = tuple(replace(a, neuron=chip.neuron(a.name, a.neuron)) for a in self.network.layers)
        return replace(self, network=replace(self.network, layers=layers), unbound=self.shape, chip=chip)

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
        return self.unbound or shape_of(self.network, self.task)

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
        """Whether texts of a role read the third factor in a phase.

        Args:
            role: "hidden" or "readout".
            phase: its name.

        Returns:
            True if one does.
        """
        return any(text.reads_m for text in self.texts_of(phase) if text.plasticity.role == role)

    def phase_statistics(self, phase: str, layer: str) -> str:
        """The name of the statistics that normalise a layer's current in a phase.

        Args:
            phase: its name.
            layer: its name.

        Returns:
            "phase.layer" where the phase keeps statistics of its own, otherwise "input.layer".
        """
        own = next(p for p in self.rule.phases if p.name == phase).statistics == "own" or phase == "input"
        return f"{phase if own else 'input'}.{layer}"


def build_model(
    network: Network, rule: Rule, signal: str | None = None, dw: str | None = None, targets: Targets = "own",
    scores: Scores = "membrane", task: Task = "classes", last_steps: int | None = None,
) -> Model:  # fmt: skip
    """Put a rule on a network.

    Args:
        network: what learns.
        rule: its texts and phases.
        signal: replaces the rule's own learning signal, with options; None for the rule's own.
        dw: replaces the text of the hidden weights in the phase "input"; None for the rule's own.
        targets: the targets of the hidden layers: "own", or "shuffled", those of the sample before in the batch.
        scores: of a read-out that spikes may be "count"; its texts then go through the spike.
        task: what the targets of samples are.
        last_steps: how many of the last steps are scored and make the error; None for all.

    Returns:
        The model, whose texts are checked and grouped into products.

    Raises:
        UserError: an illegal text, a signal that the rule's phases do not serve, or that does not serve the rule's,
            targets that it does not have or cannot be taught by, or a signal or text for a control.
    """
    rule.check_control(signal, dw)
    if dw is not None:
        rule = _with_text(rule, dw)
    chosen = rule.signal if signal is None else SignalSpec.parse(signal)
    learning_signal: Signal | None = None if chosen is None else chosen.make()
    if learning_signal is None and "m_post" in rule.hidden_reads:
        raise UserError(f"rule '{rule.name}' reads m_post, which needs a learning signal. Name one: --signal dfa")
    if learning_signal is not None:
        if signal is not None:
            rule = without_phases(rule, learning_signal, signal)
        check_phases(rule, learning_signal, str(chosen))
        learning_signal.check(shape_of(network, task))
        check_efficacies(network, rule, learning_signal)
    rule = rule if scores == "membrane" else counting(network, rule, learning_signal)
    texts = compile_rule(rule)
    check_numbers(network, rule, texts)
    model = Model(network, rule, learning_signal, texts, targets, scores, task=task, last_steps=last_steps)
    if scores == "count" and model.steps_apart:
        raise UserError(
            "scores=count counts the spikes of a whole trial, and here steps count one by one. Use scores=membrane"
        )
    check_task(rule, learning_signal, task, last_steps)
    if model.steps_apart and learning_signal is not None:
        model = replace(model, signal=learning_signal.by_steps())
    locked = None if targets == "own" else why_not_shuffled(learning_signal)
    if locked is not None:
        raise UserError(
            f"--targets shuffled cannot be done with rule '{rule.name}': its hidden layers {locked}. "
            f"Use a rule that teaches them by labels or errors of their own, such as sigprop or dfa"
        )
    return model


def _with_text(rule: Rule, dw: str) -> Rule:
    own = {"w", SENT}  # what layers hand down follows the new text
    others = tuple(p for p in rule.plasticity if not (p.parameter in own and p.role == "hidden" and p.phase == "input"))
    return replace(rule, plasticity=(Plasticity("w", dw), *others))
