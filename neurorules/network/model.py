"""`Model`, which combines a network, a rule and a signal, and `Learned`, which holds all that learning changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.normalisation import CurrentStatistics, UpdateStatistics
from neurorules.contracts.running_mean import RunningMean
from neurorules.contracts.signal import Signal, SignalState
from neurorules.contracts.target import PER_STEP
from neurorules.language.errors import UserError
from neurorules.language.rules import SENT, Plasticity, Role, Rule
from neurorules.language.settings import Scores, Targets, Task
from neurorules.language.signal_spec import SignalSpec
from neurorules.network.network import Network, Parameters
from neurorules.network.serving import (
    check_efficacies,
    check_numbers,
    check_phases,
    check_population,
    check_task,
    check_transmission,
    counting,
    why_not_shuffled,
    without_phases,
)
from neurorules.network.shape import shape_of
from neurorules.network.spike_times import check_times
from neurorules.network.texts import PhaseTexts, Text, compile_rule, texts_by_phase


@dataclass
class Learned:
    """All tensors that learning changes, as plain dictionaries of tensors and running averages that can be saved.

    Args:
        parameters: parameters of the network and the signal, by full name.
        current: statistics of normalised currents, by "phase.layer".
        pre: running means of the presynaptic activity of centred inputs, by "phase.layer.input".
        update: statistics of post factors, by "phase.layer.parameter.group".
        signal: state of the learning signal, by name.
        traces: initial values for the next trial of traces that last across trials, (*shape), by "phase.layer.trace".
    """

    parameters: Parameters
    current: dict[str, CurrentStatistics] = field(default_factory=dict)
    pre: dict[str, RunningMean] = field(default_factory=dict)
    update: dict[str, UpdateStatistics] = field(default_factory=dict)
    signal: SignalState = field(default_factory=dict)
    traces: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A network with a rule and a signal. The model is frozen; everything that changes is in `Learned`.

    Args:
        network: its neurons run with their own parameters where it is bound.
        rule: texts and phases.
        signal: makes the third factor; None for a rule without one.
        texts: the texts of the rule, checked and grouped into products.
        targets: whether hidden layers are taught by their own sample's targets, or by those of the sample before.
        scores: the source of class scores: the mean of the read-out's membrane over time, or the number of its spikes,
            or of those of several read-out neurons for each class.
        unbound: for a network that is bound to parameters, the original network without them; otherwise None.
        task: the kind of targets.
        last_steps: number of last steps that are scored and contribute to the error; None for all.
        chip: the hardware that the model runs on; the network then has the chip's own neurons. None for none.
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

    @cached_property
    def answers(self) -> dict[tuple[object, ...], bool]:
        """Answers about the model that are worked out once, by question; empty at first."""
        return {}

    @cached_property
    def steps_apart(self) -> bool:
        """Whether single steps matter for the error: each step has an error, or only the last steps are scored."""
        return self.last_steps is not None or self.errs_each_step

    @cached_property
    def errs_each_step(self) -> bool:
        """Whether the output of each step has an error of its own, against the target of the step or of the sample."""
        return self.task in PER_STEP or self.rule.errors == "step"

    @property
    def third_factor_timing(self) -> str:
        """When the third factor of a step is known: "step", "phase" or "trial" (`Signal.timing`)."""
        time = self.teaching_signal.timing
        return time if time != "error" else "step" if self.errs_each_step else "trial"

    def scored_steps(self, steps: int) -> int:
        """The number of steps that are scored, at the end of a trial of T steps; a trial shorter than `last_steps` is
        refused."""
        if self.last_steps is not None and self.last_steps > steps:
            raise UserError(
                f"last_steps={self.last_steps} are to be scored, and a trial has {steps}. Give at most {steps}"
            )
        return self.last_steps or steps

    def hidden_targets(self, values: Tensor, samples_at: int = 0) -> Tensor:
        """The targets or errors that hidden layers learn from: those of the sample, or of the previous sample in the
        batch.

        Args:
            values: targets (B, ...), or errors, (B, O) or (T, B, O).
            samples_at: the sample axis, 0 or 1.

        Returns:
            The values, unchanged if `targets` is "own", and shifted by one sample if it is "shuffled".

        Raises:
            UserError: targets are shuffled, and the batch has only one sample.
        """
        if self.targets == "own":
            return values
        if values.shape[samples_at] < 2:
            raise UserError(
                "targets='shuffled' tells hidden layers of the sample before in the batch, and this batch holds one "
                "sample. Give at least 2, or use targets='own'"
            )
        return values.roll(1, samples_at)

    @cached_property
    def counts(self) -> bool:
        """Whether class scores are numbers of spikes."""
        return self.scores != "membrane"

    @property
    def per_class(self) -> int:
        """The number of read-out neurons of each class: those of class c are neurons k c .. k (c + 1) - 1."""
        return self.network.readout.shape[0] // self.network.classes if self.scores == "population" else 1

    def score(self, total: Tensor, steps: int) -> Tensor:
        """Convert a sum over time into class scores.

        Args:
            total: the sum of the read-out's membrane or spikes over time, (B, O).
            steps: T, >= 1.

        Returns:
            The scores (B, C): the sum for spikes, over all neurons of a class, and the mean for a membrane.
        """
        if self.scores == "population":
            return total.unflatten(1, (self.network.classes, self.per_class)).sum(2)
        return total if self.counts else total / steps

    def bound(self, parameters: Parameters) -> Model:
        """Return the model with the neurons' learned parameters inserted into the neurons."""
        if not self.network.neurons_learn:
            return self
        return replace(self, network=self.network.bound(parameters), unbound=self.shape)

    def on_chip(self, chip: Chip | None) -> Model:
        """Return the model on a chip, with the chip's own neurons; `self` if `chip` is None."""
        if chip is None:
            return self
        layers = tuple(replace(a, neuron=chip.neuron(a.name, a.neuron)) for a in self.network.layers)
        return replace(self, network=replace(self.network, layers=layers), unbound=self.shape, chip=chip)

    @cached_property
    def teaching_signal(self) -> Signal:
        """The learning signal, for rules that have one.

        Raises:
            LookupError: the rule has no learning signal.
        """
        if self.signal is None:
            raise LookupError(f"rule '{self.rule.name}' has no learning signal")
        return self.signal

    @cached_property
    def instant(self) -> bool:
        """Whether the third factor of a step depends on that step alone (`Signal.instant`)."""
        return self.signal is not None and self.signal.instant

    @property
    def of_times(self) -> bool:
        """Whether the signal takes derivatives by the times of spikes (`Signal.least_rise`)."""
        return self.signal is not None and self.signal.least_rise is not None

    @cached_property
    def teaches_from_above(self) -> bool:
        """Whether the signal reads what the layers above a layer hand down (the need "above")."""
        return self.signal is not None and "above" in self.signal.needs

    @cached_property
    def shape(self) -> NetShape:
        """The structure of the network, without parameters, as the signal receives it."""
        return self.unbound or shape_of(self.network, self.task)

    @cached_property
    def parameter_names(self) -> frozenset[str]:
        """Names of the network's parameters; all other parameters belong to the signal."""
        return frozenset(self.network.parameter_names())

    @cached_property
    def learning(self) -> dict[tuple[str, Role], PhaseTexts]:
        """The texts that hold, by phase and by the role of the layers."""
        signal = self.signal
        hidden = signal is not None and signal.teaches_neurons
        readout = signal is not None and signal.teaches_readout
        taught: dict[Role, bool] = {"hidden": hidden, "readout": readout}
        phases = tuple(phase.name for phase in self.rule.phases)
        return texts_by_phase(self.texts, phases, frozenset(role for role in taught if taught[role]))

    def texts_of(self, phase: str) -> tuple[Text, ...]:
        """The texts that hold in one phase, of hidden layers and of the read-out."""
        return tuple(text for text in self.texts if text.plasticity.phase == phase)

    @cached_property
    def statistics_names(self) -> dict[tuple[str, str], str]:
        """The names of the statistics that normalise the current of a layer in a phase, by the names of both:
        "phase.layer" if the phase has statistics of its own, and otherwise "input.layer"."""
        source = {p.name: p.name if p.statistics == "own" else "input" for p in self.rule.phases}
        return {
            (phase, layer.name): f"{own}.{layer.name}" for phase, own in source.items() for layer in self.network.layers
        }


def build_model(
    network: Network, rule: Rule, signal: str | None = None, dw: str | None = None, targets: Targets = "own",
    scores: Scores = "membrane", task: Task = "classes", last_steps: int | None = None,
) -> Model:  # fmt: skip
    """Combine a network and a rule into a model.

    Args:
        network: the network.
        rule: the learning rule.
        signal: a learning signal with options that replaces the rule's own; None for the rule's own.
        dw: a text that replaces that of the hidden weights in the phase "input"; None for the rule's own.
        targets: the targets of hidden layers: "own", or "shuffled" for those of the previous sample in the batch.
        scores: "membrane", or "count" or "population" for a read-out that spikes; its texts then include the derivative
            of the spike.
        task: the kind of targets.
        last_steps: number of last steps that are scored and contribute to the error; None for all.

    Returns:
        The model, whose texts are checked and grouped into products.

    Raises:
        UserError: a text is illegal, the signal and the rule have different phases, the rule cannot learn these
            targets, or a signal or text is given for a control.
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
    check_transmission(rule, learning_signal)
    check_population(network, scores, task)
    check_times(network, rule, learning_signal, scores)
    rule = rule if scores == "membrane" else counting(network, rule, learning_signal, scores)
    texts = compile_rule(rule)
    check_numbers(network, rule, texts)
    model = Model(network, rule, learning_signal, texts, targets, scores, task=task, last_steps=last_steps)
    if model.counts and model.steps_apart:
        raise UserError(
            f"scores={scores} counts the spikes of a whole trial, and here steps count one by one. Use scores=membrane"
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
    own = {"w", SENT}  # what layers send to those below follows the new text
    others = tuple(p for p in rule.plasticity if not (p.parameter in own and p.role == "hidden" and p.phase == "input"))
    return replace(rule, plasticity=(Plasticity("w", dw), *others))
