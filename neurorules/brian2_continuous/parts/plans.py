"""The plans of rules that have no circuit of their own: the circuit is made of their texts, and of a local signal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neurorules.brian2_continuous.parts.at_spikes import happens_at_spikes
from neurorules.brian2_continuous.parts.continuous_neuron import SPIKING_LR
from neurorules.brian2_continuous.parts.from_texts import from_texts
from neurorules.brian2_continuous.parts.local_signals import by_presentation, by_step
from neurorules.brian2_continuous.parts.neurons import NEURONS
from neurorules.brian2_continuous.parts.no_circuit import NoCircuit
from neurorules.brian2_continuous.parts.plan import Plan, samples_only
from neurorules.brian2_continuous.parts.step_texts import lower_steps, refuse_steps
from neurorules.brian2_continuous.parts.third_factors import LOCAL, REASONS
from neurorules.contracts.signal import Signal
from neurorules.language.options import parse_named
from neurorules.language.rules import Rule
from neurorules.language.signal_spec import SignalSpec
from neurorules.signals.class_vectors import ClassVectors
from neurorules.signals.dfa import DirectFeedback
from neurorules.signals.local_readout import LocalReadout
from neurorules.signals.patterns import Patterns
from neurorules.signals.reward import Reward
from neurorules.signals.spatial import SpatialBackpropagation

PRESENTATION_LR, STEP_LR, FILTERED_STEP_LR, REWARD_LR = 0.01, 0.14, 0.005, 1e-6
"""Default learning rates for rate units: of rules that learn where a presentation ends; of those that learn at each
step; of those among them that have random feedback and eligibilities which filter psi (`eprop`, `superspike`), where a
larger rate undoes what earlier samples taught; and of rewards, with which layers stop answering at a larger rate.
Source of these and of the rates below: 300 validation samples of the digits, 30 units, seed 0, four epochs, rates up to
30 for spiking units."""
STEP_READOUT_LR = 0.01
"""Default rate of a read-out that learns at each step. Twice as much makes hidden layers follow the read-out within a
presentation."""
OWN_LR, OWN_STEP_LR, OWN_READOUT_LR = 0.05, 0.15, 0.1
"""Those of rules whose layers have read-outs of their own, which learn from zero at the rate of the read-out, so that a
small one leaves layers untaught (`local_readout`, `stsf`)."""
DIRECTION_LR, DIRECTION_READOUT_LR = 0.05, 0.05
"""Those of rules that compare a layer's direction with vectors of the classes (`lls`, `spela`)."""
PATTERN_STEP_LR, PATTERN_READOUT_LR = 0.3, 0.02
"""Those of rules whose patterns are divided by the size of their layer, and the third factor with them (`tess`). Twice
as many units want twice the rate of hidden layers."""


def plan_of_texts(rule: Rule) -> Plan:
    """The plan of a rule that has neither a signal nor a circuit of its own.

    What a rule says of spikes happens at them. A rule that says more, such as what a low-pass of the membrane does,
    runs at each step of its texts.

    Args:
        rule: with its options.

    Returns:
        A plan that presents each sample once, to units that spike.

    Raises:
        UserError: it has neurons or texts that have no form in continuous time.
    """
    neuron = parse_named(rule.defaults.neuron)[0]
    if neuron not in ("if", *NEURONS):
        raise NoCircuit(rule, f"its texts are written for neurons '{neuron}', for which there is no circuit")
    if len(rule.phases) > 1:
        raise NoCircuit(rule, "it has other phases than its input")
    own, lr = "adex" if neuron == "adex" else "lif", rule.defaults.lr / SPIKING_LR
    if happens_at_spikes(rule):
        return Plan(from_texts, samples_only, neuron=own, lr=lr)
    lower_steps(rule, "1", "1.0")
    return Plan(by_step, samples_only, neuron=own, lr=lr)


def plan_of_signal(rule: Rule, spec: SignalSpec) -> Plan:
    """The plan of a rule with a signal, which has no circuit of its own.

    Args:
        rule: with its options.
        spec: the rule's signal.

    Returns:
        A plan that presents each sample once.

    Raises:
        UserError: the signal is not local in time, or a text has no form in continuous time.
    """
    signal = spec.make()
    if "history" in signal.needs:
        raise NoCircuit(
            rule,
            f"its signal '{spec.name}' goes back through all steps of a sample, from the last to the first, and "
            f"so it cannot be causal",
        )
    if type(signal) not in LOCAL:
        why = REASONS.get(type(signal), "cannot be computed from what is there at each moment")
        raise NoCircuit(rule, f"its signal '{spec.name}' {why}")
    if isinstance(signal, DirectFeedback | SpatialBackpropagation) and signal.feedback in ("adaptive", "fixed"):
        raise NoCircuit(rule, f"its signal '{spec.name}' has no form there with feedback={signal.feedback}")
    if isinstance(signal, Patterns) and signal.gains != "none":
        raise NoCircuit(rule, f"its signal '{spec.name}' has no form there with gains={signal.gains}, which learn")
    own_steps = isinstance(signal, LocalReadout | Patterns) and signal.errors == "step"
    in_steps = rule.errors == "step" or rule.eligibilities or rule.traces or own_steps
    if len(rule.phases) > 1:
        raise NoCircuit(rule, "it has other phases than its input")
    if "reset=none" in rule.defaults.neuron:
        raise NoCircuit(rule, "its texts are written for membranes without a reset")
    if in_steps:
        lower_steps(rule, "1", "1.0")
    else:
        refuse_steps(rule)
    make = by_step if in_steps else by_presentation
    plan = Plan(make, samples_only, needs=signal.needs, neuron="lif" if in_steps else "rate")
    return replace(plan, **_rates(rule, signal, bool(in_steps)))


def _rates(rule: Rule, signal: Signal, in_steps: bool) -> dict[str, Any]:
    """The default learning rates of a rule, as fields of its plan."""
    if isinstance(signal, Reward):
        return {"lr": REWARD_LR}
    if rule.defaults.optimizer == "sgd" and in_steps:
        return {"lr": rule.defaults.lr / SPIKING_LR}
    if isinstance(signal, LocalReadout):
        return {"lr": OWN_STEP_LR if in_steps else OWN_LR, "readout_lr": OWN_READOUT_LR}
    if isinstance(signal, Patterns) and in_steps:
        return {"lr": PATTERN_STEP_LR, "readout_lr": PATTERN_READOUT_LR}
    if isinstance(signal, Patterns | ClassVectors):
        return {"lr": DIRECTION_LR, "readout_lr": DIRECTION_READOUT_LR}
    if not in_steps:
        return {"lr": PRESENTATION_LR}
    filtered = any("psi(" in one.text for one in rule.eligibilities) and isinstance(signal, DirectFeedback)
    return {"lr": FILTERED_STEP_LR if filtered else STEP_LR, "readout_lr": STEP_READOUT_LR}
