"""The plans of rules that have no circuit of their own: the circuit is made of their texts, and of a local signal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neurorules.brian2_continuous.parts.at_spikes import happens_at_spikes
from neurorules.brian2_continuous.parts.continuous_neuron import SPIKING_LR
from neurorules.brian2_continuous.parts.from_texts import from_texts
from neurorules.brian2_continuous.parts.local_signals import by_presentation, by_step
from neurorules.brian2_continuous.parts.neurons import NEURONS
from neurorules.brian2_continuous.parts.plan import Plan, samples_only
from neurorules.brian2_continuous.parts.step_texts import lower_steps, refuse_derivatives, refused
from neurorules.brian2_continuous.parts.third_factors import LOCAL, REASONS
from neurorules.contracts.signal import Signal
from neurorules.language.options import parse_named
from neurorules.language.rules import Rule
from neurorules.signals.dfa import DirectFeedback
from neurorules.signals.local_readout import LocalReadout
from neurorules.signals.patterns import Patterns
from neurorules.signals.spatial import SpatialBackpropagation

PRESENTATION_LR, STEP_LR, SMALL_STEP_LR = 0.01, 0.04, 0.005
"""Default learning rates for rate units, of rules that learn where a presentation ends, and at each step; the small one
is of rules that filter psi in an eligibility. Source: 300 validation samples of the digits, seed 0, two epochs, rates
from 0.003 to 0.3 of `dfa`, `eprop`, `erbp`, `ottt`, `ostl`, `otpe`, `s_tller`, `superspike`; four epochs of `etlp` and
`osttp`."""
OWN_LR, OWN_STEP_LR, OWN_READOUT_LR = 0.05, 0.15, 0.1
"""Default learning rates of rules whose layers have read-outs of their own, which learn from zero at the rate of the
read-out, so that a small one leaves layers untaught. Source: the same samples, 30 units, four epochs, rates from 0.01
to 30 and of read-outs 0.02 and 0.1, of `local_readout` and `stsf`."""
PATTERN_STEP_LR, PATTERN_READOUT_LR = 0.3, 0.02
"""Those of rules whose patterns are divided by the size of their layer, and the third factor with them. Source: the
same samples and rates, of `tess` with 30 units; twice as many units want twice the rate of hidden layers."""


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
        raise refused(rule, f"its texts are about neurons of kind '{neuron}', which has no circuit")
    if len(rule.phases) > 1:
        raise refused(rule, "it has phases beside its input")
    own, lr = "adex" if neuron == "adex" else "lif", rule.defaults.lr / SPIKING_LR
    if happens_at_spikes(rule):
        return Plan(from_texts, samples_only, neuron=own, lr=lr)
    lower_steps(rule, "1", "1.0")
    return Plan(by_step, samples_only, neuron=own, lr=lr)


def plan_of_signal(rule: Rule) -> Plan:
    """The plan of a rule with a signal, which has no circuit of its own.

    Args:
        rule: with its options.

    Returns:
        A plan that presents each sample once.

    Raises:
        UserError: the signal is not local in time, or a text has no form in continuous time.
    """
    assert rule.signal is not None
    signal = rule.signal.make()
    if "history" in signal.needs:
        raise refused(
            rule,
            f"its signal '{rule.signal.name}' goes back through all steps of a sample, from the last to the first, and "
            f"so it cannot be causal",
        )
    if type(signal) not in LOCAL:
        why = REASONS.get(type(signal), "is not made of what is there at each moment")
        raise refused(rule, f"its signal '{rule.signal.name}' {why}")
    if isinstance(signal, DirectFeedback | SpatialBackpropagation) and signal.feedback in ("adaptive", "fixed"):
        raise refused(rule, f"its signal '{rule.signal.name}' has no form with feedback={signal.feedback} there")
    if isinstance(signal, Patterns) and signal.gains != "none":
        raise refused(
            rule, f"its signal '{rule.signal.name}' has no form with gains={signal.gains}, which learn, there"
        )
    own_steps = isinstance(signal, LocalReadout | Patterns) and signal.errors == "step"
    in_steps = rule.errors == "step" or rule.eligibilities or rule.traces or own_steps
    if len(rule.phases) > 1:
        raise refused(rule, "it has phases beside its input")
    if "reset=none" in rule.defaults.neuron:
        raise refused(rule, "its texts are about membranes without a reset")
    if in_steps:
        lower_steps(rule, "1", "1.0")
    else:
        refuse_derivatives(rule)
    make = by_step if in_steps else by_presentation
    plan = Plan(make, samples_only, needs=signal.needs, neuron="lif" if in_steps else "rate")
    return replace(plan, **_rates(rule, signal, bool(in_steps)))


def _rates(rule: Rule, signal: Signal, in_steps: bool) -> dict[str, Any]:
    """The default learning rates of a rule, as fields of its plan."""
    if rule.defaults.optimizer == "sgd" and in_steps:
        return {"lr": rule.defaults.lr / SPIKING_LR}
    if isinstance(signal, LocalReadout):
        return {"lr": OWN_STEP_LR if in_steps else OWN_LR, "readout_lr": OWN_READOUT_LR}
    if isinstance(signal, Patterns) and in_steps:
        return {"lr": PATTERN_STEP_LR, "readout_lr": PATTERN_READOUT_LR}
    if not in_steps:
        return {"lr": PRESENTATION_LR}
    texts = (one.text for one in rule.plasticity if (one.parameter, one.role) == ("w", "hidden"))
    filtered = bool(rule.eligibilities) and not any("psi(" in text for text in texts)
    return {"lr": SMALL_STEP_LR if filtered else STEP_LR}
