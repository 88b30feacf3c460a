"""Check whether a configuration has a meaning in continuous time, and say what to change where it has none."""

from __future__ import annotations

import logging
from typing import Any

from neurorules.brian2_continuous.circuits import CIRCUITS
from neurorules.brian2_continuous.parts.continuous_neuron import ContinuousNeuron
from neurorules.brian2_continuous.parts.neurons import NEURONS
from neurorules.brian2_continuous.parts.no_circuit import NoCircuit
from neurorules.brian2_continuous.parts.plan import Plan
from neurorules.brian2_continuous.parts.plans import plan_of_signal, plan_of_texts
from neurorules.language.config import SETTINGS, TrainConfig
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert_options, parse_named
from neurorules.language.rules import Rule
from neurorules.rules import RULES

FIXED = {
    "norm": ("none", "currents are shifted and scaled as they stream in, and no unit is normalised"),
    "connection": ("dense", "synapses join every two units of neighbouring layers"),
    "readout_neuron": ("leaky_readout", "the read-out has neurons of its own"),
    "optimizer": ("sgd", "each change of a synapse is made at once"),
    "readout_optimizer": ("sgd", "each change of a synapse is made at once"),
    "signal_lr": (None, "a circuit's signal has no parameters that learn"),
    "signal": (None, "a circuit has the signal of its rule"),
    "dw": (None, "a circuit is made of the texts of its rule"),
    "targets": ("own", "each sample is presented alone"),
    "augment": (None, "presentations are the samples themselves"),
    "last_steps": (None, "a presentation is read as a whole"),
    "hardware": ("none", "device models act on tensors"),
    "weight_decay": (0.0, "the texts of a circuit describe every change of a weight"),
    "weight_sum": (None, "a synapse does not know the other synapses of its neuron"),
    "init": ("he", "initial weights are as large as the units need"),
    "schedule": ("by_layer", "all layers run at once"),
    "readout": ("last", "the read-out reads the last hidden layer"),
    "scores": ("membrane", "the read-out does not spike"),
}
"""Settings that have a single value in continuous time, each with that value and the reason."""
LEFT_OPEN = {name: setting.default for name, setting in SETTINGS.items()}
"""The default values of settings."""
ONE_OF = {
    "batch_size": ((1, LEFT_OPEN["batch_size"]), "weights change after every presentation"),
    "precision": (("float64", LEFT_OPEN["precision"]), "equations are computed in float64"),
}
"""Settings whose default belongs to the torch path: the value that they have in continuous time, the default, which a
user cannot be told from, and the reason."""

_log = logging.getLogger(__name__)


def check_config(config: TrainConfig) -> Plan:
    """Check a configuration, and find the plan of its rule.

    Raises:
        UserError: the rule is unknown or has no circuit, or a setting has no meaning in continuous time.
    """
    name = parse_named(config.rule)[0]
    RULES.module(name)  # an unknown rule raises its own error here
    rule = RULES.make(config.rule)
    plan = plan_of(rule)
    for setting, (only, why) in FIXED.items():
        check_fixed(setting, getattr(config, setting), only, why)
    for setting, (legal, why) in ONE_OF.items():
        if getattr(config, setting) not in legal:
            check_fixed(setting, getattr(config, setting), legal[0], why)
    return plan


def plan_of(rule: Rule) -> Plan:
    """Find how a rule learns in continuous time: by a circuit of its own, or by that of its texts.

    Args:
        rule: with its options.

    Returns:
        The plan of the form that its options choose.

    Raises:
        UserError: it has no equations in continuous time, with the reason.
    """
    if rule.transmits is not None:
        raise NoCircuit(rule, f"synapses there transmit their weight, and those of this rule '{rule.transmits}'")
    if rule.teaching < 1:
        raise NoCircuit(rule, "it teaches at random steps, and the signal of a circuit is always there")
    if rule.name in CIRCUITS.modules:
        plan: Plan = CIRCUITS.make(rule.name)
        return plan.of(rule)
    try:
        return plan_of_texts(rule) if rule.signal is None else plan_of_signal(rule, rule.signal)
    except NoCircuit as error:
        raise UserError(
            f"{error.reason}. Use a rule that has a circuit of its own ({', '.join(CIRCUITS.names())}), or --path torch"
        ) from None


def check_fixed(setting: str, value: Any, only: Any, why: str) -> None:
    """Refuse a setting that is given, and differs from the only value that it can have here.

    Args:
        setting: the name of the setting.
        value: the given value; None if it was left open.
        only: the only possible value.
        why: the reason, for the message.

    Raises:
        UserError: it differs.
    """
    if value not in (None, only):
        raise UserError(
            f"--{setting.replace('_', '-')} {value} has no meaning with --path continuous: {why}. Leave it out"
        )


def neuron_of(text: str) -> ContinuousNeuron:
    """Make the neuron that a text such as "lif:tau_ms=20" describes.

    Raises:
        UserError: the neuron or an option is unknown, or a value is out of its range.
    """
    name, options = parse_named(text)
    if name not in NEURONS:
        raise unknown("neuron in continuous time", name, NEURONS)
    factory = NEURONS[name]
    return factory(**convert_options(f"neuron '{name}' in continuous time", factory, options))


def check_times(neuron: ContinuousNeuron) -> None:
    """Refuse a step that is too long for the fastest time constant; warn of presentations too short for the slowest.

    Raises:
        UserError: the fastest time constant is shorter than two steps.
    """
    if neuron.dt_ms > neuron.fastest_ms / 2:
        raise UserError(
            f"the fastest time constant is {neuron.fastest_ms:g} ms, and dt_ms is {neuron.dt_ms:g}: it would pass in "
            f"less than two steps. Use dt_ms of at most {neuron.fastest_ms / 2:g}, or a longer time constant"
        )
    if neuron.period_ms < 2 * neuron.slowest_ms:
        _log.warning(
            "a presentation lasts %g ms, and the slowest time constant is %g ms: samples run into each other. Use "
            "period_ms of at least %g",
            neuron.period_ms, neuron.slowest_ms, 2 * neuron.slowest_ms,
        )  # fmt: skip
